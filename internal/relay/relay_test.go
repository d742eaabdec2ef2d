//go:build js

package relay

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/internal/jscall"
)

// fixture is a relay for a socket that the test controls.
type fixture struct {
	*Relay
	t      *testing.T
	js     jscall.Builtins
	socket jscall.Value
	sent   jscall.Value                      // the list of sent messages
	wake   func(this int, warning bool) Mode // called by the relay
	calls  []int                             // the numbers it was called with
}

func newFixture(t *testing.T, allowed int) *fixture {
	t.Helper()
	f := &fixture{t: t}
	f.socket, f.sent = f.js.New("EventTarget"), f.js.List()
	f.js.Set(f.socket, "send", f.js.Method(f.sent, "push"))
	f.js.Set(f.socket, "readyState", 1)
	f.js.Set(f.socket, "bufferedAmount", 0)
	wake, err := jscall.FuncOf(func(this jscall.Value, args []jscall.Value) any {
		n, err := this.Int()
		if err != nil {
			t.Error(err)
		}
		f.calls = append(f.calls, n)
		return int(f.wake(n, len(args) > 0))
	})
	if err == nil {
		f.Relay, err = New(f.socket, wake, allowed)
	}
	if err != nil || f.js.Err != nil {
		t.Fatal(err, f.js.Err)
	}
	t.Cleanup(func() {
		f.Release()
		wake.Release()
	})
	return f
}

// deliver dispatches a message event: a string, or bytes.
func (f *fixture) deliver(message any) {
	f.t.Helper()
	if b, ok := message.([]byte); ok {
		array := f.js.New("Uint8Array", len(b))
		if _, err := jscall.CopyBytesToJS(array, b); err != nil {
			f.t.Fatal(err)
		}
		message = f.js.Property(array, "buffer")
	}
	f.js.Call(f.socket, "dispatchEvent", f.js.New("MessageEvent", "message", map[string]any{"data": message}))
	if f.js.Err != nil {
		f.t.Fatal(f.js.Err)
	}
}

// read returns the n bytes that are ready.
func (f *fixture) read(n int) []byte {
	f.t.Helper()
	b := make([]byte, n)
	if err := f.Read(b); err != nil {
		f.t.Fatal(err)
	}
	return b
}

// bytes returns the content of a Uint8Array.
func (f *fixture) bytes(array jscall.Value) []byte {
	f.t.Helper()
	n, err := array.Length()
	if err != nil {
		f.t.Fatal(err)
	}
	b := make([]byte, n)
	if _, err := jscall.CopyBytesToGo(b, array); err != nil {
		f.t.Fatal(err)
	}
	return b
}

// messages splits b into its messages, each as it was passed to deliver.
func (f *fixture) messages(b []byte) (all []any) {
	f.t.Helper()
	for len(b) > 0 {
		h := HeaderOf(b)
		data := b[HeaderSize:h.Len()]
		if h.IsApart() {
			array, err := f.Apart(h.IsText())
			if err != nil {
				f.t.Fatal(err)
			}
			data = f.bytes(array)
		}
		if h.IsText() {
			all = append(all, string(data))
		} else {
			all = append(all, slices.Clone(data))
		}
		b = b[h.Len():]
	}
	return all
}

// takeAll takes until nothing is left.
func (f *fixture) takeAll(mode Mode) (all []any) {
	f.t.Helper()
	for {
		n, full, err := f.Take(mode)
		switch {
		case err != nil:
			f.t.Fatal(err)
		case n == 0:
			return all
		case full.IsUndefined():
			all = append(all, f.messages(f.read(n))...)
		default:
			all = append(all, f.messages(f.bytes(full))...)
		}
	}
}

func expectMessages(t *testing.T, got, want []any) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d messages, want %d", len(got), len(want))
	}
	for i := range got {
		if fmt.Sprintf("%T %[1]q", got[i]) != fmt.Sprintf("%T %[1]q", want[i]) {
			t.Fatalf("message %d is %.40q, want %.40q", i, got[i], want[i])
		}
	}
}

// Messages that Go does not take are kept in order: in scratch, in copies of a full
// scratch, and apart.
func TestTake(t *testing.T) {
	f := newFixture(t, 1<<30)
	var want []any
	for _, size := range []int{0, 1, 100, 8000, largest - HeaderSize, largest, InboundRoom - HeaderSize, InboundRoom, 3 * InboundRoom} {
		want = append(want, "", strings.Repeat("x", size), strings.Repeat("€", size), strings.Repeat("€", size/3), make([]byte, size))
	}
	for range 3 * InboundRoom / 1000 {
		want = append(want, make([]byte, 996))
	}
	for _, m := range want {
		f.deliver(m)
	}
	expectMessages(t, f.takeAll(Never), want)
	f.deliver("after")
	expectMessages(t, f.takeAll(Never), []any{"after"})
	if len(f.calls) > 0 {
		t.Errorf("Go was called with %d", f.calls)
	}
}

func TestWake(t *testing.T) {
	text := func(s string) int { return len(s)<<2 | 1 }
	for name, test := range map[string]struct {
		mode, then Mode
		want       []int
	}{
		"never":                {Never, Never, nil},
		"promptly":             {Promptly, Promptly, []int{text("a"), 0, text("ccc")}},
		"promptly, once":       {Promptly, Never, []int{text("a")}},
		"late":                 {Late, Late, []int{-(3*HeaderSize + 4)}},
		"promptly, then late":  {Promptly, Late, []int{text("a"), -(2*HeaderSize + 3)}},
		"late, and then never": {Late, Never, []int{-(3*HeaderSize + 4)}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 1<<30)
			if err := f.AllowLate(); err != nil {
				t.Fatal(err)
			}
			var got []any
			f.wake = func(n int, warning bool) Mode {
				if n < 0 {
					got = append(got, f.messages(f.read(-n))...)
				} else {
					b := AppendHeader(nil, Header(n))
					got = append(got, f.messages(append(b, f.read(Header(n).Counted())...))...)
				}
				return test.then
			}
			want := []any{"a", []byte{}, "ccc"}
			expectMessages(t, f.takeAll(test.mode), nil)
			for _, m := range want {
				f.deliver(m)
			}
			for start := time.Now(); len(f.calls) < len(test.want) && time.Since(start) < 30*time.Second; {
				time.Sleep(time.Millisecond)
			}
			if !slices.Equal(f.calls, test.want) {
				t.Errorf("Go was called with %d, want %d", f.calls, test.want)
			}
			expectMessages(t, append(got, f.takeAll(Never)...), want)
		})
	}
}

// The mode that the function returns is older than that of a Take inside it.
func TestWakeAndTake(t *testing.T) {
	f := newFixture(t, 1<<30)
	f.wake = func(int, bool) Mode {
		f.takeAll(Promptly)
		return Never
	}
	f.takeAll(Promptly)
	f.deliver("a")
	f.deliver("b")
	if len(f.calls) != 2 {
		t.Errorf("Go was called %d times, want 2", len(f.calls))
	}
}

// Copies of a full scratch come before the messages that the late wake-up would find.
func TestLateWakeFindsFull(t *testing.T) {
	f := newFixture(t, 1<<30)
	if err := f.AllowLate(); err != nil {
		t.Fatal(err)
	}
	f.wake = func(int, bool) Mode { return Never }
	f.takeAll(Late)
	var want []any
	for range 10 {
		want = append(want, make([]byte, InboundRoom/4))
		f.deliver(want[len(want)-1])
	}
	for start := time.Now(); len(f.calls) == 0 && time.Since(start) < 30*time.Second; {
		time.Sleep(time.Millisecond)
	}
	if !slices.Equal(f.calls, []int{-1}) {
		t.Errorf("Go was called with %d, want -1", f.calls)
	}
	expectMessages(t, f.takeAll(Never), want)
}

func TestWarning(t *testing.T) {
	f := newFixture(t, 100)
	allowed := 400
	f.wake = func(_ int, warning bool) Mode {
		if !warning {
			t.Error("Go was woken")
		}
		return Mode(allowed)
	}
	for range 6 {
		f.deliver(make([]byte, 100-HeaderSize))
	}
	if want := []int{200, 500}; !slices.Equal(f.calls, want) {
		t.Errorf("Go was warned of %d, want %d", f.calls, want)
	}
	if total, err := f.Total(); total != 600 || err != nil {
		t.Errorf("Total = %d, %v", total, err)
	}
}

func TestSend(t *testing.T) {
	for name, test := range map[string]struct {
		send func(f *fixture) (int, bool, error)
		want []any
	}{
		"text":            {func(f *fixture) (int, bool, error) { return f.Send([]byte("\uFEFFé"), true) }, []any{"\uFEFFé"}},
		"bytes":           {func(f *fixture) (int, bool, error) { return f.Send([]byte("é"), false) }, []any{[]byte("é")}},
		"nothing":         {func(f *fixture) (int, bool, error) { return f.Send(nil, false) }, []any{[]byte{}}},
		"all of the room": {func(f *fixture) (int, bool, error) { return f.Send(make([]byte, OutboundRoom), false) }, []any{make([]byte, OutboundRoom)}},
		"many": {func(f *fixture) (int, bool, error) {
			return f.SendMany(AppendMessage(AppendMessage(AppendMessage(nil, []byte("a"), true), nil, true), []byte("bb"), false))
		}, []any{"a", "", []byte("bb")}},
		"a view of bytes": {func(f *fixture) (int, bool, error) { return f.SendView(f.js.New("Uint8Array", 5), false) }, []any{make([]byte, 5)}},
		"a view of text":  {func(f *fixture) (int, bool, error) { return f.SendView(f.js.New("Uint8Array", 2), true) }, []any{"\x00\x00"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 1<<30)
			f.js.Set(f.socket, "bufferedAmount", 77)
			for _, isOpen := range []bool{true, false} {
				if !isOpen {
					f.js.Set(f.socket, "readyState", 2)
				}
				buffered, open, err := test.send(f)
				if buffered != 77 || open != isOpen || err != nil {
					t.Errorf("it returns %d, %v, %v", buffered, open, err)
				}
			}
			if n, err := f.sent.Length(); n != len(test.want) || err != nil {
				t.Fatalf("%d messages were sent, %v; want %d", n, err, len(test.want))
			}
			var got []any
			for range test.want {
				v := f.js.Call(f.sent, "shift")
				if v.Type() == jscall.TypeString {
					s, _ := v.String()
					got = append(got, s)
				} else {
					got = append(got, f.bytes(v))
				}
			}
			expectMessages(t, got, test.want)
		})
	}
}

// A relay that was released does not call Go, even if it was about to.
func TestRelease(t *testing.T) {
	f := newFixture(t, 1<<30)
	if err := f.AllowLate(); err != nil {
		t.Fatal(err)
	}
	f.takeAll(Late)
	f.deliver("a")
	f.Release()
	f.deliver("b")
	time.Sleep(10 * time.Millisecond)
	if total, _ := f.Total(); total != HeaderSize+1 || len(f.calls) > 0 {
		t.Errorf("%d bytes arrived, and Go was called with %d", total, f.calls)
	}
}

// TestFree: what Go has read takes no memory, although Go still refers to it.
func TestFree(t *testing.T) {
	f := newFixture(t, 1<<30)
	transfers := f.js.Get("ArrayBuffer", "prototype", "transfer").Type() == jscall.TypeFunction
	free := func(array jscall.Value, size int) {
		t.Helper()
		if got := len(f.bytes(array)); got != size {
			t.Fatalf("%d bytes, want %d", got, size)
		}
		if transfers {
			size = 0
		}
		f.Free(array)
		if got, err := array.Length(); got != size || err != nil {
			t.Errorf("%d bytes after Free, %v; want %d", got, err, size)
		}
	}
	f.deliver(bytes.Repeat([]byte("x"), InboundRoom))
	f.deliver(strings.Repeat("x", InboundRoom))
	for _, isText := range []bool{false, true} {
		array, err := f.Apart(isText)
		if err != nil {
			t.Fatal(err)
		}
		free(array, InboundRoom)
	}
}
