package stream

import (
	"context"
	"io"
	"runtime"
	"slices"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws/driver"
)

// aheadStep is the size of one read when a message is read ahead of its reader, or dropped.
const aheadStep = 16 << 10

// messageReader reads one message in parts. The turn to read guards its fields.
type messageReader struct {
	t       *Transport
	kind    driver.Kind
	held    []byte // read, but not returned yet
	size    int    // bytes read
	done    bool   // all of the message was read
	dropped bool   // the rest is discarded
}

// NextReader implements driver.StreamReceiver. If reads cannot be interrupted, the
// background reader delivers the message as a whole.
func (t *Transport) NextReader(ctx context.Context) (driver.MessageReader, error) {
	if !t.interruptible() {
		m, err := t.receivePushed(ctx, nil)
		if err != nil {
			return nil, err
		}
		return driver.ReaderOf(m), nil
	}
	for {
		t.takeTurn()
		r, err := t.nextReader(ctx)
		t.reading.Unlock()
		if err == errGiveWay {
			runtime.Gosched()
			continue
		}
		t.noticeAbsence()
		if err != nil {
			return nil, explainNothing(ctx, err)
		}
		return r, nil
	}
}

// explainNothing replaces errNothingYet by the error of ctx if ctx had ended before the
// call.
func explainNothing(ctx context.Context, err error) error {
	if err == errNothingYet && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// nextReader is like receive, for a message in parts. Called with the turn.
func (t *Transport) nextReader(ctx context.Context) (driver.MessageReader, error) {
	if t.lent {
		if m, ok, _ := t.inbox.Pull(); ok {
			return driver.ReaderOf(m), nil
		}
		t.lent = false
	}
	if t.over {
		return nil, errEnded
	}
	wait := ctx.Err() == nil
	if t.decoder.InParts() {
		if err := t.dropOpen(ctx, wait); err != nil {
			return nil, err
		}
	}
	t.reads++
	ev := rfc6455.EventBegin
	if !t.decoder.Begun() {
		t.decoder.SetBuffer(nil)
		t.decoder.Announce(true)
		var err error
		ev, err = t.nextMessage(ctx, wait)
		t.decoder.Announce(false)
		t.forget(ctx, wait)
		if err != nil {
			return nil, t.noMessage(ctx, err)
		}
	}
	if ev == rfc6455.EventMessage {
		op, data := t.decoder.Message()
		if err := t.countWhole(len(data)); err != nil {
			return nil, err
		}
		return driver.ReaderOf(driver.Message{Kind: driver.Kind(op), Data: data}), nil
	}
	r := &messageReader{t: t}
	op, data := t.decoder.TakeParts(r)
	r.kind, r.held, r.size = driver.Kind(op), data, len(data)
	return r, nil
}

// Kind implements driver.MessageReader.
func (r *messageReader) Kind() driver.Kind { return r.kind }

// Read implements driver.MessageReader.
func (r *messageReader) Read(ctx context.Context, p []byte) (int, error) {
	t := r.t
	for {
		t.takeTurn()
		n, err := r.read(ctx, p, ctx.Err() == nil)
		t.reading.Unlock()
		if err == errGiveWay {
			runtime.Gosched()
			continue
		}
		t.noticeAbsence()
		return n, explainNothing(ctx, err)
	}
}

// read returns held bytes, or reads more. Called with the turn.
func (r *messageReader) read(ctx context.Context, p []byte, wait bool) (int, error) {
	if len(r.held) > 0 {
		n := copy(p, r.held)
		if r.held = r.held[n:]; len(r.held) == 0 {
			r.held = nil
		}
		return n, nil
	}
	switch {
	case r.done:
		return 0, io.EOF
	case r.t.over:
		return 0, errEnded
	}
	n, err := r.readOn(ctx, p, wait)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// readOn reads the next part into p. It returns 0 at the end of the message. Called with the
// turn.
func (r *messageReader) readOn(ctx context.Context, p []byte, wait bool) (int, error) {
	t := r.t
	t.reads++
	ev, err := t.decoder.Part(p)
	if err == nil && ev == rfc6455.EventNone {
		ev, err = t.nextMessage(ctx, wait)
		t.forget(ctx, wait)
	}
	n := t.decoder.Filled()
	t.decoder.DropRoom()
	compressed := t.decoder.Compressed()
	if err != nil {
		_, broken := errors.AsType[*rfc6455.Error](err)
		if err = t.noMessage(ctx, err); n == 0 || broken {
			return 0, err
		}
		// The next Read returns the error, if it still applies.
		r.size += n
		return n, nil
	}
	r.size += n
	t.intake.busy()
	if compressed {
		if err := t.countBytes(n); err != nil {
			return 0, t.exceed(err)
		}
	}
	if ev == rfc6455.EventMessage {
		t.decoder.Message()
		r.done = true
		if err := t.countInParts(r.size); err != nil {
			return 0, err
		}
	}
	t.setUnread(t.more())
	return n, nil
}

// open returns the reader of the message that is being decoded in parts. Called with the turn.
func (t *Transport) open() *messageReader {
	r, _ := t.decoder.Taker().(*messageReader)
	return r
}

// readAhead reads more of a message while no Read is active. It reports true once the
// message is complete or dropped, and false if no more of it may be held. Called with the
// turn.
func (t *Transport) readAhead(wait bool) (bool, error) {
	r := t.open()
	for !r.done {
		if r.dropped {
			return true, t.dropOpen(context.Background(), wait)
		}
		space := min(int(t.receiveBuffer)-t.inbox.Bytes()-len(r.held), aheadStep)
		if space <= 0 {
			t.setUnread(true)
			return false, nil
		}
		r.held = slices.Grow(r.held, space)
		end := len(r.held)
		n, err := r.readOn(context.Background(), r.held[end:end+space], wait)
		r.held = r.held[:end+n]
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// dropOpen reads the rest of a message that was not read to its end. Called with the turn.
func (t *Transport) dropOpen(ctx context.Context, wait bool) error {
	r := t.open()
	r.dropped, r.held = true, nil
	scratch := make([]byte, aheadStep)
	for !r.done {
		if _, err := r.readOn(ctx, scratch, wait); err != nil {
			return err
		}
	}
	return nil
}
