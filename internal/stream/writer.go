package stream

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/driver"
)

const (
	// deferAtMost bounds the output that is deferred to the next write.
	deferAtMost = 64 << 10
	// inPlace is the smallest payload that is written without a copy. To copy a smaller one
	// costs less than a system call with two pieces.
	inPlace = 16 << 10
	// writeRounds is how often one sender writes output that others have appended
	// meanwhile, before a flusher takes over.
	writeRounds = 4
	// burstGap is the largest gap between two Sends of the same burst.
	burstGap = uint32(20 * time.Microsecond)
	// flushChunk is how many bytes a flusher writes to a socket between two reports of progress.
	flushChunk = 64 << 10
	// blindChunk is the same for a stream that has no other way to report how much of a
	// write its peer has taken. Progress of a peer that reads 10 KB/s is then seen within
	// 2 seconds. TLS splits longer writes into records of this size.
	blindChunk = 16 << 10
	// atOnce is the largest output that the sender itself writes to TLS, if the system
	// certainly takes it. Starting a goroutine for a small message costs a third of the
	// processor time of its echo.
	atOnce = 4 << 10
	// maxControl is how many bytes of control frames may wait before more are dropped.
	maxControl = 1 << 10
	// maxControlFrame is the largest control frame: 2 bytes, a masking key and 125 bytes.
	maxControlFrame = 2 + 4 + 125
)

// outlet receives the bytes of a writer. It is the writer's only access to the connection.
type outlet interface {
	// usable reports whether tryWrite may be called.
	usable() bool
	// tryWrite writes as many bytes as the system takes without blocking.
	tryWrite(header, payload []byte) (n int, err error)
	// Write blocks.
	Write(p []byte) (n int, err error)
	// takesAtOnce reports whether it is certain that a Write of at most atOnce bytes would
	// not block.
	takesAtOnce() bool
	// unsent returns how many written bytes the system still holds because it could not
	// send them, as far as that is known.
	unsent() int
	// moreToAnswer reports whether some buffered input is not parsed.
	moreToAnswer() bool
	hasEnded() bool
	// broke is called once, when a write has failed.
	broke(err error)
}

// writer is the sending half of a connection. doc.go has the order of the locks.
type writer struct {
	outlet     outlet
	mu         sync.Mutex
	encoder    rfc6455.Encoder
	out        *outputBuffer // frames that no goroutine has begun to write; nil if none
	inFlight   int           // bytes of the write that is under way
	highWater  uint32        // bytes; 0 while a message is sent in fragments, so that others wait
	released   atomic.Bool   // the stream is closed; set by the Transport
	traffic    *Traffic      // the counts and the flushers; nil if there are neither
	lastSend   uint32        // on clock, in ns, of the last Send that followed another; modulo 1<<32
	handed     uint32        // the last result of unsent, plus the bytes since; at most highWater
	broken     error         // why no more can be written
	onDeferred func()        // flushDeferred; made once, so that starting it does not allocate
	progress   chan struct{} // created by a waiting goroutine, closed when bytes have left
	deferred   atomic.Bool   // out waits to be part of a later write
	followed   atomic.Bool   // a message was sent since the reader last had to wait
	writing    bool          // a goroutine writes, and continues until out is nil
	flushing   bool          // a goroutine was started that will write the deferred output
	closeSent  bool          // nothing may follow a close frame
	lost       bool          // some output was lost
	role       rfc6455.Role  // of the Transport; here it fits without padding
	warmth     warmth        // how soon compressed messages follow each other
	gone       uint16        // how often bytes have left
}

func (w *writer) init(t *Transport, o Options, config ws.Config) {
	w.encoder.Init(o.Role, o.Deflate, o.DeflatePolicy)
	w.highWater = uint32(min(uint64(config.SendBuffer), math.MaxUint32))
	w.outlet = (*connOutlet)(t)
	w.role = o.Role
	w.traffic = o.Traffic
	if o.Limits.Idle > 0 && w.traffic == nil {
		w.traffic = new(Traffic) // for its count of sent messages
	}
	if o.Flushers != nil {
		if w.traffic == nil {
			w.traffic = new(Traffic)
		}
		w.traffic.flushers = o.Flushers
	}
}

// Send implements driver.Transport.
func (w *writer) Send(ctx context.Context, m driver.Message) error {
	if ok, err := w.admit(ctx, len(m.Data)); !ok {
		return err
	}
	n := len(m.Data)
	compress := !m.NoCompression && w.encoder.Compresses(n)
	if n >= inPlace && w.role == rfc6455.Server && !compress && w.writesAlone() {
		header := takeOutput()
		header.b = rfc6455.AppendHeader(header.b, true, false, rfc6455.Opcode(m.Kind), n, nil)
		w.writing, w.inFlight = true, len(header.b)+n
		w.mu.Unlock()
		w.writeInPlace(header.b, m.Data)
		giveOutput(header)
		return nil
	}
	out := w.output()
	var err error
	if m.NoCompression {
		out.b, err = w.encoder.AppendUncompressed(out.b, rfc6455.Opcode(m.Kind), m.Data)
	} else {
		out.b, err = w.encoder.AppendMessage(out.b, rfc6455.Opcode(m.Kind), m.Data)
	}
	if err != nil {
		w.mu.Unlock()
		return err
	}
	if compress && w.encoder.Holds() {
		w.compressed()
	}
	todo := w.planWrite(true)
	w.mu.Unlock()
	w.carryOut(todo)
	return nil
}

// TrySend implements driver.TrySender.
func (w *writer) TrySend(m driver.Message) error { return w.Send(noWait, m) }

// TrySendPrepared implements driver.TryPreparedSender.
func (w *writer) TrySendPrepared(p *driver.Prepared) error { return w.SendPrepared(noWait, p) }

// noWait is the context of a send that returns ErrWouldBlock where it would wait.
var noWait context.Context = immediate{}

type immediate struct{ context.Context }

// SendPrepared implements driver.PreparedSender. It always defers the frame to
// another goroutine. The writes of a broadcast then use all processors, and
// broadcasts that follow each other closely need only one write for each
// connection.
func (w *writer) SendPrepared(ctx context.Context, p *driver.Prepared) error {
	if w.role == rfc6455.Client {
		return w.Send(ctx, p.Message())
	}
	if ok, err := w.admit(ctx, len(p.Message().Data)); !ok {
		return err
	}
	var form rfc6455.Form
	if m := p.Message(); !m.NoCompression {
		form, _ = w.encoder.Form(len(m.Data))
	}
	frame := driver.Form(p, form, func(m driver.Message) []byte {
		return form.Append(nil, rfc6455.Opcode(m.Kind), m.Data)
	})
	if form.Compressed() {
		w.encoder.ResetContext()
	}
	out := w.output()
	out.b = append(out.b, frame...)
	var flushers *Flushers
	if w.traffic != nil {
		flushers = w.traffic.flushers
	}
	todo := w.planDeferred(flushers)
	w.mu.Unlock()
	w.carryOut(todo)
	return nil
}

// admit waits for space and reports whether a message of n bytes may be queued now. If so,
// it counts the message, and returns with mu held.
func (w *writer) admit(ctx context.Context, n int) (ok bool, err error) {
	w.mu.Lock()
	for w.full() && w.broken == nil && !w.closeSent {
		if ctx == noWait {
			w.mu.Unlock()
			return false, errors.ErrWouldBlock
		}
		if err := w.awaitProgress(ctx); err != nil {
			w.mu.Unlock()
			return false, err
		}
	}
	if !w.closeSent && w.broken == nil {
		if ctx == noWait && w.crowded() {
			w.mu.Unlock()
			return false, errors.ErrWouldBlock
		}
		if f := w.traffic; f != nil {
			f.sent++
			f.sentData += uint64(n)
		}
		return true, nil
	}
	// After a failed write, the reader has yet to find why the connection ended.
	// Messages sent until then are lost without an error.
	ended := w.closeSent || w.outlet.hasEnded()
	w.lost = true
	w.mu.Unlock()
	if ended {
		return false, errEnded
	}
	return false, nil
}

// full reports whether the output has reached the high-water mark. It first begins to
// write output that is only deferred. Called with mu held, which it releases meanwhile.
func (w *writer) full() bool {
	if w.queued() >= int(w.highWater) && w.out != nil && !w.writing {
		w.writeOut()
	}
	return w.queued() >= int(w.highWater)
}

// crowded reports whether the output queued here and the bytes that the system could not
// send have reached the high-water mark together. It queries the system only if enough was
// written since the last query to make that possible. Called with mu held.
//
// A Send that blocks waits only for the output of this process: the system reports when it
// has taken bytes, but not when it has sent them. Limiting how much it takes
// (TCP_NOTSENT_LOWAT) costs a continuous stream a third of its throughput.
func (w *writer) crowded() bool {
	if w.queued()+int(w.handed) < int(w.highWater) {
		return false
	}
	w.handed = uint32(min(w.outlet.unsent(), int(w.highWater)))
	return w.queued()+int(w.handed) >= int(w.highWater)
}

// sendPong answers a ping (RFC 6455, section 5.5.3).
func (w *writer) sendPong(payload []byte) {
	w.sendControl(rfc6455.OpPong, payload)
}

// sendControl sends a ping or a pong, ahead of the messages that no goroutine has begun to
// write, and after the control frames queued before it (RFC 6455, section 5.4, allows that
// even between the fragments of a message). The high-water mark does not apply, so a
// full buffer delays neither a sign of life nor the request for one. Instead, while
// maxControl bytes of control frames wait, a ping is dropped and a pong replaces the last
// queued pong: section 5.5.3 lets a pong answer only the most recent ping, but not an
// earlier one. It reports whether the frame was queued.
func (w *writer) sendControl(op rfc6455.Opcode, payload []byte) (queued bool) {
	w.mu.Lock()
	if w.out != nil && w.out.control >= maxControl && !w.writing {
		w.writeOut()
	}
	full := w.out != nil && w.out.control >= maxControl
	if w.closeSent || w.broken != nil || full && op != rfc6455.OpPong {
		w.mu.Unlock()
		return false
	}
	out := w.output()
	if full && out.pongEnd > 0 {
		out.b = slices.Delete(out.b, out.pong, out.pongEnd)
		out.control -= out.pongEnd - out.pong
	}
	end := len(out.b)
	out.b = w.encoder.AppendControl(out.b, op, payload)
	size := len(out.b) - end
	if out.control < end {
		var frame [maxControlFrame]byte
		copy(frame[:size], out.b[end:])
		copy(out.b[out.control+size:], out.b[out.control:end])
		copy(out.b[out.control:], frame[:size])
	}
	if op == rfc6455.OpPong {
		out.pong, out.pongEnd = out.control, out.control+size
	}
	out.control += size
	todo := w.planWrite(true)
	w.mu.Unlock()
	w.carryOut(todo)
	return true
}

// awaitControl waits until there is space for another control frame, and reports whether
// sendControl may queue one.
func (w *writer) awaitControl(ctx context.Context) (ok bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.closeSent && w.broken == nil {
		if w.out == nil || w.out.control < maxControl {
			return true, nil
		}
		if err := w.awaitProgress(ctx); err != nil {
			return false, err
		}
	}
	return false, nil
}

// sendClose queues a close frame after all other output, once.
func (w *writer) sendClose(reason errors.CloseReason, message string) {
	w.mu.Lock()
	if w.closeSent || w.broken != nil {
		w.closeSent = true
		w.mu.Unlock()
		return
	}
	w.closeSent = true
	out := w.output()
	out.b = w.encoder.AppendClose(out.b, uint16(reason), message)
	w.tellProgress()
	todo := w.planWrite(false)
	w.mu.Unlock()
	w.carryOut(todo)
}

// output returns the buffer to which frames are appended. Called with mu held.
func (w *writer) output() *outputBuffer {
	if w.out == nil {
		w.out = takeOutput()
	}
	return w.out
}

// queued returns how many bytes have not left. Called with mu held.
func (w *writer) queued() int {
	n := w.inFlight
	if w.out != nil {
		n += len(w.out.b)
	}
	return n
}

// todo is the result of planWrite, which carryOut carries out without mu.
type todo struct {
	step     step
	out      *outputBuffer // to be written now
	flushers *Flushers
}

type step uint8

const (
	stepNone     step = iota // nothing to do, or another goroutine does it
	stepWrite                // write without blocking
	stepFlush                // write if that cannot block, otherwise start a flusher
	stepDeferred             // start a goroutine that writes the deferred output
	stepQueue                // let flushers write the deferred output
)

// planWrite decides how the output is written: now, or if mayDefer and more output is likely
// to follow, together with that output. Called with mu held.
func (w *writer) planWrite(mayDefer bool) todo {
	switch {
	case w.writing || w.out == nil:
		return todo{}
	case mayDefer && len(w.out.b) < deferAtMost && w.mayDefer():
		return w.planDeferred(nil)
	case w.outlet.usable():
		w.writing = true
		return todo{step: stepWrite, out: w.takeOut()}
	}
	w.writing = true
	return todo{step: stepFlush, out: w.takeOut()}
}

// planDeferred defers the output to the next write. In case none comes soon, flushers write
// it, or if flushers is nil, a goroutine of its own. Called with mu held.
func (w *writer) planDeferred(flushers *Flushers) todo {
	start := !w.writing && !w.flushing
	if !w.writing {
		w.flushing = true
		w.deferred.Store(true)
	}
	if flushers == nil && w.onDeferred == nil {
		w.onDeferred = w.flushDeferred
	}
	switch {
	case !start:
		return todo{}
	case flushers == nil:
		return todo{step: stepDeferred}
	}
	return todo{step: stepQueue, flushers: flushers}
}

// carryOut carries out the result of planWrite. Called without mu.
func (w *writer) carryOut(t todo) {
	switch t.step {
	case stepWrite:
		w.writeNow(t.out)
	case stepFlush:
		w.writeOrFlush(t.out)
	case stepDeferred:
		go w.onDeferred()
	case stepQueue:
		t.flushers.add(w)
	}
}

// writeOut begins to write the output. Called with mu held, which it releases meanwhile.
func (w *writer) writeOut() {
	todo := w.planWrite(false)
	w.mu.Unlock()
	w.carryOut(todo)
	w.mu.Lock()
}

// mayDefer reports whether more output is likely to follow: the reader has
// input left to answer, or this Send is one of many. Called with mu held.
func (w *writer) mayDefer() bool { return w.outlet.moreToAnswer() || w.inBurst() }

// inBurst reports whether this Send came right after another. It reads the clock
// only if the reader did not have to wait in between, so that answers
// to single messages do not pay for it. Called with mu held.
func (w *writer) inBurst() bool {
	if !w.followed.Load() {
		w.followed.Store(true)
		return false
	}
	if w.flushing {
		return true
	}
	now := uint32(clock()) // a gap of about a multiple of 4.29 s may look short
	gap := now - w.lastSend
	w.lastSend = now
	return gap < burstGap
}

// writeDeferred writes the deferred output, before the reader has to wait.
func (w *writer) writeDeferred() {
	if w.followed.Load() {
		w.followed.Store(false)
	}
	if w.deferred.Load() {
		w.writeNext(false)
	}
}

// flushDeferred writes the deferred output unless another goroutine has done so: the reader
// may not return for a long time.
func (w *writer) flushDeferred() {
	w.writeNext(true)
}

// writeNext writes the output unless another goroutine does. flusher reports that the caller
// is the goroutine that was started for this.
func (w *writer) writeNext(flusher bool) {
	w.mu.Lock()
	if flusher {
		w.flushing = false
	}
	todo := w.planWrite(false)
	w.mu.Unlock()
	w.carryOut(todo)
}

// writeNow writes out, and then more output until there is none, as far as the system
// takes it without blocking. A flusher writes the rest. The caller has set writing.
func (w *writer) writeNow(out *outputBuffer) {
	for round := 1; out != nil; round++ {
		if round > writeRounds {
			go w.flush(out, 0)
			return
		}
		n, err := w.outlet.tryWrite(nil, out.b)
		switch {
		case err != nil:
			w.writeFailed(n, err)
			return
		case n < len(out.b):
			w.wrote(n)
			go w.flush(out, n)
			return
		}
		giveOutput(out)
		out = w.nextOut(n)
	}
}

// writeOrFlush writes out, and then more output until there is none, as far as it is known
// that the system takes it without blocking. A flusher writes the rest. The caller has set
// writing.
func (w *writer) writeOrFlush(out *outputBuffer) {
	for out != nil {
		if len(out.b) > atOnce || !w.outlet.takesAtOnce() {
			go w.flush(out, 0)
			return
		}
		n, err := w.outlet.Write(out.b)
		if err != nil {
			w.writeFailed(n, err)
			return
		}
		giveOutput(out)
		out = w.nextOut(n)
	}
}

// writesAlone reports whether a frame would be written at once and by itself.
// Called with mu held.
func (w *writer) writesAlone() bool {
	return w.outlet.usable() && w.out == nil && !w.writing && !w.mayDefer()
}

// writeInPlace writes a frame without a copy of its payload. If the system does not take
// all, a flusher writes a copy of the rest. The caller has checked writesAlone, and has
// set writing and inFlight.
func (w *writer) writeInPlace(header, payload []byte) {
	n, err := w.outlet.tryWrite(header, payload)
	switch {
	case err != nil:
		w.writeFailed(n, err)
	case n < len(header)+len(payload):
		w.wrote(n)
		rest := takeOutput()
		rest.b = append(rest.b, header[min(n, len(header)):]...)
		rest.b = append(rest.b, payload[max(n-len(header), 0):]...)
		go w.flush(rest, 0)
	default:
		w.writeNow(w.nextOut(n))
	}
}

// flush writes out.b[n:], and then more output until there is none. It blocks. Its caller
// has set writing, which flush resets.
func (w *writer) flush(out *outputBuffer, n int) {
	chunk := flushChunk
	if !w.outlet.usable() {
		chunk = blindChunk
	}
	for out != nil {
		wrote := 0
		if n < len(out.b) {
			var err error
			if wrote, err = w.outlet.Write(out.b[n:min(n+chunk, len(out.b))]); err != nil {
				w.writeFailed(wrote, err)
				return
			}
		}
		if n += wrote; n < len(out.b) {
			w.wrote(wrote)
		} else {
			giveOutput(out)
			out, n = w.nextOut(wrote), 0
		}
	}
}

// wrote records that n bytes of the current write have left.
func (w *writer) wrote(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytesLeft(n)
}

// nextOut records that the last n bytes of a write have left, and returns the output to
// write next. If it returns nil, it has reset writing.
func (w *writer) nextOut(n int) *outputBuffer {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytesLeft(n)
	out := w.takeOut()
	if out == nil {
		w.writing = false
		w.tellProgress()
	}
	return out
}

// takeOut removes and returns the output to write, nil if there is none. Called with mu held.
func (w *writer) takeOut() *outputBuffer {
	out := w.out
	if out != nil {
		w.out, w.inFlight = nil, len(out.b)
		w.deferred.Store(false)
	}
	return out
}

// writeFailed ends the writing after n more bytes. The unread input may contain the peer's
// reason, so the reader reports the end. broke starts a reader if there is none, and limits
// its time.
func (w *writer) writeFailed(n int, err error) {
	w.mu.Lock()
	w.bytesLeft(n)
	first := w.broken == nil
	w.drop(err)
	w.writing = false
	w.mu.Unlock()
	if first {
		w.outlet.broke(err)
	}
}

// dropOutput drops the output, and ends every wait for it.
func (w *writer) dropOutput(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(err)
}

// drop is dropOutput with mu held.
func (w *writer) drop(err error) {
	if w.broken == nil {
		w.broken = err
		w.encoder.Release()
	}
	if w.queued() > 0 {
		w.lost = true
	}
	w.inFlight = 0
	if w.out != nil {
		giveOutput(w.out)
		w.out = nil
	}
	w.tellProgress()
}

// awaitProgress waits until bytes have left, or until no more will leave.
// Called with mu held, which it releases meanwhile.
func (w *writer) awaitProgress(ctx context.Context) error {
	if w.out != nil && !w.writing {
		w.writeOut()
		return nil
	}
	if w.progress == nil {
		w.progress = make(chan struct{})
	}
	progress := w.progress
	w.mu.Unlock()
	defer w.mu.Lock()
	select {
	case <-progress:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bytesLeft records that n bytes of the current write have left.
// Called with mu held.
func (w *writer) bytesLeft(n int) {
	w.inFlight -= n
	if n > 0 {
		w.handed = uint32(min(int(w.handed)+n, int(w.highWater)))
		w.gone++
		if f := w.traffic; f != nil {
			f.departed += uint64(n)
		}
		w.tellProgress()
	}
}

// departed returns how often bytes have left, modulo 1<<16, and whether some wait.
func (w *writer) departed() (gone uint16, queued bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gone, w.queued() > 0
}

// tellProgress wakes the goroutines that wait for progress. Called with mu held.
func (w *writer) tellProgress() {
	if w.progress != nil {
		close(w.progress)
		w.progress = nil
	}
}

// Flush implements driver.Transport.
func (w *writer) Flush(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for (w.out != nil || w.writing) && w.broken == nil {
		if err := w.awaitProgress(ctx); err != nil {
			return err
		}
	}
	if w.lost {
		return errEnded
	}
	return nil
}

// written reports whether there is no output to write, or no more can be written.
func (w *writer) written() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out == nil && !w.writing || w.broken != nil
}

// awaitWritten waits until written reports true. release ends the wait.
func (w *writer) awaitWritten() { w.Flush(context.Background()) }

// Buffered implements driver.Transport.
func (w *writer) Buffered() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queued() + w.outlet.unsent()
}
