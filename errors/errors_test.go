package errors_test

import (
	"context"
	stderrors "errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/errors"
)

func TestCloseReasonPredicates(t *testing.T) {
	t.Parallel()
	in := func(r errors.CloseReason, set ...errors.CloseReason) bool {
		for _, s := range set {
			if r == s {
				return true
			}
		}
		return false
	}
	for i := 0; i <= 0xffff; i++ {
		r := errors.CloseReason(i)
		sendable := i >= 1000 && i <= 1003 || i >= 1007 && i <= 1014 || i >= 3000 && i <= 3900 || i >= 3915 && i <= 4999
		if r.Sendable() != sendable {
			t.Errorf("%d: Sendable = %v", i, r.Sendable())
		}
		if want := in(r, 1005, 1006, 1015); r.Reserved() != want {
			t.Errorf("%d: Reserved = %v", i, r.Reserved())
		}
		if want := in(r, 1001, 1006, 1011, 1012, 1013, 1014); r.Retryable() != want {
			t.Errorf("%d: Retryable = %v", i, r.Retryable())
		}
		if want := in(r, 1000, 1001, 1005); r.Normal() != want {
			t.Errorf("%d: Normal = %v", i, r.Normal())
		}
		if alias := r.BrowserAlias(); sendable && alias.FromBrowserAlias() != r {
			t.Errorf("%d: alias %d reads back as %d", i, alias, alias.FromBrowserAlias())
		}
		if sendable {
			if a := r.BrowserAlias(); a != 1000 && (a < 3000 || a > 4999) {
				t.Errorf("%d: a browser may not send its alias %d", i, a)
			}
		}
	}
	for _, i := range []errors.CloseReason{3904, 3905, 3906, 3900, 3915} {
		if i.FromBrowserAlias() != i {
			t.Errorf("%d is not an alias, but reads as %d", i, i.FromBrowserAlias())
		}
	}
}

func TestCloseReasonString(t *testing.T) {
	t.Parallel()
	for r, want := range map[errors.CloseReason]string{
		errors.NormalClosure: "1000 (normal closure)",
		errors.GoingAway:     "1001 (going away)",
		errors.TLSHandshake:  "1015 (TLS handshake failed)",
		3000:                 "3000 (registered application reason, 3000-3999)",
		4999:                 "4999 (private application reason, 4000-4999)",
		1004:                 "1004 (unassigned protocol reason, 1000-2999)",
		7:                    "7 (not a close reason)",
		5000:                 "5000 (not a close reason)",
	} {
		if got := r.String(); got != want {
			t.Errorf("String = %q, want %q", got, want)
		}
	}
	for r := errors.NormalClosure; r <= errors.TLSHandshake; r++ {
		if r != 1004 && strings.Contains(r.String(), "unassigned") {
			t.Errorf("%d has no name", r)
		}
	}
}

func TestEveryErrorMatchesErrWebSocket(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		errors.ErrWebSocket, errors.ErrInvalidCloseReason, errors.ErrInvalidURL, errors.ErrInvalidSubprotocol,
		errors.ErrInvalidUTF8, errors.ErrMessageTooBig, errors.ErrConcurrentReceive, errors.GoingAway,
		errors.ErrRedirected, errors.ErrForbidden, errors.ErrWouldBlock,
		&errors.ConnectionClosed{}, &errors.ConnectionError{},
	} {
		wrapped := fmt.Errorf("outer: %w", err)
		if !stderrors.Is(wrapped, errors.ErrWebSocket) {
			t.Errorf("%v does not match ErrWebSocket", err)
		}
		if !stderrors.Is(wrapped, err) {
			t.Errorf("%v is not in its own chain", err)
		}
	}
	if errors.Is(io.EOF, errors.ErrWebSocket) || errors.Is(errors.ErrInvalidURL, errors.ErrInvalidUTF8) {
		t.Error("Is matches an unrelated error")
	}
}

func TestConnectionClosed(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("chat: %w", &errors.ConnectionClosed{
		Reason: errors.GoingAway, Message: "restart", Remote: true, Err: io.ErrUnexpectedEOF,
	})
	if !errors.Is(err, errors.GoingAway) || errors.Is(err, errors.NormalClosure) {
		t.Error("Is does not match the CloseReason")
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is hidden")
	}
	closed, ok := errors.AsType[*errors.ConnectionClosed](err)
	if !ok || closed.Message != "restart" || !closed.Remote {
		t.Errorf("AsType = %+v, %v", closed, ok)
	}
	const want = "websocket: connection closed by the peer: 1001 (going away): restart: unexpected EOF"
	if closed.Error() != want {
		t.Errorf("Error = %q, want %q", closed.Error(), want)
	}
}

func TestConnectionError(t *testing.T) {
	t.Parallel()
	err := error(&errors.ConnectionError{StatusCode: 403, URL: "ws://host/", Err: context.DeadlineExceeded})
	if got, want := err.Error(), `websocket: cannot connect to "ws://host/": HTTP status 403: context deadline exceeded`; got != want {
		t.Errorf("Error = %q, want %q", got, want)
	}
	guessed := &errors.ConnectionError{StatusCode: 403, StatusGuessed: true}
	if got, want := guessed.Error(), "websocket: cannot connect: HTTP status 403 (of a plain GET; the handshake's is unknown)"; got != want {
		t.Errorf("Error = %q, want %q", got, want)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error("the cause is hidden")
	}
	if !err.(*errors.ConnectionError).Timeout() {
		t.Error("a deadline is not a timeout")
	}
	if (&errors.ConnectionError{StatusCode: 403}).Timeout() {
		t.Error("a 403 is a timeout")
	}
}
