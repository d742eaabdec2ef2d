package stream

import (
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
)

// Limit is a limit of one connection that its peer can reach.
type Limit uint8

const (
	// LimitMessageSize is Config.MaxMessageSize.
	LimitMessageSize Limit = iota
	// LimitFragments is Options.MaxFragments.
	LimitFragments
	// LimitMessageRate is Limits.Messages.
	LimitMessageRate
	// LimitByteRate is Limits.Bytes.
	LimitByteRate
	// LimitIdle is Limits.Idle.
	LimitIdle
)

// LimitObserver may be implemented by Options.EndsWith.
type LimitObserver interface {
	// LimitStruck is called when the peer has reached a limit, before the connection ends
	// or pauses for it. It must not wait, nor call the transport.
	LimitStruck(Limit)
}

// struck reports a limit that was reached to the observer.
func (t *Transport) struck(limit Limit) {
	if o, ok := t.endsWith.(LimitObserver); ok {
		o.LimitStruck(limit)
	}
}

// brokeRule reports an error of the codec to the observer if it is a reached limit.
func (t *Transport) brokeRule(failed *rfc6455.Error) {
	switch errors.CloseReason(failed.Code) {
	case errors.MessageTooBig:
		t.struck(LimitMessageSize)
	case errors.PolicyViolation:
		t.struck(LimitFragments)
	}
}
