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
	// EventBegin: the header of the first frame of a message came, after [Decoder.Announce]. Call
	// [Decoder.TakeParts].
	EventBegin
	// EventPart: the memory of [Decoder.Part] is full.
	EventPart
	// EventLarge: a message is over the limit of Init and not over that of [Decoder.SetMaxParts].
	// Decode does not go on before [Decoder.TakeParts], [Decoder.Refuse] or [Decoder.Discard].
	EventLarge
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
	case EventBegin:
		return "begin"
	case EventPart:
		return "part"
	case EventLarge:
		return "large"
	}
	return "unknown event"
}
