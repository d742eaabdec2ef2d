//go:build !js

package handshake

// interrupted reports that the context ended the handshake.
type interrupted struct{ err, cause, below error }

func (e *interrupted) Error() string {
	s := "the handshake was interrupted: " + e.err.Error()
	if e.cause != nil && e.cause != e.err {
		s += ": " + e.cause.Error()
	}
	return s
}

func (e *interrupted) Unwrap() []error {
	errs := []error{e.err}
	for _, err := range []error{e.cause, e.below} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}
