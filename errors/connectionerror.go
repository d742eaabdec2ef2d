package errors

import "strconv"

// ConnectionError says why a connection could not be opened.
type ConnectionError struct {
	// StatusCode is the HTTP status with which the server refused the
	// handshake, 0 if there was no answer, or none that this target may read.
	StatusCode int
	// StatusGuessed reports that StatusCode is not the handshake's own. A browser
	// hides why a handshake failed; Dial then asks once more with a plain GET. A
	// server of this library answers that as it would answer the handshake, and
	// says so. The answer of any other server is a guess: a healthy WebSocket
	// server often refuses a plain GET, with 400, 404 or 426. A guess is for
	// people to read and has no effect on whether a client tries again. Always false
	// on native targets.
	StatusGuessed bool
	// URL is the address that was dialed, without its secrets: user and password, and
	// the query, are replaced by xxxxx. "" if the address is not a valid URL. Dial sets
	// a URL in ASCII, percent-encoded. Error does not escape it further.
	URL string
	// Header holds the header of the refusal, with canonical names. In a browser
	// it holds at most Retry-After, if the page may read that field.
	Header map[string][]string
	// Body holds the first KiB of the refusal's body. Native targets only.
	Body []byte
	// Err is the cause: a network error, an end of the context, [ErrInvalidURL]
	// and so on.
	Err error
}

// Error returns the URL, the status if there was one, and the cause.
func (e *ConnectionError) Error() string {
	s := "websocket: cannot connect"
	if e.URL != "" {
		s += " to \"" + e.URL + "\"" // strconv.Quote would make a browser client larger
	}
	if e.StatusCode != 0 {
		s += ": HTTP status " + strconv.Itoa(e.StatusCode)
		if e.StatusGuessed {
			s += " (of a plain GET; the handshake's is unknown)"
		}
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *ConnectionError) Unwrap() error { return e.Err }

// Is reports whether target is [ErrWebSocket], which every ConnectionError matches.
func (e *ConnectionError) Is(target error) bool { return target == ErrWebSocket }

// Timeout reports whether the cause was a timeout, as [net.Error] does.
//
// [net.Error]: https://pkg.go.dev/net#Error
func (e *ConnectionError) Timeout() bool {
	t, ok := AsType[interface {
		error
		Timeout() bool
	}](e.Err)
	return ok && t.Timeout()
}
