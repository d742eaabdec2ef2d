//go:build js

package browsersocket

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/jscall"
	"github.com/isosocket/isosocket/ws"
)

const (
	readyStateOpen = 1
	// frameOverhead is no less than what RFC 6455 framing adds to a message.
	frameOverhead = 14
	// maxDirect is how many messages are handed over one by one before those
	// that follow at once are gathered.
	maxDirect = 4
	// maxScratch is the largest scratch array that is kept between sends.
	maxScratch = 1 << 20
	minScratch = 4 << 10
	// The bounds of how often bufferedAmount is asked while somebody waits.
	pollMin = time.Millisecond
	pollMax = 32 * time.Millisecond
	// byteOrderMark is lost from the front of a string on its way to JavaScript.
	byteOrderMark = "\uFEFF"
)

var (
	// errClosing is what a send meets between the begin of a close and its event.
	errClosing = errors.New("the WebSocket is closing")
	// errFull is what it meets above the high-water mark.
	errFull = errors.New("the send buffer is full")
)

// outbound is the way out. A message is handed to the browser at once, unless
// several were just before: then it is gathered with those that follow, and
// they go in one parcel as soon as the sending goroutine waits for anything.
type outbound struct {
	js   jscall.Value // the WebSocket
	send jscall.Value // its send, bound

	mu     sync.Mutex
	queued int  // no less than the browser's bufferedAmount and what is gathered
	direct int  // messages handed over one by one in this turn
	lost   bool // something was sent that will not go out
	parcel parcel
	array  scratch
}

func (b *outbound) init(js *builtins, socket jscall.Value) {
	b.js = socket
	b.send = js.method(socket, "send")
	b.parcel.parse = js.get("JSON", "parse")
	b.array.class = js.get("Uint8Array")
}

// queue takes m, if less than limit bytes are queued.
func (b *outbound) queue(m ws.Message, limit int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queued >= limit {
		if err := b.measure(); err != nil {
			return err
		}
		if b.queued >= limit {
			return errFull
		}
	}
	direct := b.parcel.empty() && b.direct < maxDirect || len(m.Data) > parcelMessage
	if direct || !b.parcel.fits(m) {
		if err := b.flush(); err != nil {
			return err
		}
	}
	b.queued += len(m.Data) + frameOverhead
	if direct {
		b.direct++
		return b.write(m)
	}
	if b.parcel.empty() {
		go b.newTurn()
	}
	b.parcel.add(m)
	return nil
}

// newTurn is called when the sending goroutine waits.
func (b *outbound) newTurn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.direct = 0
	_ = b.flush() // what was lost is noted
}

// flush hands over what was gathered. b.mu is held, as below.
func (b *outbound) flush() error {
	if b.parcel.empty() {
		return nil
	}
	err := b.checkOpen()
	if err == nil {
		err = b.parcel.send(b.send, &b.array)
	}
	b.lost = b.lost || err != nil
	b.parcel.clear()
	return err
}

// measure asks the browser how much is queued.
func (b *outbound) measure() error {
	err := b.flush()
	if err != nil && err != errClosing {
		return err
	}
	amount, err := b.js.Get("bufferedAmount")
	if err == nil {
		b.queued, err = amount.Int()
	}
	return err
}

// checkOpen keeps data from a WebSocket that would drop it in silence.
func (b *outbound) checkOpen() error {
	state, err := b.js.Get("readyState")
	if err != nil {
		return err
	}
	if n, err := state.Int(); err != nil || n != readyStateOpen {
		return errClosing
	}
	return nil
}

// write hands m over.
func (b *outbound) write(m ws.Message) error {
	if err := b.checkOpen(); err != nil {
		return err
	}
	if m.Kind == ws.KindText {
		text := string(m.Data)
		if strings.HasPrefix(text, byteOrderMark) {
			text = byteOrderMark + text
		}
		_, err := b.send.Invoke(text)
		return err
	}
	view, err := b.array.hold(m.Data)
	if err != nil {
		return err
	}
	_, err = b.send.Invoke(view)
	b.array.trim()
	return err
}

// scratch is a Uint8Array through which bytes go to the browser, which copies
// them as soon as it is told to send.
type scratch struct {
	class    jscall.Value // Uint8Array
	array    jscall.Value
	size     int
	view     jscall.Value // the first viewSize bytes
	viewSize int
	cut      jscall.Value // makes a view of a range; undefined until it is needed
}

// hold returns a view of data's copy. A view is kept for messages of one size.
func (s *scratch) hold(data []byte) (jscall.Value, error) {
	if err := s.grow(len(data)); err != nil {
		return s.view, err
	}
	if s.viewSize != len(data) {
		view, err := s.array.Call("subarray", 0, len(data))
		if err != nil {
			return s.view, err
		}
		s.view, s.viewSize = view, len(data)
	}
	_, err := jscall.CopyBytesToJS(s.view, data)
	return s.view, err
}

func (s *scratch) grow(size int) (err error) {
	if size <= s.size && s.size > 0 {
		return nil
	}
	s.size = minScratch
	for s.size < size {
		s.size *= 2
	}
	s.viewSize, s.cut = -1, jscall.Undefined()
	s.array, err = s.class.New(s.size)
	return err
}

// trim gives a large array back.
func (s *scratch) trim() {
	if s.size > maxScratch {
		*s = scratch{class: s.class}
	}
}

// Send hands m to the browser, which queues it.
func (s *socket) Send(ctx context.Context, m ws.Message) error {
	err := s.out.queue(m, s.config.SendBuffer)
	for wait := pollMin; err == errFull; wait = min(2*wait, pollMax) {
		if err := s.pause(ctx, wait); err != nil {
			return err
		}
		err = s.out.queue(m, s.config.SendBuffer)
	}
	switch err {
	case nil:
	case errClosing:
		return s.awaitEnd(ctx)
	default:
		s.Fail(&errors.ConnectionClosed{Reason: errors.InternalError, Message: "cannot send a message", Err: err})
	}
	return err
}

// Flush waits until nothing is queued.
func (s *socket) Flush(ctx context.Context) error {
	for wait := pollMin; s.Buffered() > 0; wait = min(2*wait, pollMax) {
		if err := s.pause(ctx, wait); err != nil {
			return err
		}
	}
	s.out.mu.Lock()
	lost := s.out.lost
	s.out.mu.Unlock()
	if lost {
		return s.awaitEnd(ctx)
	}
	return nil
}

// Buffered asks the browser.
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

// awaitEnd waits for the close event, which tells the cause.
func (s *socket) awaitEnd(ctx context.Context) error {
	select {
	case <-s.ended.c:
		return io.ErrClosedPipe
	case <-ctx.Done():
		return ctx.Err()
	}
}
