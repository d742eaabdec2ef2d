package rfc6455

// Event is what [Decoder.Decode] and [Decoder.Advance] stop for.
type Event uint8

const (
	// EventNone: all bytes are consumed and nothing is complete yet.
	EventNone Event = iota
	// EventMessage: a whole message is there, see [Decoder.Message].
	EventMessage
	// EventPing: a ping came, whose payload [Decoder.Control] gives and a pong must return (RFC
	// 6455, section 5.5.2).
	EventPing
	// EventPong: a pong came, whose payload [Decoder.Control] gives.
	EventPong
	// EventClose: the peer's close frame came, see [Decoder.Close]. What follows it is discarded.
	EventClose
)

// String returns the event's name in lower case.
func (e Event) String() string {
	switch e {
	case EventNone:
		return "none"
	case EventMessage:
		return "message"
	case EventPing:
		return "ping"
	case EventPong:
		return "pong"
	case EventClose:
		return "close"
	}
	return "unknown event"
}
