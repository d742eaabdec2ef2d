package isosocket

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// DefaultRetry is the default of ReconnectOptions.Retry. It decides, from the error
// that ended a connection or an attempt, whether another attempt makes sense.
//
//   - A connection that ended: yes, if its reason is one of
//     [errors.CloseReason.Retryable], or either side closed because the other
//     answered no pings ([ws.PingTimeoutMessage]). An application's own reasons,
//     3000-4999, are not retried: only the application knows their meaning.
//   - An attempt that failed: yes, if there was no HTTP status, or it is 408, 425,
//     429 or 5xx. A status that is only a guess
//     ([errors.ConnectionError.StatusGuessed]) counts as none.
//   - A redirect, and a connection that the browser forbids: no.
//   - A server whose certificate is not trusted, that chose no offered subprotocol
//     ([errors.ErrSubprotocolMismatch]) or does no WebSocket handshake
//     ([errors.ErrBadHandshake]): no. A browser hides all three; there they count
//     as an attempt without a status.
//   - An invalid URL, subprotocol or option: no.
//   - Any other error: no.
//
// A Retry function can call it for all errors that it does not decide itself:
//
//	Retry: func(err error) bool {
//		return errors.Is(err, roomFull) || isosocket.DefaultRetry(err)
//	},
//
// It may be called from many goroutines at the same time.
func DefaultRetry(err error) bool {
	for _, hopeless := range [...]error{
		errors.ErrInvalidURL, errors.ErrInvalidSubprotocol, errors.ErrUnsupported, errors.ErrRedirected, errors.ErrForbidden, errors.ErrWouldBlock,
		errors.ErrSubprotocolMismatch, errors.ErrBadHandshake,
	} {
		if errors.Is(err, hopeless) {
			return false
		}
	}
	if isUntrusted(err) {
		return false
	}
	if closed, ok := errors.AsType[*errors.ConnectionClosed](err); ok {
		return closed.Reason.Retryable() || closed.Reason == errors.PolicyViolation && closed.Message == ws.PingTimeoutMessage
	}
	if failed, ok := errors.AsType[*errors.ConnectionError](err); ok {
		return failed.StatusGuessed || retryableStatus(failed.StatusCode)
	}
	return false
}

// restartDelay bounds the wait after the first planned restart. It spreads the clients
// of a server that closes all connections at once.
const restartDelay = time.Second

// restarting reports whether the server announced with err that it restarts.
func restarting(err error) bool {
	closed, ok := errors.AsType[*errors.ConnectionClosed](err)
	return ok && closed.Remote && (closed.Reason == errors.GoingAway || closed.Reason == errors.ServiceRestart)
}

func retryableStatus(code int) bool {
	switch code {
	case 0, 408, 425, 429:
		return true
	}
	return code >= 500 && code <= 599
}

// maxRetryAfter limits the time that a server can ask for: a mistake there must not
// stop a client forever.
const maxRetryAfter = time.Hour

// retryAfter returns how long the server asked clients to wait, 0 if it did not, from
// the Retry-After field of a refusal (RFC 9110, section 10.2.3). The field of a
// guessed status does not count: it answered another request.
func retryAfter(err error) time.Duration {
	failed, ok := errors.AsType[*errors.ConnectionError](err)
	if !ok || failed.StatusGuessed {
		return 0
	}
	var wait time.Duration
	for _, value := range failed.Header["Retry-After"] {
		if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
			wait = time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
		} else if at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", value); err == nil {
			wait = time.Until(at)
		}
	}
	return min(max(wait, 0), maxRetryAfter)
}

// backoff decides how long to wait before an attempt: exponential, with full
// jitter. A random time from 0 up to the bound best spreads clients that lost their
// server at the same moment. A bound that doubles limits their load on a server that
// is down for long.
type backoff struct {
	base, limit time.Duration
	random      func() float64 // from [0, 1)
}

// wait returns the time to wait after the given number of waits in a row.
func (b *backoff) wait(waits int) time.Duration {
	bound := b.base
	for ; waits > 0 && bound < b.limit; waits-- {
		bound *= 2
	}
	random := b.random
	if random == nil {
		random = rand.Float64
	}
	return time.Duration(random() * float64(min(bound, b.limit)))
}
