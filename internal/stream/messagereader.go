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

// aheadStep is how much is read at a time of a message that waits to be read on, and of one
// that is dropped.
const aheadStep = 16 << 10

// messageReader reads one message in parts. Its fields belong to the holder of the turn to
// read.
type messageReader struct {
	t       *Transport
	kind    driver.Kind
	held    []byte // read, and not taken yet
	size    int    // of what was read
	done    bool   // all of the message was read
	dropped bool   // the rest of it is not wanted
}

// NextReader implements driver.StreamReceiver. Where reads cannot be interrupted, the
// message comes whole, from the background reader.
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

// explainNothing returns the error of ctx for errNothingYet, which comes where ctx ended
// before the look.
func explainNothing(ctx context.Context, err error) error {
	if err == errNothingYet && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// nextReader is receive for a message in parts. Called with the turn.
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

// read returns what is held, or reads on. Called with the turn.
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

// readOn reads the next part into p; none is the end of the message. Called with the turn.
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
		// Returned by the next Read, if it still holds.
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
	t.setUnread(!t.parsed())
	return n, nil
}

// open returns the reader of the message that the decoder takes in parts. Called with the
// turn.
func (t *Transport) open() *messageReader {
	r, _ := t.decoder.Taker().(*messageReader)
	return r
}

// readAhead reads on a message that nothing reads at the moment. It reports true once the
// message is whole or dropped, and false where no more of it is to be held. Called with the
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
