package stream

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

const (
	// leaveAtMost bounds the output that is left for the next write.
	leaveAtMost = 64 << 10
	// inPlace is the least payload that is written from where it lies; the copy
	// of a smaller one costs less than a system call with two pieces does.
	inPlace = 16 << 10
	// writeRounds is how often one sender writes what others have appended
	// meanwhile, before a flusher relieves it.
	writeRounds = 4
	// burstGap is how soon after another a Send belongs to the same burst.
	burstGap = 20 * time.Microsecond
	// flushChunk is what a flusher writes between two reports of progress.
	flushChunk = 64 << 10
)

// writer is the sending half of a Transport.
type writer struct {
	mu        sync.Mutex
	encoder   rfc6455.Encoder
	out       *outputBuffer // frames that nobody has begun to write; nil: none
	inFlight  int           // bytes of the write that is under way
	highWater int
	lastSend  time.Duration // since start, of those that followed another
	broken    error         // why nothing can be written any more
	onLeft    func()        // flushLeft; made once, so that starting it allocates nothing
	flushers  *Flushers     // for broadcasts; nil: none
	progress  chan struct{} // made by whoever waits, closed when bytes have left
	left      atomic.Bool   // out was left for a later write
	followed  atomic.Bool   // something was sent since the reader last had to wait
	writing   bool          // somebody writes, and goes on until out is nil
	flushing  bool          // a goroutine was started that will write what was left
	closeSent bool          // nothing may follow a close frame
	lost      bool          // something that was sent did not go out
	moved     bool          // bytes have left since tookNothing last looked
	role      rfc6455.Role  // the Transport's; here it takes no room of its own
}

func (w *writer) init(t *Transport, o Options, config ws.Config) {
	w.encoder.Init(o.Role, o.Deflate, o.DeflatePolicy)
	w.highWater = config.SendBuffer
	w.flushers = o.Flushers
	w.role = o.Role
}

// Send implements ws.Transport.
func (t *Transport) Send(ctx context.Context, m ws.Message) error {
	if ok, err := t.admit(ctx); !ok {
		return err
	}
	if n := len(m.Data); n >= inPlace && t.role == rfc6455.Server && !t.encoder.Compresses(n) && t.writesAlone() {
		header := takeOutput()
		header.b = rfc6455.AppendHeader(header.b, true, false, rfc6455.Opcode(m.Kind), n, nil)
		t.writeInPlace(header.b, m.Data)
		giveOutput(header)
		return nil
	}
	out := t.output()
	b, err := t.encoder.AppendMessage(out.b, rfc6455.Opcode(m.Kind), m.Data)
	out.b = b
	if err != nil {
		t.mu.Unlock()
		return err
	}
	t.dispatch(true)
	return nil
}

// SendPrepared implements ws.PreparedSender. It always leaves the frame to
// another goroutine: the writes of a broadcast then take all processors, and
// those of broadcasts that follow each other closely become one for each
// connection.
func (t *Transport) SendPrepared(ctx context.Context, p *ws.Prepared) error {
	if t.role == rfc6455.Client {
		return t.Send(ctx, p.Message())
	}
	if ok, err := t.admit(ctx); !ok {
		return err
	}
	form, _ := t.encoder.Form(len(p.Message().Data))
	frame := ws.PreparedForm(p, form, func(m ws.Message) []byte {
		return form.Append(nil, rfc6455.Opcode(m.Kind), m.Data)
	})
	if form.Compressed() {
		t.encoder.ResetContext()
	}
	out := t.output()
	out.b = append(out.b, frame...)
	t.leave(t.flushers)
	return nil
}

// admit waits for room and reports whether something may be queued now. If so
// it returns with mu held.
func (t *Transport) admit(ctx context.Context) (ok bool, err error) {
	t.mu.Lock()
	for t.queued() >= t.highWater && t.broken == nil && !t.closeSent {
		if err := t.awaitProgress(ctx); err != nil {
			t.mu.Unlock()
			return false, err
		}
	}
	if !t.closeSent && t.broken == nil {
		return true, nil
	}
	// After a failed write the reader is still to tell why the connection
	// ended; until then what is sent is lost on the way.
	ended := t.closeSent || t.ending.Cause() != nil
	t.lost = true
	t.mu.Unlock()
	if ended {
		return false, errEnded
	}
	return false, nil
}

// sendPong answers a ping (RFC 6455, section 5.5.3), unless the peer takes so
// little that it would not come by in time.
func (t *Transport) sendPong(payload []byte) {
	t.sendControl(rfc6455.OpPong, payload)
}

func (t *Transport) sendControl(op rfc6455.Opcode, payload []byte) {
	t.mu.Lock()
	if t.closeSent || t.broken != nil || t.queued() >= t.highWater {
		t.mu.Unlock()
		return
	}
	out := t.output()
	out.b = t.encoder.AppendControl(out.b, op, payload)
	t.dispatch(true)
}

// sendClose queues a close frame behind everything, once.
func (t *Transport) sendClose(reason errors.CloseReason, message string) {
	t.mu.Lock()
	if t.closeSent || t.broken != nil {
		t.closeSent = true
		t.mu.Unlock()
		return
	}
	t.closeSent = true
	out := t.output()
	out.b = t.encoder.AppendClose(out.b, uint16(reason), message)
	t.tellProgress()
	t.dispatch(false)
}

// output returns where to append frames. Called with mu held.
func (t *Transport) output() *outputBuffer {
	if t.out == nil {
		t.out = takeOutput()
	}
	return t.out
}

// queued returns how many bytes have not left. Called with mu held.
func (t *Transport) queued() int {
	n := t.inFlight
	if t.out != nil {
		n += len(t.out.b)
	}
	return n
}

// dispatch sees to it that the output is written: now, or if mayLeave and more
// is likely to follow, along with that. Called with mu held, which it releases.
func (t *Transport) dispatch(mayLeave bool) {
	switch {
	case t.writing || t.out == nil:
		t.mu.Unlock()
	case mayLeave && len(t.out.b) < leaveAtMost && t.mayLeave():
		t.leave(nil)
	case t.socket.usable():
		t.writing = true
		t.writeNow()
	default:
		t.writing = true
		t.mu.Unlock()
		go t.flush(nil, 0)
	}
}

// leave leaves the output to the next write, and in case none comes soon to
// flushers, or if nil to a goroutine of its own. Called with mu held, which it
// releases.
func (t *Transport) leave(flushers *Flushers) {
	start := !t.writing && !t.flushing
	if !t.writing {
		t.flushing = true
		t.left.Store(true)
	}
	if flushers == nil && t.onLeft == nil {
		t.onLeft = t.flushLeft
	}
	t.mu.Unlock()
	switch {
	case !start:
	case flushers == nil:
		go t.onLeft()
	default:
		flushers.add(t)
	}
}

// mayLeave reports whether more output is likely to follow: the reader has
// input left to answer, or this Send is one of many. Called with mu held.
func (t *Transport) mayLeave() bool { return t.unread.Load() || t.inBurst() }

// inBurst reports whether this Send came right behind another. The clock is
// only asked where the reader did not have to wait in between, so that answers
// to single messages do not pay for it. Called with mu held.
func (t *Transport) inBurst() bool {
	if !t.followed.Load() {
		t.followed.Store(true)
		return false
	}
	if t.flushing {
		return true
	}
	now := time.Since(t.start)
	gap := now - t.lastSend
	t.lastSend = now
	return gap < burstGap
}

// writeLeft writes what was left, before the reader has to wait.
func (t *Transport) writeLeft() {
	if t.followed.Load() {
		t.followed.Store(false)
	}
	if t.left.Load() {
		t.mu.Lock()
		t.dispatch(false)
	}
}

// flushLeft writes what was left if nobody has done so meanwhile: the reader
// may not come back for long.
func (t *Transport) flushLeft() {
	t.mu.Lock()
	t.flushing = false
	t.dispatch(false)
}

// writeNow writes the output as far as the system takes it without blocking,
// and leaves the rest to a flusher. Called with mu held and writing set; it
// releases mu.
func (t *Transport) writeNow() {
	for round := 1; ; round++ {
		out := t.takeOut()
		if out == nil {
			break
		}
		t.mu.Unlock()
		n, err := t.socket.write(nil, out.b)
		t.mu.Lock()
		t.bytesLeft(n)
		if err != nil {
			t.writeFailed(err)
			return
		}
		if n < len(out.b) || round == writeRounds && t.out != nil {
			t.mu.Unlock()
			go t.flush(out, n)
			return
		}
		giveOutput(out)
	}
	t.writing = false
	t.tellProgress()
	t.mu.Unlock()
}

// writesAlone reports whether a frame would be written at once and by itself.
// Called with mu held.
func (t *Transport) writesAlone() bool {
	return t.socket.usable() && t.out == nil && !t.writing && !t.mayLeave()
}

// writeInPlace writes a frame without a copy of its payload, and leaves a copy
// of what the system does not take to a flusher. Called with mu held and
// writesAlone; it releases mu.
func (t *Transport) writeInPlace(header, payload []byte) {
	size := len(header) + len(payload)
	t.writing, t.inFlight = true, size
	t.mu.Unlock()
	n, err := t.socket.write(header, payload)
	t.mu.Lock()
	t.bytesLeft(n)
	switch {
	case err != nil:
		t.writeFailed(err)
	case n < size:
		rest := takeOutput()
		rest.b = append(rest.b, header[min(n, len(header)):]...)
		rest.b = append(rest.b, payload[max(n-len(header), 0):]...)
		t.mu.Unlock()
		go t.flush(rest, 0)
	default:
		t.writeNow()
	}
}

// flush writes out.b[n:], and then the output until there is none, blocking. It
// has taken writing over.
func (t *Transport) flush(out *outputBuffer, n int) {
	for {
		for out != nil && n < len(out.b) {
			wrote, err := t.rwc.Write(out.b[n:min(n+flushChunk, len(out.b))])
			n += wrote
			t.mu.Lock()
			t.bytesLeft(wrote)
			if err != nil {
				t.writeFailed(err)
				return
			}
			t.mu.Unlock()
		}
		if out != nil {
			giveOutput(out)
		}
		t.mu.Lock()
		out, n = t.takeOut(), 0
		if out == nil {
			t.writing = false
			t.tellProgress()
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
	}
}

// takeOut takes the output away to be written, nil if there is none. Called
// with mu held.
func (t *Transport) takeOut() *outputBuffer {
	out := t.out
	if out != nil {
		t.out, t.inFlight = nil, len(out.b)
		t.left.Store(false)
	}
	return out
}

// writeFailed ends the writing. The peer may have said why in what was not
// read yet, so the end is the reader's to tell; it is lent one, and a while.
// Called with mu held, which it releases.
func (t *Transport) writeFailed(err error) {
	first := t.broken == nil
	t.drop(err)
	t.writing = false
	t.mu.Unlock()
	if first {
		t.expectEnd(err)
	}
}

// dropOutput makes every write, and every wait for one, end.
func (t *Transport) dropOutput(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(err)
}

// drop is dropOutput with mu held.
func (t *Transport) drop(err error) {
	if t.broken == nil {
		t.broken = err
		t.encoder.Release()
	}
	if t.queued() > 0 {
		t.lost = true
	}
	t.inFlight = 0
	if t.out != nil {
		giveOutput(t.out)
		t.out = nil
	}
	t.tellProgress()
}

// awaitProgress waits until bytes have left, or nothing will leave any more.
// Called with mu held, which it gives up meanwhile.
func (t *Transport) awaitProgress(ctx context.Context) error {
	if t.out != nil && !t.writing {
		t.dispatch(false)
		t.mu.Lock()
		return nil
	}
	if t.progress == nil {
		t.progress = make(chan struct{})
	}
	progress := t.progress
	t.mu.Unlock()
	defer t.mu.Lock()
	select {
	case <-progress:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bytesLeft takes note that n bytes of the write that is under way have left.
// Called with mu held.
func (t *Transport) bytesLeft(n int) {
	t.inFlight -= n
	if n > 0 {
		t.moved = true
		t.tellProgress()
	}
}

// tookNothing reports whether something waits to be written, of which the peer
// has taken nothing since the last call.
func (t *Transport) tookNothing() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	moved := t.moved
	t.moved = false
	return !moved && t.queued() > 0
}

// tellProgress wakes whoever waits for progress. Called with mu held.
func (t *Transport) tellProgress() {
	if t.progress != nil {
		close(t.progress)
		t.progress = nil
	}
}

// Flush implements ws.Transport.
func (t *Transport) Flush(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for (t.out != nil || t.writing) && t.broken == nil {
		if err := t.awaitProgress(ctx); err != nil {
			return err
		}
	}
	if t.lost {
		return errEnded
	}
	return nil
}

// written reports whether nothing is left to write, or can be.
func (t *Transport) written() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out == nil && !t.writing || t.broken != nil
}

// awaitWritten waits for written; release ends the wait.
func (t *Transport) awaitWritten() { t.Flush(context.Background()) }

// Buffered implements ws.Transport.
func (t *Transport) Buffered() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.queued()
}
