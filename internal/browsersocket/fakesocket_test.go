//go:build js

package browsersocket

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/internal/jscall"
	"github.com/isosocket/isosocket/ws"
)

// byteOrderMark is lost if a string that begins with it passes from Go to JavaScript.
const byteOrderMark = "\uFEFF"

// fakeSocket replaces the browser's WebSocket, so that a test decides what the browser
// does and when. It is made without eval, as the library is.
type fakeSocket struct {
	t      *testing.T
	js     jscall.Value
	sent   []ws.Message // by send
	closed []any        // the arguments of the first close
	closes int
}

// jsOK fails t if js has an error.
func jsOK(t *testing.T, js *jscall.Builtins) {
	t.Helper()
	if js.Err != nil {
		t.Fatal(js.Err)
	}
}

// replace replaces a global by value until the test ends.
func replace(t *testing.T, name string, value any) {
	t.Helper()
	before, err := jscall.Global().Get(name)
	if err == nil {
		err = jscall.Global().Set(name, value)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := jscall.Global().Set(name, before); err != nil {
			t.Error(err)
		}
	})
}

// function returns a Go function for JavaScript that lives as long as the test.
func function(t *testing.T, f func(args []jscall.Value) any) jscall.Func {
	t.Helper()
	jsFunc, err := jscall.FuncOf(func(_ jscall.Value, args []jscall.Value) any { return f(args) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(jsFunc.Release)
	return jsFunc
}

// newFake makes the next WebSocket a fake.
func newFake(t *testing.T) *fakeSocket {
	t.Helper()
	var js jscall.Builtins
	f := &fakeSocket{t: t, js: js.New("EventTarget")}
	jsOK(t, &js)
	for name, value := range map[string]any{
		"readyState":     0,
		"bufferedAmount": 0,
		"protocol":       "",
		"send":           function(t, f.send),
		"close":          function(t, f.close),
	} {
		f.set(name, value)
	}
	replace(t, "WebSocket", function(t, func([]jscall.Value) any { return f.js }))
	return f
}

func (f *fakeSocket) set(name string, value any) {
	f.t.Helper()
	if err := f.js.Set(name, value); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fakeSocket) send(args []jscall.Value) any {
	if args[0].Type() == jscall.TypeString {
		text, _ := args[0].String()
		f.sent = append(f.sent, ws.Text(text))
		return nil
	}
	n, _ := args[0].Length()
	data := make([]byte, n)
	_, _ = jscall.CopyBytesToGo(data, args[0])
	f.sent = append(f.sent, ws.Binary(data))
	return nil
}

func (f *fakeSocket) close(args []jscall.Value) any {
	if f.closes++; f.closes == 1 {
		f.set("readyState", 2)
		for _, a := range args {
			if n, err := a.Int(); err == nil {
				f.closed = append(f.closed, n)
			} else if text, err := a.String(); err == nil {
				f.closed = append(f.closed, text)
			}
		}
	}
	return nil
}

// event returns an event with properties that its class does not have.
func (f *fakeSocket) event(class, name string, properties map[string]any) jscall.Value {
	f.t.Helper()
	var js jscall.Builtins
	event := js.New(class, name, properties)
	if class == "Event" {
		js.Call(js.Get("Object"), "assign", event, properties)
	}
	jsOK(f.t, &js)
	return event
}

func (f *fakeSocket) dispatch(class, name string, properties map[string]any) {
	f.t.Helper()
	if _, err := f.js.Call("dispatchEvent", f.event(class, name, properties)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fakeSocket) open() {
	f.t.Helper()
	f.set("readyState", 1)
	f.dispatch("Event", "open", map[string]any{})
}

// openLater opens the fake when Go lets JavaScript run.
func (f *fakeSocket) openLater() {
	f.t.Helper()
	f.set("readyState", 1)
	var js jscall.Builtins
	js.Invoke(js.Get("setTimeout"), js.Method(f.js, "dispatchEvent"), 0, f.event("Event", "open", map[string]any{}))
	jsOK(f.t, &js)
}

func (f *fakeSocket) end(code int, reason string, clean bool) {
	f.t.Helper()
	f.set("readyState", 3)
	f.dispatch("Event", "close", map[string]any{"code": code, "reason": reason, "wasClean": clean})
}

// message returns the event that delivers m.
func (f *fakeSocket) message(m ws.Message) jscall.Value {
	f.t.Helper()
	var data any = string(m.Data)
	if m.Kind == ws.KindBinary {
		var js jscall.Builtins
		array := js.New("Uint8Array", len(m.Data))
		jsOK(f.t, &js)
		if _, err := jscall.CopyBytesToJS(array, m.Data); err != nil {
			f.t.Fatal(err)
		}
		data = js.Property(array, "buffer")
	} else if strings.HasPrefix(data.(string), byteOrderMark) {
		data = byteOrderMark + data.(string)
	}
	return f.event("MessageEvent", "message", map[string]any{"data": data})
}

// deliver dispatches a message event while Go waits for it.
func (f *fakeSocket) deliver(m ws.Message) {
	f.t.Helper()
	if _, err := f.js.Call("dispatchEvent", f.message(m)); err != nil {
		f.t.Fatal(err)
	}
}

// deliverLater dispatches message events in one task of JavaScript, without Go.
func (f *fakeSocket) deliverLater(messages []ws.Message) {
	f.t.Helper()
	var js jscall.Builtins
	events := js.List()
	for _, m := range messages {
		js.Call(events, "push", f.message(m))
	}
	js.Invoke(js.Get("setTimeout"), js.Method(events, "forEach"), 0, js.Method(f.js, "dispatchEvent"))
	jsOK(f.t, &js)
}

// dial opens the fake; a nil config has every default.
func (f *fakeSocket) dial(config *ws.Config) (*socket, *ws.Conn) {
	f.t.Helper()
	if config == nil {
		config = &ws.Config{}
	}
	s, err := newSocket("ws://fake/", Options{Config: *config})
	if err != nil {
		f.t.Fatal(err)
	}
	f.open()
	if err := s.awaitOpen(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	conn := ws.NewConn(s, config)
	f.t.Cleanup(func() {
		f.end(1000, "", true)
		_ = conn.Close(1000, "")
	})
	return s, conn
}

// turn lets JavaScript run.
func turn() { time.Sleep(2 * time.Millisecond) }

// expectMessages fails t unless got is want.
func expectMessages(t *testing.T, got, want []ws.Message) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i].Kind != want[i].Kind || !slices.Equal(got[i].Data, want[i].Data) {
			t.Fatalf("message %d is %s of %d bytes, %.40q, want %s of %d, %.40q", i,
				got[i].Kind, len(got[i].Data), got[i].Data, want[i].Kind, len(want[i].Data), want[i].Data)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d messages, want %d", len(got), len(want))
	}
}

// receive receives n messages.
func receive(t *testing.T, conn *ws.Conn, n int) (got []ws.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range n {
		m, err := conn.Receive(ctx)
		if err != nil {
			t.Fatalf("after %d messages: %v", len(got), err)
		}
		got = append(got, m)
	}
	return got
}
