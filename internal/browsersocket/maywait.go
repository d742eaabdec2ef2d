//go:build js

package browsersocket

import (
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/jscall"
	"github.com/isosocket/isosocket/ws/driver"
)

var _ driver.WaitChecker = (*socket)(nil)

// MayWait returns nil unless the calling goroutine is in a JavaScript callback.
// There a wait for anything that the browser does would never end, and the page
// would hang.
func MayWait(call, instead string) error {
	if jscall.InCallback() {
		return &callbackError{call, instead}
	}
	return nil
}

// MayWait calls the function of the same name.
func (*socket) MayWait(call, instead string) error { return MayWait(call, instead) }

// callbackError reports a wait inside a JavaScript callback.
type callbackError struct{ call, instead string }

func (e *callbackError) Error() string {
	return errors.ErrWouldBlock.Error() + ": " + e.call + " cannot wait inside a JavaScript callback, during which nothing arrives; " + e.instead
}

func (e *callbackError) Unwrap() error { return errors.ErrWouldBlock }
