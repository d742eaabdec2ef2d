//go:build js

package relay

// HeaderSize is the size of the header before each message that crosses with
// others.
const HeaderSize = 4

// Header stands before a message that came.
type Header uint32

// HeaderOf returns the one that b begins with.
func HeaderOf(b []byte) Header {
	return Header(b[0])<<24 | Header(b[1])<<16 | Header(b[2])<<8 | Header(b[3])
}

// IsText reports whether the message is a text.
func (h Header) IsText() bool { return h&1 != 0 }

// IsApart reports whether the message does not lie here: see [Relay.Apart].
func (h Header) IsApart() bool { return h&2 != 0 }

// Counted returns how many bytes count as the message's, which are not always
// what a message has that was kept apart.
func (h Header) Counted() int { return int(h >> 2) }

// Len returns how many bytes header and message take.
func (h Header) Len() int {
	if h.IsApart() {
		return HeaderSize
	}
	return HeaderSize + h.Counted()
}

// AppendHeader appends what HeaderOf finds.
func AppendHeader(b []byte, h Header) []byte {
	return append(b, byte(h>>24), byte(h>>16), byte(h>>8), byte(h))
}

// AppendMessage appends a message that is to be sent, behind its header.
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
