package wstest

import (
	"context"
	"fmt"
	"hash/crc32"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// Describe formats an error of the library as the cases write it: "nil", `CC(1000, "done",
// local)` for a ConnectionClosed, "ConnectionError{403}", or the name of a sentinel or of a
// context's error. Every error must match errors.ErrWebSocket, and a ConnectionClosed its
// reason; otherwise the description says so.
func Describe(err error) string {
	if err == nil {
		return "nil"
	}
	s := describe(err)
	if !errors.Is(err, errors.ErrWebSocket) {
		s += ", which is not ErrWebSocket"
	}
	return s
}

func describe(err error) string {
	if closed, ok := errors.AsType[*errors.ConnectionClosed](err); ok {
		s := fmt.Sprintf("CC(%d, %q, %s)", uint16(closed.Reason), closed.Message, side(closed))
		if !errors.Is(err, closed.Reason) {
			s += ", which is not its reason"
		}
		return s
	}
	cause := causeOf(err)
	if failed, ok := errors.AsType[*errors.ConnectionError](err); ok {
		s := fmt.Sprintf("ConnectionError{%d}", failed.StatusCode)
		if cause != "" {
			s += " that is " + cause
		}
		return s
	}
	if cause != "" {
		return cause
	}
	return fmt.Sprintf("another error: %v", err)
}

func causeOf(err error) string {
	for _, known := range []struct {
		target error
		name   string
	}{
		{context.Canceled, "context.Canceled"},
		{context.DeadlineExceeded, "context.DeadlineExceeded"},
		{errors.ErrInvalidCloseReason, "ErrInvalidCloseReason"},
		{errors.ErrInvalidURL, "ErrInvalidURL"},
		{errors.ErrInvalidSubprotocol, "ErrInvalidSubprotocol"},
		{errors.ErrInvalidUTF8, "ErrInvalidUTF8"},
		{errors.ErrMessageTooBig, "ErrMessageTooBig"},
		{errors.ErrConcurrentReceive, "ErrConcurrentReceive"},
		{errors.ErrWouldBlock, "ErrWouldBlock"},
		{errors.ErrUnsupported, "ErrUnsupported"},
		{errors.ErrMessageAbandoned, "ErrMessageAbandoned"}, // after its reasons
	} {
		if errors.Is(err, known.target) {
			return known.name
		}
	}
	return ""
}

func side(closed *errors.ConnectionClosed) string {
	if closed.Remote {
		return "remote"
	}
	return "local"
}

// describeReason is Describe without the message of a ConnectionClosed, for messages that the
// suite does not specify.
func describeReason(err error) string {
	closed, ok := errors.AsType[*errors.ConnectionClosed](err)
	if !ok {
		return Describe(err)
	}
	return fmt.Sprintf("CC(%d, …, %s)", uint16(closed.Reason), side(closed))
}

// DescribeMessage returns a short text as it is; for any other message the kind,
// the size and a checksum.
func DescribeMessage(m ws.Message) string {
	if m.Kind == ws.KindText && len(m.Data) <= 64 {
		return fmt.Sprintf("text %q", m.Data)
	}
	return fmt.Sprintf("%s, %d B, crc32 %08x", m.Kind, len(m.Data), crc32.ChecksumIEEE(m.Data))
}

// Pattern returns n bytes of ASCII that do not repeat: the payload of large messages.
func Pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(n) + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = ' ' + byte(x>>24)%95
	}
	return b
}
