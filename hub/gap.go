package hub

import (
	"strconv"

	"github.com/isosocket/isosocket/errors"
)

// Gap is an error that is not an end: messages of a topic were lost for good, and the next
// ones follow. A gap is reported once, in its place in the order.
type Gap struct {
	// Topic is the topic's name.
	Topic string
	// After is the position of the last message before the gap.
	After Position
	// Until is the position of the last message that is lost. It is the zero Position if
	// the engine does not know it.
	Until Position
	// Err is the reason for the loss. It is nil if the topic no longer keeps the messages.
	Err error
}

// Error names the topic and both positions.
func (g *Gap) Error() string {
	s := "hub: topic " + strconv.Quote(g.Topic) + ": messages after position " + strconv.Quote(g.After.String())
	if !g.Until.IsZero() {
		s += " until " + strconv.Quote(g.Until.String())
	}
	s += " are lost"
	if g.Err != nil {
		s += ": " + g.Err.Error()
	}
	return s
}

// Unwrap returns Err.
func (g *Gap) Unwrap() error { return g.Err }

// Is reports whether target is [errors.ErrWebSocket].
func (g *Gap) Is(target error) bool { return target == errors.ErrWebSocket }
