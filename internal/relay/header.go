//go:build js

package relay

// HeaderSize is the size of the header before each message that crosses with
// others.
const HeaderSize = 4

// Header precedes a message that arrived.
type Header uint32

// HeaderOf returns the header at the beginning of b.
func HeaderOf(b []byte) Header {
	return Header(b[0])<<24 | Header(b[1])<<16 | Header(b[2])<<8 | Header(b[3])
}

// IsText reports whether the message is text.
func (h Header) IsText() bool { return h&1 != 0 }

// IsApart reports whether the message is kept apart: see [Relay.Apart].
func (h Header) IsApart() bool { return h&2 != 0 }

// Counted returns the size that counts for the message. It can differ from the real size
// of a message that is kept apart.
func (h Header) Counted() int { return int(h >> 2) }

// Len returns how many bytes header and message take.
func (h Header) Len() int {
	if h.IsApart() {
		return HeaderSize
	}
	return HeaderSize + h.Counted()
}

// AppendHeader appends h in the form that HeaderOf reads.
func AppendHeader(b []byte, h Header) []byte {
	return append(b, byte(h>>24), byte(h>>16), byte(h>>8), byte(h))
}

// AppendMessage appends a message to send, after its header.
func AppendMessage(b, message []byte, isText bool) []byte {
	return append(AppendHeader(b, Header(sentHeader(len(message), isText))), message...)
}

func sentHeader(size int, isText bool) int { return size<<1 | flag(isText) }

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
