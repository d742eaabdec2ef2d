package conversation

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
)

// Conversation is the output of a peer: messages of every form of length, fragments with a ping
// between them, and a close frame with 4000 and "bye".
type Conversation struct {
	Wire     []byte
	Frames   []int    // where each frame ends
	messages []string // in order
	ends     []int    // where each message ends
	between  []bool   // whether the position before each byte, or the end, is between two messages
}

// New returns the conversation of a peer of that role. It has compressed messages if deflate is not nil.
func New(peer rfc6455.Role, deflate *rfc6455.DeflateParams) *Conversation {
	c := &Conversation{}
	masked := peer == rfc6455.Client
	open := false
	add := func(b []byte) {
		for range b {
			c.between = append(c.between, !open && (len(c.between) == len(c.Wire)))
		}
		c.Wire = append(c.Wire, b...)
		c.Frames = append(c.Frames, len(c.Wire))
	}
	done := func(message string) {
		c.messages = append(c.messages, message)
		c.ends = append(c.ends, len(c.Wire))
	}
	var e rfc6455.Encoder
	e.Init(peer, deflate, rfc6455.DeflatePolicy{Threshold: 1})
	message := func(text string) {
		b, err := e.AppendMessage(nil, rfc6455.OpText, []byte(text))
		if err != nil {
			panic(err)
		}
		add(b)
		done(text)
	}
	if deflate != nil { // the example of RFC 7692, section 7.2.3.1, in fragments
		add(frame(0x41, masked, []byte("\xf2\x48\xcd")))
		open = true
		add(frame(0x80, masked, []byte("\xc9\xc9\x07\x00")))
		open = false
		done("Hello")
	}
	message("one")
	message("")
	add(frame(0x89, masked, []byte("ping")))
	add(frame(0x01, masked, []byte("caf\xc3")))
	open = true
	add(frame(0x89, masked, []byte("between")))
	add(frame(0x00, masked, []byte("\xa9 au")))
	add(frame(0x80, masked, []byte(" lait")))
	open = false
	done("caf\u00e9 au lait")
	message(strings.Repeat("sixteen bits of length, ", 8))
	message("one")
	add(frame(0x88, masked, []byte("\x0f\xa0bye")))
	c.between = append(c.between, true)
	e.Release()
	return c
}

// Until returns the messages that are complete in the first n bytes.
func (c *Conversation) Until(n int) []string {
	whole := 0
	for whole < len(c.ends) && c.ends[whole] <= n {
		whole++
	}
	return c.messages[:whole]
}

// frame returns a frame of at most 125 bytes, with the masking key 0 if it is masked.
func frame(first byte, masked bool, payload []byte) []byte {
	b := []byte{first, byte(len(payload))}
	if masked {
		b[1] |= 0x80
		b = append(b, 0, 0, 0, 0)
	}
	return append(b, payload...)
}

// WrongEnd returns the error in the end of a conversation that was cut after n bytes, or "" if there
// is none. got are the messages that were received, closed is the end after them. cut is how it was
// cut: nil for silence, which a PingTimeout ends, io.EOF, or another error.
func (c *Conversation) WrongEnd(n int, got []string, closed *errors.ConnectionClosed, cut error) string {
	want := c.Until(n)
	if !slices.Equal(got, want) {
		return fmt.Sprintf("received %.200q, want %.200q", got, want)
	}
	if closed == nil {
		return "no ConnectionClosed"
	}
	reason, message, remote := errors.AbnormalClosure, "", false
	var cause error
	switch {
	case n == len(c.Wire):
		reason, message, remote = 4000, "bye", true
	case cut == nil:
		reason, message, cause = errors.PolicyViolation, "Ping/Pong timeout", nil
	case cut == io.EOF && !c.between[n]:
		cause = io.ErrUnexpectedEOF
	default:
		cause = cut
	}
	if closed.Reason != reason || closed.Message != message || closed.Remote != remote || cause != nil && !errors.Is(closed.Err, cause) {
		return fmt.Sprintf("ended with %+v, want %d %q remote=%v with %v", *closed, reason, message, remote, cause)
	}
	if cause == io.EOF && errors.Is(closed.Err, io.ErrUnexpectedEOF) {
		return fmt.Sprintf("ended with %v, want io.EOF", closed.Err)
	}
	return ""
}
