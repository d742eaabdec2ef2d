package isosocket

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/hack-pad/safejs"

	"github.com/isosocket/isosocket/ws"
)

const (
	readyStateOpen = 1
	// maxScratch is the largest scratch array that is kept between sends.
	maxScratch = 1 << 20
	// byteOrderMark is dropped from the front of a string on its way to
	// JavaScript.
	byteOrderMark = "\uFEFF"
)

// outbound is the way out.
type outbound struct {
	send    safejs.Value // the WebSocket's send, bound
	array   safejs.Value // the JavaScript global's Uint8Array
	mu      sync.Mutex
	scratch safejs.Value // a Uint8Array of size bytes
	size    int
	queued  int // no less than the browser's bufferedAmount
}

func (b *outbound) init(s *socket) (err error) {
	if b.array, err = safejs.Global().Get("Uint8Array"); err != nil {
		return err
	}
	b.send, err = bound(s.js, "send")
	return err
}

// Send hands m to the browser, which queues it.
func (s *socket) Send(ctx context.Context, m ws.Message) error {
	b := &s.out
	for wait := pollMin; ; wait = min(2*wait, pollMax) {
		b.mu.Lock()
		if b.queued >= s.config.SendBuffer {
			b.queued = s.Buffered()
		}
		if b.queued < s.config.SendBuffer {
			err := b.write(s, m)
			b.mu.Unlock()
			if err == errClosing {
				break
			}
			return err
		}
		b.mu.Unlock()
		if err := s.pause(ctx, wait); err != nil {
			return err
		}
	}
	// The close event, which tells the cause, is on its way.
	select {
	case <-s.ended:
		return io.ErrClosedPipe
	case <-ctx.Done():
		return ctx.Err()
	}
}

// The bounds of how often bufferedAmount is asked while somebody waits.
const (
	pollMin = time.Millisecond
	pollMax = 32 * time.Millisecond
)

func (s *socket) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.ended:
		return io.ErrClosedPipe
	case <-ctx.Done():
		return ctx.Err()
	}
}

type closingError struct{}

func (closingError) Error() string { return "the WebSocket is closing" }

var errClosing error = closingError{}

// write sends m. b.mu is held.
func (b *outbound) write(s *socket, m ws.Message) error {
	state, err := s.js.Get("readyState")
	if err != nil {
		return err
	}
	if n, _ := state.Int(); n != readyStateOpen {
		return errClosing
	}
	// An upper bound of what RFC 6455 framing adds.
	b.queued += len(m.Data) + 14
	if m.Kind == ws.KindText {
		text := string(m.Data)
		if strings.HasPrefix(text, byteOrderMark) {
			text = byteOrderMark + text
		}
		_, err := b.send.Invoke(text)
		return err
	}
	return b.writeBinary(m.Data)
}

func (b *outbound) writeBinary(data []byte) error {
	scratch := b.scratch
	if b.size < len(data) || b.size == 0 {
		size := 4096
		for size < len(data) {
			size *= 2
		}
		var err error
		if scratch, err = b.array.New(size); err != nil {
			return err
		}
		if size <= maxScratch {
			b.scratch, b.size = scratch, size
		}
	}
	if _, err := safejs.CopyBytesToJS(scratch, data); err != nil {
		return err
	}
	view, err := scratch.Call("subarray", 0, len(data))
	if err != nil {
		return err
	}
	_, err = b.send.Invoke(view)
	return err
}

func (b *outbound) flush(*socket) error { return nil }

// Buffered asks the browser.
func (s *socket) Buffered() int {
	v, err := s.js.Get("bufferedAmount")
	if err != nil {
		return 0
	}
	n, _ := v.Int()
	return n
}

// Flush waits until the browser's queue is empty.
func (s *socket) Flush(ctx context.Context) error {
	for wait := pollMin; s.Buffered() > 0; wait = min(2*wait, pollMax) {
		if err := s.pause(ctx, wait); err != nil {
			return err
		}
	}
	return nil
}
