package nats

import (
	"strconv"
	"time"

	"github.com/isosocket/isosocket/errors"
)

// Errors of an Engine. They, and all others of this package, are [errors.ErrWebSocket], too.
var (
	// ErrDisconnected: there is no connection to NATS at present. The message was not published.
	ErrDisconnected error = sentinel("hub/nats: not connected to NATS")
	// ErrNoHistory: a message was published under a topic with history, and
	// Options.NoHistory is set.
	ErrNoHistory error = sentinel("hub/nats: the topic keeps history, and Options.NoHistory is set; allowed is Rules.History below 0")
)

type sentinel string

func (s sentinel) Error() string { return string(s) }

func (s sentinel) Is(target error) bool { return target == errors.ErrWebSocket }

// optionError names an invalid option and the reason.
type optionError struct{ field, why string }

func (e *optionError) Error() string { return "hub/nats: invalid option: " + e.field + " " + e.why }

func (e *optionError) Is(target error) bool { return target == errors.ErrWebSocket }

// KeepError is the error of a message whose topic has rules that the stream cannot fulfil. The
// message was not published.
type KeepError struct {
	// Rule is the rule, such as "Rules.History", and Option the option of the stream, such as
	// "Options.Messages".
	Rule, Option string
	// Wanted is what the rule asks for, and Most what the stream has, in messages or
	// nanoseconds.
	Wanted, Most int64
}

// Error names the rule and the option.
func (e *KeepError) Error() string {
	text := func(n int64) string {
		if e.Rule == "Rules.History" {
			return strconv.FormatInt(n, 10)
		}
		return time.Duration(n).String()
	}
	return "hub/nats: " + e.Rule + " is " + text(e.Wanted) + ", and the stream keeps " + text(e.Most) + ": see " + e.Option
}

// Is reports whether target is [errors.ErrWebSocket].
func (e *KeepError) Is(target error) bool { return target == errors.ErrWebSocket }

// failure is an error of NATS with the step that failed.
type failure struct {
	step string
	err  error
}

func (e *failure) Error() string { return "hub/nats: " + e.step + ": " + e.err.Error() }

func (e *failure) Unwrap() error { return e.err }

func (e *failure) Is(target error) bool { return target == errors.ErrWebSocket }

// failed returns err with the step that failed, nil for nil.
func failed(step string, err error) error {
	if err == nil {
		return nil
	}
	return &failure{step, err}
}

// streamError says what of an existing stream prevents its use.
type streamError struct{ name, why string }

func (e *streamError) Error() string {
	return "hub/nats: the stream " + strconv.Quote(e.name) + " cannot be used: " + e.why
}

func (e *streamError) Is(target error) bool { return target == errors.ErrWebSocket }
