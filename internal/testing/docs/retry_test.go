package docs_test

import (
	"context"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// retryDecision is a row of the table in docs/reconnect.md: an event, the errors that report it,
// and whether DefaultRetry tries again.
type retryDecision struct {
	event string
	again bool
	errs  []error
}

func retryDecisions() []retryDecision {
	status := func(codes ...int) (all []error) {
		for _, c := range codes {
			all = append(all, &errors.ConnectionError{StatusCode: c})
		}
		return all
	}
	failed := func(causes ...error) (all []error) {
		for _, cause := range causes {
			all = append(all, &errors.ConnectionError{Err: cause})
		}
		return all
	}
	closed := func(message string, reasons ...errors.CloseReason) (all []error) {
		for _, r := range reasons {
			for _, remote := range []bool{false, true} {
				all = append(all, &errors.ConnectionClosed{Reason: r, Message: message, Remote: remote})
			}
		}
		return all
	}
	return []retryDecision{
		{"closed with 1001, 1006, 1011, 1012, 1013, 1014", true, closed("", 1001, 1006, 1011, 1012, 1013, 1014)},
		{`1008 "Ping/Pong timeout", found by either side`, true, closed(ws.PingTimeoutMessage, 1008)},
		{"closed with 1000, 1002, 1003, 1005, 1007, any other 1008, 1009, 1010", false, closed("other", 1000, 1002, 1003, 1005, 1007, 1008, 1009, 1010)},
		{"an application's own reason, 3000-4999", false, closed("", 3000, 3999, 4000, 4999)},
		{"an attempt without an HTTP status: no network, no server, a handshake that took too long", true, append(status(0), failed(context.DeadlineExceeded)...)},
		{"status 408, 425, 429, 5xx", true, status(408, 425, 429, 500, 502, 503, 504, 599)},
		{"status 401, 403, 404, any other 4xx, a redirect", false,
			append(status(400, 401, 403, 404, 426, 499, 301, 302, 303, 307, 308), failed(errors.ErrRedirected)...)},
		{"a status that is a guess (`StatusGuessed`, only in a browser)", true, []error{
			&errors.ConnectionError{StatusCode: 401, StatusGuessed: true}, &errors.ConnectionError{StatusCode: 426, StatusGuessed: true}}},
		{"the browser forbids it: mixed content, Content-Security-Policy, a blocked port", false, failed(errors.ErrForbidden)},
		{"the server chooses none of the offered subprotocols, or another one (`ErrSubprotocolMismatch`)", false, failed(errors.ErrSubprotocolMismatch)},
		{"the answer is not a WebSocket handshake: no HTTP/1.1, no TLS to a wss URL, a wrong 101 (`ErrBadHandshake`, natively)", false, failed(errors.ErrBadHandshake)},
		{"a URL, subprotocol or option that cannot be used", false, failed(errors.ErrInvalidURL, errors.ErrInvalidSubprotocol, errors.ErrUnsupported)},
	}
}

func TestDefaultRetryDecides(t *testing.T) {
	t.Parallel()
	for _, d := range retryDecisions() {
		for _, err := range d.errs {
			if isosocket.DefaultRetry(err) != d.again {
				t.Errorf("%s: DefaultRetry of %v is %v", d.event, err, !d.again)
			}
		}
	}
}
