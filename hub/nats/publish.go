package nats

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/isosocket/isosocket/hub"
)

// Publish implements [hub.Engine]. With history it returns when the stream has stored the
// message. Without, it has then been delivered to the members here and handed to NATS.
func (e *Engine) Publish(ctx context.Context, topic string, entry *hub.Entry, keep hub.Keep) (hub.Position, error) {
	switch {
	case e.closed.Load():
		return hub.Position{}, errClosed
	case e.js == nil && keep.Messages > 0:
		return hub.Position{}, ErrNoHistory
	case e.js == nil, keep.Messages == 0 && (entry.ID == "" || keep.IDs == 0):
		return e.publishUnstored(topic, entry)
	}
	return e.publishStored(ctx, topic, entry, keep)
}

// publishUnstored delivers entry here, and sends it to the other machines if there is a
// connection. If there is none, they do not get it, and do not notice that; this machine notices
// when the connection is back, and its members get a gap for what they have missed of the others.
func (e *Engine) publishUnstored(name string, entry *hub.Entry) (hub.Position, error) {
	key := token(name)
	if n := int64(len(entry.Message.Data) + len(entry.Key) + len(entry.ID) + len(entry.Except) + overhead); n > e.nc.MaxPayload() && e.nc.MaxPayload() > 0 {
		return hub.Position{}, failed("publish", natsio.ErrMaxPayload)
	}
	e.mu.RLock()
	t := e.topics[key]
	e.mu.RUnlock()
	if t != nil {
		// All machines get the messages of this one in the same order.
		t.mu.Lock()
		defer t.mu.Unlock()
	}
	entry.Position, entry.Prev, entry.Time = e.next(), hub.Position{}, e.options.now()
	p := packet{flags: flagUnstored, source: e.name, number: entry.Position.Offset(), entry: hub.Entry{
		Key: entry.Key, ID: entry.ID, Except: entry.Except, Message: entry.Message,
	}}
	err := e.nc.Publish(e.liveSubject(key), p.encode())
	if t != nil {
		t.unstored = true
		t.deliver(entry)
	}
	if err = e.linkErrorOf("publish", err); err != nil && !errors.Is(err, ErrDisconnected) {
		return hub.Position{}, err
	}
	return entry.Position, nil
}

// overhead is more than the bytes that a packet adds to the message and its fields.
const overhead = 256

// linkErrorOf is linkError, and nil for nil.
func (e *Engine) linkErrorOf(step string, err error) error {
	if err == nil {
		return nil
	}
	return e.linkError(step, err)
}

// publishStored has the stream store entry. It repeats what was certainly not stored, until ctx ends.
func (e *Engine) publishStored(ctx context.Context, topic string, entry *hub.Entry, keep hub.Keep) (hub.Position, error) {
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	key := token(topic)
	id := ""
	if entry.ID != "" && keep.IDs > 0 {
		id = key + "." + base64.RawURLEncoding.EncodeToString([]byte(entry.ID))
	}
	for {
		st := e.storage.Load()
		if err := st.keeps(keep); err != nil {
			return hub.Position{}, err
		}
		p := packet{source: st.epoch, entry: hub.Entry{Key: entry.Key, ID: entry.ID, Except: entry.Except, Message: entry.Message}}
		if keep.Messages == 0 {
			p.flags = flagNoChain
		}
		m := natsio.NewMsg(e.storedSubject(key))
		m.Data = p.encode()
		attempt, done := ctx, context.CancelFunc(func() {})
		if id != "" { // a repetition is not stored twice
			attempt, done = context.WithTimeout(ctx, e.options.Timeout/5)
		}
		ack, err := e.store(attempt, m, st.stream, nil, id)
		late := attempt.Err() != nil && ctx.Err() == nil
		done()
		if err == nil {
			if !ack.Duplicate {
				st.saw(ack.Sequence)
			}
			return st.at(ack.Sequence), nil
		}
		wait, again := notStored(err)
		if !again && !late || !e.nc.IsConnected() || !e.sleep(ctx, wait) {
			e.keeper.urgent.Store(true)
			e.wake()
			return hub.Position{}, e.linkError("publish", err)
		}
		if wait > time.Millisecond {
			e.keeper.urgent.Store(true)
			e.wake()
		}
	}
}

// notStored reports whether a message that NATS has refused should be sent again, and when.
func notStored(err error) (wait time.Duration, again bool) {
	const (
		wrongStream = 10060
		conflict    = 10158 // another attempt with the same ID is in progress
		unavailable = 10008
	)
	var api *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, natsio.ErrNoResponders):
		return 50 * time.Millisecond, true
	case !errors.As(err, &api):
		return 0, false
	case api.ErrorCode == conflict:
		return time.Millisecond, true
	}
	return 50 * time.Millisecond, api.ErrorCode == wrongStream || api.ErrorCode == unavailable
}

// keeps returns why the stream cannot keep what a topic's rules ask for.
func (s *storage) keeps(keep hub.Keep) error {
	switch {
	case s.messages > 0 && int64(keep.Messages) > s.messages:
		return &KeepError{"Rules.History", "Options.Messages", int64(keep.Messages), s.messages}
	case s.age > 0 && keep.Messages > 0 && keep.Age > s.age:
		return &KeepError{"Rules.Age", "Options.Age", int64(keep.Age), int64(s.age)}
	case keep.IDs > s.ids:
		return &KeepError{"Rules.IDs", "Options.IDs", int64(keep.IDs), int64(s.ids)}
	}
	return nil
}
