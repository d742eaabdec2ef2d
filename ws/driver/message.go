package driver

// Kind is the kind of a message: text or binary.
type Kind uint8

// The kinds of message, with the values of their opcodes (RFC 6455, section 11.8).
const (
	KindText   Kind = 1 // the data is UTF-8
	KindBinary Kind = 2 // the data is any bytes
)

// String returns "text" or "binary".
func (k Kind) String() string {
	switch k {
	case KindText:
		return "text"
	case KindBinary:
		return "binary"
	}
	return "invalid kind"
}

// Message is one whole message: its kind and its data. It has the fields of a ws.Message,
// so that each converts to the other. Each method that takes or returns a Message says
// who owns the data, and for how long.
type Message struct {
	// Kind is KindText or KindBinary.
	Kind Kind
	// NoCompression says that a transport which compresses messages sends this one
	// uncompressed. It is false in a message that was received.
	NoCompression bool
	// Data is the payload. nil and empty are the same: an empty message.
	Data []byte
}

// String returns the data as a string.
func (m Message) String() string { return string(m.Data) }

// Into returns m with its data copied to buf[:0], which grows if it must. For
// a nil buf it returns m itself. Transports use it to honour ReceiveInto.
func (m Message) Into(buf []byte) Message {
	if buf != nil {
		m.Data = append(buf[:0], m.Data...)
	}
	return m
}
