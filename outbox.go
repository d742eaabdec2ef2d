package isosocket

import (
	"strconv"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// The defaults of Outbox.
const (
	// DefaultOutboxMessages is 1024.
	DefaultOutboxMessages = 1024
	// DefaultOutboxBytes is 1 MiB.
	DefaultOutboxBytes = 1 << 20
)

// Outbox makes a [Client] queue messages while there is no connection, within
// limits. The zero value selects the defaults.
type Outbox struct {
	// MaxMessages is the most messages that may be queued. 0 means 1024.
	MaxMessages int
	// MaxBytes is the most bytes of data that the queued messages may have together.
	// 0 means 1 MiB.
	MaxBytes int
	// Overflow is the policy for a message that does not fit.
	Overflow Overflow
}

// Overflow is the policy of an [Outbox] for a message that does not fit.
type Overflow uint8

// The policies for a full outbox.
const (
	// RefuseNewest makes Send return [errors.ErrOutboxFull].
	RefuseNewest Overflow = iota
	// DropOldest drops the oldest messages until the new one fits, and reports each
	// to OnLost. A message that alone has more than MaxBytes is refused.
	DropOldest
)

// String returns the policy in lower case words.
func (o Overflow) String() string {
	switch o {
	case RefuseNewest:
		return "refuse newest"
	case DropOldest:
		return "drop oldest"
	}
	return "invalid overflow policy " + strconv.Itoa(int(o))
}

// withDefaults returns o with its zero fields filled in, or an error that names
// a field that cannot be used.
func (o Outbox) withDefaults() (Outbox, error) {
	for _, n := range []struct {
		field string
		value *int
		zero  int
	}{
		{"MaxMessages", &o.MaxMessages, DefaultOutboxMessages},
		{"MaxBytes", &o.MaxBytes, DefaultOutboxBytes},
	} {
		switch {
		case *n.value < 0:
			return o, &optionError{"Outbox." + n.field, "is negative: " + strconv.Itoa(*n.value)}
		case *n.value == 0:
			*n.value = n.zero
		}
	}
	if o.Overflow > DropOldest {
		return o, &optionError{"Outbox.Overflow", "is neither RefuseNewest nor DropOldest: " + strconv.Itoa(int(o.Overflow))}
	}
	return o, nil
}

// queue holds messages in their order and counts their bytes.
type queue struct {
	messages []ws.Message
	bytes    int
}

func (q *queue) push(m ws.Message) {
	q.messages = append(q.messages, m)
	q.bytes += len(m.Data)
}

func (q *queue) pop() ws.Message {
	m := q.messages[0]
	q.messages[0] = ws.Message{}
	q.messages = q.messages[1:]
	q.bytes -= len(m.Data)
	return m
}

// pushFront undoes a pop.
func (q *queue) pushFront(m ws.Message) {
	q.messages = append([]ws.Message{m}, q.messages...)
	q.bytes += len(m.Data)
}

// clear empties q and returns its messages.
func (q *queue) clear() []ws.Message {
	all := q.messages
	q.messages, q.bytes = nil, 0
	return all
}

// add queues m by the policy of o, and returns the messages that were dropped for it.
func (q *queue) add(o *Outbox, m ws.Message) (dropped []ws.Message, err error) {
	fits := func() bool { return len(q.messages) < o.MaxMessages && q.bytes+len(m.Data) <= o.MaxBytes }
	if !fits() && (o.Overflow == RefuseNewest || len(m.Data) > o.MaxBytes) {
		return nil, &fullError{"no room for " + strconv.Itoa(len(m.Data)) + " bytes beside " + q.fullness(o)}
	}
	for !fits() {
		dropped = append(dropped, q.pop())
	}
	q.push(m)
	return dropped, nil
}

func (q *queue) fullness(o *Outbox) string {
	return strconv.Itoa(len(q.messages)) + " of " + strconv.Itoa(o.MaxMessages) + " messages, " +
		strconv.Itoa(q.bytes) + " of " + strconv.Itoa(o.MaxBytes) + " bytes"
}

// lossError says why a message did not arrive, or may not have.
type lossError struct {
	what  error // errors.ErrNotSent or errors.ErrUnconfirmed
	cause error
}

func (e *lossError) Error() string { return e.what.Error() + ": " + e.cause.Error() }

func (e *lossError) Unwrap() []error { return []error{e.what, e.cause} }

type fullError struct{ text string }

func (e *fullError) Error() string { return errors.ErrOutboxFull.Error() + ": " + e.text }

func (e *fullError) Unwrap() error { return errors.ErrOutboxFull }
