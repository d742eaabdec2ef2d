package stream

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws/driver"
)

// fakeOutlet is an outlet without a connection. tryWrite takes room bytes in total, and
// Write waits until room grows.
type fakeOutlet struct {
	mu      sync.Mutex
	more    bool // the result of moreToAnswer
	blocks  bool // tryWrite may not be called
	empty   bool // the result of takesAtOnce
	room    int
	grown   sync.Cond
	held    int // the result of unsent
	failure error
	writes  []string // the bytes that each call took
	broken  []error  // the errors passed to broke
}

func newFakeOutlet(room int) *fakeOutlet {
	o := &fakeOutlet{room: room}
	o.grown.L = &o.mu
	return o
}

func (o *fakeOutlet) usable() bool { return !o.blocks }

func (o *fakeOutlet) tryWrite(header, payload []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.take(append(header[:len(header):len(header)], payload...))
}

func (o *fakeOutlet) Write(p []byte) (n int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		m, err := o.take(p[n:])
		n += m
		if err != nil || n == len(p) {
			return n, err
		}
		o.grown.Wait()
	}
}

// take is called with mu held.
func (o *fakeOutlet) take(p []byte) (int, error) {
	if o.failure != nil {
		return 0, o.failure
	}
	n := min(len(p), o.room)
	o.room -= n
	if n > 0 {
		o.writes = append(o.writes, string(p[:n]))
	}
	return n, nil
}

// grow lets the outlet take n bytes more.
func (o *fakeOutlet) grow(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.room += n
	o.grown.Broadcast()
}

// fail makes every write return err.
func (o *fakeOutlet) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failure = err
	o.grown.Broadcast()
}

// took returns the bytes that each write took since the last call.
func (o *fakeOutlet) took() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	writes := o.writes
	o.writes = nil
	return writes
}

func (o *fakeOutlet) takesAtOnce() bool { return o.empty }

func (o *fakeOutlet) unsent() int { return o.held }

func (o *fakeOutlet) moreToAnswer() bool { return o.more }

func (o *fakeOutlet) hasEnded() bool { return false }

func (o *fakeOutlet) broke(err error) { o.broken = append(o.broken, err) }

func text(s string) driver.Message { return driver.Message{Kind: driver.KindText, Data: []byte(s)} }

func prepared(m driver.Message) *driver.Prepared {
	p := new(driver.Prepared)
	p.Prepare(m)
	return p
}

// newWriter returns a server's writer over o with the given high-water mark. Deferred output
// stays until a call writes it. No goroutine does.
func newWriter(o *fakeOutlet, highWater int) *writer {
	w := &writer{outlet: o, highWater: uint32(highWater), role: rfc6455.Server, onDeferred: func() {}}
	w.traffic = &Traffic{flushers: &Flushers{working: 1, processors: 1}}
	w.encoder.Init(rfc6455.Server, nil, rfc6455.DeflatePolicy{})
	return w
}

// Deferred output does not make the writer refuse a message. It is written first.
func TestLeftOutputMakesRoom(t *testing.T) {
	for name, send := range map[string]func(w *writer, m driver.Message) error{
		"Send":            func(w *writer, m driver.Message) error { return w.Send(t.Context(), m) },
		"TrySend":         (*writer).TrySend,
		"SendPrepared":    func(w *writer, m driver.Message) error { return w.SendPrepared(t.Context(), prepared(m)) },
		"TrySendPrepared": func(w *writer, m driver.Message) error { return w.TrySendPrepared(prepared(m)) },
		"sendPong":        func(w *writer, m driver.Message) error { w.sendPong(m.Data); return nil },
	} {
		o := newFakeOutlet(1 << 20)
		o.more = true
		w := newWriter(o, 50)
		for i := range 100 {
			if err := send(w, text("0123456789")); err != nil {
				t.Fatalf("%s, message %d: %v", name, i, err)
			}
		}
		w.flushDeferred()
		sum := 0
		for _, p := range o.took() {
			sum += len(p)
		}
		if sum != 100*12 {
			t.Errorf("%s: %d bytes written, want 1200", name, sum)
		}
	}
}

// A full writer tries one write before it refuses a message.
func TestFullWriterRefuses(t *testing.T) {
	o := newFakeOutlet(0)
	o.more = true
	w := newWriter(o, 50)
	for range 5 {
		if err := w.TrySend(text("0123456789")); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.Buffered(); n != 60 {
		t.Fatalf("Buffered = %d, want 60", n)
	}
	for range 3 {
		if err := w.TrySend(text("0123456789")); !errors.Is(err, errors.ErrWouldBlock) {
			t.Errorf("above the mark: %v, want ErrWouldBlock", err)
		}
	}
	o.grow(1 << 20)
	if err := w.Flush(t.Context()); err != nil || w.Buffered() != 0 {
		t.Errorf("Flush = %v, Buffered = %d", err, w.Buffered())
	}
}

// Bytes that the system could not send count like queued output, and the system is not
// queried for each message.
func TestUnsentCounts(t *testing.T) {
	o := newFakeOutlet(1 << 20)
	w := newWriter(o, 1000)
	o.held = 5000
	sent := 0
	for w.TrySend(driver.Message{Kind: driver.KindBinary, Data: make([]byte, 98)}) == nil {
		sent += 100
	}
	w.flushDeferred()
	if sent != 1000 || w.Buffered() != 5000 {
		t.Errorf("%d bytes sent, Buffered = %d; want 1000, 5000", sent, w.Buffered())
	}
	if err := w.SendPrepared(t.Context(), prepared(text("waits for this process only"))); err != nil {
		t.Error(err)
	}
	o.held = 500
	w.flushDeferred()
	for sent = 0; w.TrySend(driver.Message{Kind: driver.KindBinary, Data: make([]byte, 98)}) == nil && sent < 5000; sent += 100 {
		o.held += 100
	}
	if sent != 500 {
		t.Errorf("%d bytes sent with space for 500", sent)
	}
	o.held = 0
	if err := w.TrySend(text("room again")); err != nil {
		t.Error(err)
	}
	if o.fail(io.ErrClosedPipe); w.TrySend(text("")) != nil {
		t.Error("TrySend reported a failed write, want it left to the reader")
	}
}

// Pings and pongs go ahead of messages that no goroutine has begun to write, in their own
// order, also above the high-water mark. They have a bound of their own.
func TestControlFramesOvertake(t *testing.T) {
	for role, masked := range map[rfc6455.Role]int{rfc6455.Server: 0, rfc6455.Client: 4} {
		synctest.Test(t, func(t *testing.T) {
			o := newFakeOutlet(5)
			w := newWriter(o, 300)
			w.role = role
			w.encoder.Init(role, nil, rfc6455.DeflatePolicy{})
			message := strings.Repeat("m", 100)
			for range 3 { // only 5 bytes of the first are written
				if err := w.TrySend(text(message)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
			w.sendControl(rfc6455.OpPing, []byte("one"))
			w.sendPong([]byte("two"))
			if err := w.Send(noWait, text(message)); !errors.Is(err, errors.ErrWouldBlock) {
				t.Errorf("TrySend above the mark = %v", err)
			}
			w.sendControl(rfc6455.OpPing, nil)
			before := w.Buffered()
			for range 100 {
				w.sendPong(make([]byte, 125))
			}
			if added := w.Buffered() - before; added > maxControl+maxControlFrame {
				t.Errorf("%d bytes of pongs are queued", added)
			}
			if w.sendControl(rfc6455.OpPing, nil) {
				t.Error("a ping was queued above the bound")
			}
			w.sendPong([]byte("the most recent"))
			w.sendClose(1000, "")
			o.grow(1 << 20)
			if err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := framesOf(t, strings.Join(o.took(), ""))
			want := []string{"1 " + message, "9 one", "10 two", "9 "}
			for bytes := 2 + 3 + 2 + 3 + 2 + 3*masked; bytes < maxControl; bytes += 127 + masked {
				want = append(want, "10 "+string(make([]byte, 125)))
			}
			want[len(want)-1] = "10 the most recent"
			want = append(want, "1 "+message, "1 "+message, "8 \x03\xe8")
			if !slices.Equal(got, want) {
				t.Errorf("role %d: on the wire: %q\nwant %q", role, got, want)
			}
		})
	}
}

// framesOf returns the opcode and payload of each frame in b, of at most 125 bytes each.
func framesOf(t *testing.T, b string) (frames []string) {
	t.Helper()
	for r := strings.NewReader(b); r.Len() > 0; {
		first, payload := readFrame(t, r)
		frames = append(frames, fmt.Sprintf("%d %s", first&0xf, payload))
	}
	return frames
}

// A lone message is written at once. Messages that follow it closely are deferred, and
// written together.
func TestBurstsAreGathered(t *testing.T) {
	o := newFakeOutlet(1 << 20)
	w := newWriter(o, 1<<20)
	send := func(s string) {
		t.Helper()
		if err := w.Send(t.Context(), text(s)); err != nil {
			t.Fatal(err)
		}
	}
	wrote := func(want ...string) {
		t.Helper()
		var got []string
		for _, p := range o.took() {
			var words []string
			for _, f := range framesOf(t, p) {
				words = append(words, strings.TrimPrefix(f, "1 "))
			}
			got = append(got, strings.Join(words, " "))
		}
		if !slices.Equal(got, want) {
			t.Errorf("writes: %q, want %q", got, want)
		}
	}
	send("alone")
	wrote("alone")

	// The reader has input left to answer.
	o.more = true
	send("a")
	send("b")
	wrote()
	o.more = false
	w.writeDeferred() // it has to wait
	wrote("a b")
	w.flushDeferred() // the goroutine finds no output
	wrote()

	// One Send of many, without a reader.
	send("c") // the first after a wait
	wrote("c")
	w.lastSend = uint32(clock()) - uint32(time.Second)
	send("d") // long after the previous one
	wrote("d")
	w.flushing = true // a goroutine will write the deferred output
	send("e")
	send("f")
	wrote()
	w.flushDeferred()
	wrote("e f")

	// Output of deferAtMost bytes is written at once.
	o.more = true
	for range deferAtMost / 100 {
		send(strings.Repeat("g", 100))
	}
	if got := o.took(); len(got) != 1 || len(got[0]) < deferAtMost {
		t.Errorf("%d writes", len(got))
	}
	w.flushDeferred()
	o.took()

	// A broadcast is always deferred.
	o.more = false
	if err := w.SendPrepared(t.Context(), prepared(text("h"))); err != nil {
		t.Fatal(err)
	}
	wrote()
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	wrote("h")
}

// A flusher writes the bytes that the outlet does not take, and then the output queued
// meanwhile, in one write. Flush waits for all of it.
func TestFlusherTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOutlet(3)
		w := newWriter(o, 1<<20)
		for _, s := range []string{"first", "second", "third"} {
			if err := w.Send(t.Context(), text(s)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		flushed := make(chan error)
		go func() { flushed <- w.Flush(context.Background()) }()
		synctest.Wait()
		select {
		case err := <-flushed:
			t.Fatalf("Flush = %v with %d bytes to write", err, w.Buffered())
		default:
		}
		if n := w.Buffered(); n != 7+8+7-3 {
			t.Errorf("Buffered = %d", n)
		}
		o.grow(1 << 20)
		if err := <-flushed; err != nil || w.Buffered() != 0 {
			t.Errorf("Flush = %v, Buffered = %d", err, w.Buffered())
		}
		writes := o.took()
		if len(writes) != 3 || len(writes[2]) != 8+7 {
			t.Errorf("writes: %q", writes)
		}
		if got := framesOf(t, strings.Join(writes, "")); !slices.Equal(got, []string{"1 first", "1 second", "1 third"}) {
			t.Errorf("on the wire: %q", got)
		}
	})
}

// A failed write drops the output, ends every wait, and is reported once.
func TestFailedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOutlet(3)
		w := newWriter(o, 10)
		if err := w.Send(t.Context(), text("first message")); err != nil {
			t.Fatal(err)
		}
		waiting := make(chan error, 2)
		go func() { waiting <- w.Send(context.Background(), text("waits for room")) }()
		go func() { waiting <- w.Flush(context.Background()) }()
		synctest.Wait()
		o.fail(io.ErrClosedPipe)
		synctest.Wait()
		sendErr, flushErr := <-waiting, <-waiting
		if sendErr != nil && flushErr != nil || sendErr == nil && flushErr == nil {
			t.Errorf("%v, %v: want an error only from Flush; the reader reports the cause", sendErr, flushErr)
		}
		if !slices.Equal(o.broken, []error{io.ErrClosedPipe}) || w.Buffered() != 0 {
			t.Errorf("broke was called with %v; Buffered = %d", o.broken, w.Buffered())
		}
	})
}

// A stream that only blocks is written by the sender where it is known not to block, and
// otherwise by a flusher.
func TestWritesAtOnceWhatIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOutlet(1 << 20)
		o.blocks, o.empty = true, true
		w := newWriter(o, 1<<20)
		if err := w.Send(t.Context(), text("first")); err != nil {
			t.Fatal(err)
		}
		if got := framesOf(t, strings.Join(o.took(), "")); !slices.Equal(got, []string{"1 first"}) {
			t.Errorf("the sender wrote %q", got)
		}

		// From here on, a Write by the sender would block for ever.
		o.mu.Lock()
		o.room = 0
		o.mu.Unlock()
		large := strings.Repeat("x", atOnce)
		if err := w.Send(t.Context(), text(large)); err != nil { // with its header it is larger than atOnce
			t.Fatal(err)
		}
		synctest.Wait()
		o.grow(1 << 20)
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.mu.Lock()
		o.room, o.empty = 0, false
		o.mu.Unlock()
		if err := w.Send(t.Context(), text("small")); err != nil {
			t.Fatal(err)
		}
		w.writeDeferred()
		synctest.Wait()
		o.grow(1 << 20)
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		header := rfc6455.AppendHeader(nil, true, false, rfc6455.OpText, len(large), nil)
		if got := strings.Join(o.took(), ""); got != string(header)+large+"\x81\x05small" {
			t.Errorf("flushers wrote %d bytes", len(got))
		}

		o.mu.Lock()
		o.empty = true
		o.mu.Unlock()
		o.fail(io.ErrClosedPipe)
		if err := w.Send(t.Context(), text("lost")); err != nil {
			t.Fatal(err)
		}
		w.writeDeferred()
		if !slices.Equal(o.broken, []error{io.ErrClosedPipe}) || w.Buffered() != 0 {
			t.Errorf("broke was called with %v; Buffered = %d", o.broken, w.Buffered())
		}
	})
}
