package hub

import (
	"strconv"

	"github.com/isosocket/isosocket/errors"
)

// Errors of a Hub. They, and all other errors of this package, are
// [errors.ErrWebSocket], too.
var (
	// ErrClosed: the Hub or the engine was closed.
	ErrClosed error = sentinel("hub: closed")
	// ErrMember: the connection has joined this topic already.
	ErrMember error = sentinel("hub: the connection is already a member of the topic")
	// ErrLeft: the membership has ended.
	ErrLeft error = sentinel("hub: the membership has ended")
	// ErrInvalidTopic: a topic's name is empty, or not UTF-8.
	ErrInvalidTopic error = sentinel("hub: invalid topic name: it must be UTF-8 and not empty")
)

type sentinel string

func (s sentinel) Error() string { return string(s) }

func (s sentinel) Is(target error) bool { return target == errors.ErrWebSocket }

// LimitError is the error of a call that would exceed a limit. The call had no effect.
type LimitError struct {
	// Name is the field that sets the limit, such as "Limits.Topics".
	Name string
	// Limit is its value.
	Limit int
	// Value is the value that would have been reached.
	Value int
}

// Error names the limit and both values.
func (e *LimitError) Error() string {
	return "hub: limit exceeded: " + e.Name + " allows " + strconv.Itoa(e.Limit) + ", and this would be " + strconv.Itoa(e.Value)
}

// Is reports whether target is [errors.ErrWebSocket].
func (e *LimitError) Is(target error) bool { return target == errors.ErrWebSocket }

// optionError names an invalid option and the reason.
type optionError struct{ field, why string }

func (e *optionError) Error() string { return "hub: invalid option: " + e.field + " " + e.why }

func (e *optionError) Is(target error) bool { return target == errors.ErrWebSocket }

func negative[N ~int | ~int64](field string, n N) error {
	return &optionError{field, "is negative: " + strconv.FormatInt(int64(n), 10)}
}

// topicError is an error of one topic.
type topicError struct {
	topic string
	err   error
}

func (e *topicError) Error() string {
	return "hub: topic " + strconv.Quote(e.topic) + ": " + e.err.Error()
}

func (e *topicError) Unwrap() error { return e.err }

func (e *topicError) Is(target error) bool { return target == errors.ErrWebSocket }
