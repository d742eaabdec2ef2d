//go:build js

package browsersocket

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/jscall"
	"github.com/isosocket/isosocket/internal/relay"
	"github.com/isosocket/isosocket/ws/driver"
)

const (
	// frameOverhead is at least the size of a frame header (RFC 6455).
	frameOverhead = 14
	// maxDirect is how many messages are handed over one by one before those
	// that follow at once are gathered.
	maxDirect = 4
	// maxGathered is the largest message that is gathered with others.
	maxGathered = 4 << 10
	// maxScratch is the largest scratch array that is kept between sends.
	maxScratch = 1 << 20
	minScratch = 2 * relay.OutboundRoom
	// The bounds of how often bufferedAmount is asked while a send waits.
	pollMin = time.Millisecond
	pollMax = 32 * time.Millisecond
)

// errClosing is the error of a send between the start of a close and the close event.
var errClosing = errors.New("the WebSocket is closing")

// outbound is the sending side. It passes a message to the browser at once, unless it
// has just passed several: then it gathers the message with those that follow, and
// sends them in one batch as soon as the sending goroutine waits for anything.
type outbound struct {
	relay *relay.Relay

	mu       sync.Mutex
	queued   int    // at least the browser's bufferedAmount plus the gathered bytes
	direct   int    // messages passed one by one in this turn
	gathered []byte // messages that go in one batch
	lost     bool   // a message was accepted that will not be sent
	given    uint64 // total bytes of all messages queued so far
	backlog  backlog
	array    scratch
}

// queue takes m if less than limit bytes are queued. Otherwise it returns how many
// bytes have to leave first.
func (b *outbound) queue(m driver.Message, limit int) (excess int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if excess, err := b.excess(limit); excess > 0 || err != nil {
		return excess, err
	}
	direct := len(b.gathered) == 0 && b.direct < maxDirect || len(m.Data) > maxGathered
	if direct || len(b.gathered)+relay.HeaderSize+len(m.Data) > relay.OutboundRoom {
		if err := b.flush(); err != nil {
			return 0, err
		}
	}
	b.given += uint64(len(m.Data))
	if direct {
		b.direct++
		return 0, b.write(m)
	}
	if len(b.gathered) == 0 {
		go b.newTurn()
	}
	b.queued += len(m.Data) + frameOverhead
	b.gathered = relay.AppendMessage(b.gathered, m.Data, m.Kind == driver.KindText)
	return 0, nil
}

// queueWhole is queue for a message of size bytes that is a value of JavaScript.
func (b *outbound) queueWhole(message jscall.Value, size, limit int) (excess int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if excess, err := b.excess(limit); excess > 0 || err != nil {
		return excess, err
	}
	if err := b.flush(); err != nil {
		return 0, err
	}
	b.given += uint64(size)
	// SendView accepts any value that WebSocket.send takes, not only a view.
	return 0, b.sent(b.relay.SendView(message, false))
}

// excess returns how many bytes have to leave until less than limit bytes are queued.
func (b *outbound) excess(limit int) (int, error) {
	if b.queued < limit {
		return 0, nil
	}
	if err := b.measure(); err != nil {
		return 0, err
	}
	return max(b.queued-limit+1, 0), nil
}

// newTurn is called when the sending goroutine waits.
func (b *outbound) newTurn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.direct = 0
	_ = b.flush() // flush records a loss in lost
}

// tryNewTurn is newTurn for callers that may run in a callback during a send.
func (b *outbound) tryNewTurn() {
	if b.mu.TryLock() {
		defer b.mu.Unlock()
		b.direct = 0
		_ = b.flush()
	}
}

// flush passes the gathered messages to the browser. The caller holds b.mu, here and in
// the methods below.
func (b *outbound) flush() error {
	if len(b.gathered) == 0 {
		return nil
	}
	err := b.sent(b.relay.SendMany(b.gathered))
	b.lost = b.lost || err != nil
	b.gathered = b.gathered[:0]
	return err
}

// write passes m to the browser.
func (b *outbound) write(m driver.Message) error {
	isText := m.Kind == driver.KindText
	if len(m.Data) <= relay.OutboundRoom {
		return b.sent(b.relay.Send(m.Data, isText))
	}
	view, err := b.array.hold(m.Data)
	if err != nil {
		return err
	}
	err = b.sent(b.relay.SendView(view, isText))
	b.array.trim()
	return err
}

// sent records the state after a send. A WebSocket that is not open drops messages
// without an error.
func (b *outbound) sent(queued int, open bool, err error) error {
	switch {
	case err != nil:
		return err
	case !open:
		return errClosing
	}
	b.queued = queued
	return nil
}

// measure asks the browser how much is queued.
func (b *outbound) measure() error {
	err := b.flush()
	if err != nil && err != errClosing {
		return err
	}
	b.queued, _, err = b.relay.State()
	return err
}

// scratch is a Uint8Array through which large messages go to the browser, which
// copies them during the call of send.
type scratch struct {
	array    jscall.Value
	size     int
	view     jscall.Value // the first viewSize bytes
	viewSize int
}

// hold copies data and returns a view of the copy. It keeps the view for further
// messages of the same size.
func (s *scratch) hold(data []byte) (jscall.Value, error) {
	if err := s.resize(len(data)); err != nil {
		return s.view, err
	}
	_, err := jscall.CopyBytesToJS(s.view, data)
	return s.view, err
}

func (s *scratch) resize(size int) error {
	if size == s.viewSize {
		return nil
	}
	var js jscall.Builtins
	if size > s.size {
		room := minScratch
		for room < size {
			room *= 2
		}
		s.array, s.size = js.New("Uint8Array", room), room
	}
	s.view = js.Call(s.array, "subarray", 0, size)
	s.viewSize = size
	if js.Err != nil {
		*s = scratch{}
	}
	return js.Err
}

// trim frees a large array.
func (s *scratch) trim() {
	if s.size > maxScratch {
		*s = scratch{}
	}
}

// Send passes m to the browser, which queues it.
func (s *socket) Send(ctx context.Context, m driver.Message) error {
	excess, err := s.out.queue(m, s.config.SendBuffer)
	if excess == 0 && err == nil {
		return nil
	}
	return s.finishSend(ctx, excess, err, "Send", "call TrySend, or call Send on another goroutine", func() (int, error) { return s.out.queue(m, s.config.SendBuffer) })
}

// finishSend waits if the first call of queue could not pass a message to the browser.
func (s *socket) finishSend(ctx context.Context, excess int, err error, call, instead string, queue func() (int, error)) error {
	if excess > 0 || err == errClosing {
		if err := MayWait(call, instead); err != nil {
			return err
		}
	}
	for wait := pollMin; excess > 0; {
		if err := s.pause(ctx, wait); err != nil {
			return err
		}
		before := excess
		excess, err = queue()
		wait = nextPoll(wait, before-excess, excess)
	}
	if err == errClosing {
		return s.awaitEnd(ctx)
	}
	return s.checkSent(err)
}

// TrySend passes m to the browser, or returns ErrWouldBlock if the high-water mark
// is reached. It returns ErrWouldBlock also while the WebSocket is closing, because the
// cause is not known before the close event.
func (s *socket) TrySend(m driver.Message) error {
	excess, err := s.out.queue(m, s.config.SendBuffer)
	if excess > 0 || err == errClosing {
		return errors.ErrWouldBlock
	}
	return s.checkSent(err)
}

// checkSent ends the connection if err reports that no more can be sent.
func (s *socket) checkSent(err error) error {
	if err != nil {
		s.Fail(&errors.ConnectionClosed{Reason: errors.InternalError, Message: "cannot send a message", Err: err})
	}
	return err
}

// Flush waits until nothing is queued.
func (s *socket) Flush(ctx context.Context) error {
	queued := s.Buffered()
	if queued > 0 {
		if err := MayWait("Flush", "call it on another goroutine"); err != nil {
			return err
		}
	}
	for wait := pollMin; queued > 0; {
		if err := s.pause(ctx, wait); err != nil {
			return err
		}
		before := queued
		queued = s.Buffered()
		wait = nextPoll(wait, before-queued, queued)
	}
	s.out.mu.Lock()
	lost := s.out.lost
	s.out.mu.Unlock()
	if lost {
		if err := MayWait("Flush", "call it on another goroutine"); err != nil {
			return err
		}
		return s.awaitEnd(ctx)
	}
	return nil
}

// nextPoll returns how long the remaining bytes need to leave the browser at the rate of
// the last wait, in which gone bytes left. A browser reports no such event.
func nextPoll(wait time.Duration, gone, remaining int) time.Duration {
	if gone <= 0 {
		return min(2*wait, pollMax)
	}
	return min(max(wait*time.Duration(remaining)/time.Duration(gone), pollMin), pollMax)
}

// Buffered asks the browser for the number of queued bytes.
func (s *socket) Buffered() int {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	_ = s.out.measure()
	return s.out.queued
}

// pause waits for d, or the end of the connection or ctx.
func (s *socket) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.ended.c:
		return io.ErrClosedPipe
	case <-ctx.Done():
		return ctx.Err()
	}
}

// awaitEnd waits for the close event, which has the cause.
func (s *socket) awaitEnd(ctx context.Context) error {
	select {
	case <-s.ended.c:
		return io.ErrClosedPipe
	case <-ctx.Done():
		return ctx.Err()
	}
}
