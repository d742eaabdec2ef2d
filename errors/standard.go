package errors

import stderrors "errors"

// ErrUnsupported is the standard library's [errors.ErrUnsupported]. Dial wraps
// it, with the field's name, when a target cannot honour an option.
var ErrUnsupported = stderrors.ErrUnsupported

// New is [errors.New] of the standard library.
func New(text string) error { return stderrors.New(text) }

// Is is [errors.Is] of the standard library.
func Is(err, target error) bool { return stderrors.Is(err, target) }

// As is [errors.As] of the standard library.
func As(err error, target any) bool { return stderrors.As(err, target) }

// AsType is [errors.AsType] of the standard library.
func AsType[E error](err error) (E, bool) { return stderrors.AsType[E](err) }

// Join is [errors.Join] of the standard library.
func Join(errs ...error) error { return stderrors.Join(errs...) }

// Unwrap is [errors.Unwrap] of the standard library.
func Unwrap(err error) error { return stderrors.Unwrap(err) }
