//go:build js

package browsersocket

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/jscall"
	"github.com/isosocket/isosocket/internal/relay"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/driver"
)

// manyMessages returns messages of all kinds and sizes that are handled differently.
func manyMessages(n int) (all []ws.Message) {
	random := rand.New(rand.NewPCG(1, 2))
	texts := []string{
		"", "a", `"`, `\`, `\"`, `{"data":"x"},`, "\x00\x1f\u2028€😀\uFFFD", byteOrderMark, byteOrderMark + byteOrderMark + "x",
		strings.Repeat("text ", 20), strings.Repeat("€", 3000),
	}
	for len(all) < n {
		kind := ws.Kind(random.IntN(2) + 1)
		for range 1 + random.IntN(600) {
			if random.IntN(40) == 0 {
				kind = 3 - kind
			}
			if kind == ws.KindText {
				all = append(all, ws.Text(texts[random.IntN(len(texts))]))
			} else {
				size := []int{0, 1, 64, 64, 64, 1000}[random.IntN(6)]
				all = append(all, ws.Binary(bytes.Repeat([]byte{byte(random.IntN(256))}, size)))
			}
		}
		// Too large to be gathered with others.
		for _, size := range []int{5000, relay.InboundRoom - 3, relay.InboundRoom, 2*relay.InboundRoom + 1, maxScratch + 1}[:random.IntN(6)] {
			all = append(all, ws.Text(strings.Repeat("x", size)), ws.Binary(bytes.Repeat([]byte{7}, size)))
		}
	}
	return all
}

// Some browsers open a WebSocket for which the server chose no subprotocol.
func TestDialWantsASubprotocol(t *testing.T) {
	for _, test := range []struct {
		offered []string
		chosen  string
		problem string
	}{
		{[]string{"a", "b"}, "b", ""},
		{[]string{"a", "b"}, "", "the server chose none of the subprotocols a, b"},
		{[]string{"a", "b"}, "c", "the server chose the subprotocol c, which was not offered"},
		{nil, "c", "the server chose the subprotocol c, which was not offered"},
		{nil, "", ""},
	} {
		f := newFake(t)
		f.set("protocol", test.chosen)
		f.openLater()
		conn, err := Dial(t.Context(), "ws://fake/", Options{Subprotocols: test.offered})
		if test.problem == "" {
			if err != nil || conn.Subprotocol() != test.chosen {
				t.Fatalf("%q of %q: %v", test.chosen, test.offered, err)
			}
			f.end(1000, "", true)
			_ = conn.Close(1000, "")
			continue
		}
		if !errors.Is(err, errors.ErrSubprotocolMismatch) || !strings.HasSuffix(err.Error(), test.problem) {
			t.Errorf("%q of %q: the error is %v", test.chosen, test.offered, err)
		}
		if f.closes != 1 {
			t.Errorf("%q of %q: closed %d times", test.chosen, test.offered, f.closes)
		}
	}
}

func TestSocketReceivesInOrder(t *testing.T) {
	for name, next := range map[string]func(*ws.Conn) (ws.Message, error){
		"Receive": func(conn *ws.Conn) (ws.Message, error) { return conn.Receive(t.Context()) },
		"ReceiveInto": func() func(*ws.Conn) (ws.Message, error) {
			buf := make([]byte, 100)
			return func(conn *ws.Conn) (ws.Message, error) {
				m, err := conn.ReceiveInto(t.Context(), buf)
				m.Data = bytes.Clone(m.Data)
				return m, err
			}
		}(),
		"TryReceive": func(conn *ws.Conn) (ws.Message, error) {
			for {
				if m, ok, err := conn.TryReceive(); ok || err != nil {
					return m, err
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			_, conn := f.dial(&ws.Config{MaxMessageSize: -1, ReceiveBuffer: 1 << 30})
			all := manyMessages(2000)
			var got []ws.Message
			for at, burst := 0, 1; at < len(all); burst = burst*3%701 + 1 {
				n := min(burst, len(all)-at)
				for _, m := range all[at : at+n] {
					f.deliver(m)
				}
				at += n
				for range n {
					m, err := next(conn)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, m)
				}
			}
			expectMessages(t, got, all)
		})
	}
}

func TestSocketSendsInOrder(t *testing.T) {
	f := newFake(t)
	_, conn := f.dial(&ws.Config{MaxMessageSize: -1, SendBuffer: 1 << 30})
	all := manyMessages(4000)
	for i, m := range all {
		if err := conn.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if i%901 == 0 {
			turn()
		}
	}
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectMessages(t, f.sent, all)
}

// A lone Send has passed its message to the browser when it returns, and so have a few
// in a row. The messages gathered after them follow as soon as this goroutine waits.
func TestSocketHoldsNothingBack(t *testing.T) {
	f := newFake(t)
	_, conn := f.dial(nil)
	for n := range 3 * maxDirect {
		if err := conn.Send(t.Context(), ws.Text("x")); err != nil {
			t.Fatal(err)
		}
		if n < maxDirect && len(f.sent) != n+1 {
			t.Fatalf("%d messages were handed over, want %d", len(f.sent), n+1)
		}
	}
	for start := time.Now(); len(f.sent) < 3*maxDirect; turn() {
		if time.Since(start) > 30*time.Second {
			t.Fatalf("%d messages were handed over, want %d", len(f.sent), 3*maxDirect)
		}
	}
	turn()
	if err := conn.Send(t.Context(), ws.Text("x")); err != nil || len(f.sent) != 3*maxDirect+1 {
		t.Fatalf("after a turn %d messages were handed over, %v", len(f.sent), err)
	}
}

// countCalls counts the calls from Go into JavaScript until stop, except those that only
// move bytes. It replaces the functions of Reflect, which all calls use, by getters that
// count.
func countCalls(t *testing.T) (stop func() int) {
	t.Helper()
	var js jscall.Builtins
	reflect := js.Get("Reflect")
	get, apply := js.Property(reflect, "get"), js.Property(reflect, "apply")
	log := js.List()
	var restore []func()
	for _, name := range []string{"get", "set", "apply", "construct"} {
		original := js.Property(reflect, name)
		// Reflect.get does not use the element 3, whose getter counts.
		arguments := js.List(js.List(original), "0", nil, nil)
		bind := func(f jscall.Value, this, arguments any) jscall.Value {
			return js.Call(apply, "bind", nil, f, this, arguments)
		}
		js.Call(js.Get("Object"), "defineProperty", arguments, "3",
			map[string]any{"get": bind(js.Property(log, "push"), log, js.List(1))})
		getter := bind(get, nil, arguments)
		js.Call(js.Get("Object"), "defineProperty", reflect, name, map[string]any{"get": getter, "configurable": true})
		restore = append(restore, func() {
			js.Call(js.Get("Object"), "defineProperty", reflect, name, map[string]any{"value": original, "writable": true})
		})
	}
	jsOK(t, &js)
	if _, err := log.Call("splice", 0); err != nil {
		t.Fatal(err)
	}
	return func() int {
		n, err := log.Length()
		for _, f := range restore {
			f()
		}
		jsOK(t, &js)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}

func TestSocketCalls(t *testing.T) {
	const n = 511
	small := []byte(strings.Repeat("0123456789abcdef", 4))
	for name, test := range map[string]struct {
		messages []ws.Message
		receive  int // calls at most, the wake-up's included
		send     int
	}{
		"one text":                 {[]ws.Message{{Kind: ws.KindText, Data: small}}, 8, 3},
		"one binary message":       {[]ws.Message{{Kind: ws.KindBinary, Data: small}}, 8, 3},
		"one binary MiB":           {[]ws.Message{ws.Binary(make([]byte, 1<<20))}, 9, 3},
		"many texts":               {repeat(ws.Message{Kind: ws.KindText, Data: small}, n), 12, 9},
		"many binary messages":     {repeat(ws.Message{Kind: ws.KindBinary, Data: small}, n), 12, 9},
		"many binary messages, 1K": {repeat(ws.Binary(make([]byte, 1000)), n), 42, 24},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			var js jscall.Builtins
			f.set("send", js.Property(js.List(), "push")) // a built-in, which costs no call
			jsOK(t, &js)
			_, conn := f.dial(&ws.Config{SendBuffer: 1 << 30})
			// Create everything that is created on first use.
			for _, m := range test.messages {
				f.deliver(m)
				if err := conn.Send(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			receive(t, conn, len(test.messages))
			turn()

			// The first pass makes the wake-up late, the second is counted.
			f.deliverLater(test.messages)
			receive(t, conn, len(test.messages))
			f.deliverLater(test.messages)
			stop := countCalls(t)
			received := receive(t, conn, len(test.messages))
			if calls := stop(); calls > test.receive {
				t.Errorf("%d messages were received with %d calls, want at most %d", len(received), calls, test.receive)
			} else {
				t.Logf("%d messages were received with %d calls", len(received), calls)
			}

			var err error
			stop = countCalls(t)
			for _, m := range test.messages {
				if e := conn.Send(t.Context(), m); e != nil {
					err = e
				}
			}
			turn()
			if calls := stop(); err != nil || calls > test.send {
				t.Errorf("%d messages were sent with %d calls, %v; want at most %d", len(test.messages), calls, err, test.send)
			} else {
				t.Logf("%d messages were sent with %d calls", len(test.messages), calls)
			}
		})
	}
}

func repeat(m ws.Message, n int) (all []ws.Message) {
	for range n {
		all = append(all, m)
	}
	return all
}

// No Go function may be called any more, however a connection ended.
func TestSocketReleases(t *testing.T) {
	for name, run := range map[string]func(t *testing.T, f *fakeSocket) *socket{
		"the handshake fails": func(t *testing.T, f *fakeSocket) *socket {
			s, err := newSocket("ws://fake/", Options{})
			if err != nil {
				t.Fatal(err)
			}
			f.set("readyState", 3)
			f.dispatch("Event", "error", map[string]any{})
			if err := s.awaitOpen(t.Context()); err == nil {
				t.Fatal("it did not fail")
			}
			return s
		},
		"Dial is cancelled": func(t *testing.T, f *fakeSocket) *socket {
			s, err := newSocket("ws://fake/", Options{})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.awaitOpen(ctx); !errors.Is(err, context.Canceled) || f.closes != 1 {
				t.Fatalf("%v after %d calls of close", err, f.closes)
			}
			return s
		},
		"the peer closes": func(t *testing.T, f *fakeSocket) *socket {
			s, conn := f.dial(nil)
			f.end(4000, "bye", true)
			<-conn.Done()
			if err := conn.Err(); err.Error() != "websocket: connection closed by the peer: 4000 (private application reason, 4000-4999): bye" {
				t.Error(err)
			}
			return s
		},
		"the peer is gone": func(t *testing.T, f *fakeSocket) *socket {
			s, conn := f.dial(nil)
			f.dispatch("Event", "error", map[string]any{})
			f.end(1006, "", false)
			if _, err := conn.Receive(t.Context()); !errors.Is(err, errors.AbnormalClosure) {
				t.Error(err)
			}
			return s
		},
		"Close is answered": func(t *testing.T, f *fakeSocket) *socket {
			s, conn := f.dial(nil)
			go f.end(3901, "bye", true)
			if err := conn.Close(errors.GoingAway, "bye"); err != nil {
				t.Error(err)
			}
			return s
		},
		"Close is not answered": func(t *testing.T, f *fakeSocket) *socket {
			s, conn := f.dial(&ws.Config{CloseTimeout: 10 * time.Millisecond})
			if err := conn.Close(errors.GoingAway, "bye"); !errors.Is(err, errors.AbnormalClosure) {
				t.Error(err)
			}
			if len(f.closed) != 2 || f.closed[0] != 3901 || f.closed[1] != "bye" {
				t.Errorf("close%v", f.closed)
			}
			return s
		},
		"the connection is lost during Close": func(t *testing.T, f *fakeSocket) *socket {
			s, conn := f.dial(nil)
			go f.end(1006, "", false)
			if err := conn.Close(errors.NormalClosure, ""); !errors.Is(err, errors.AbnormalClosure) {
				t.Error(err)
			}
			return s
		},
		"a message is too big, and the peer silent": func(t *testing.T, f *fakeSocket) *socket {
			s, conn := f.dial(&ws.Config{MaxMessageSize: 10, CloseTimeout: 10 * time.Millisecond})
			f.deliver(ws.Text("fits"))
			f.deliver(ws.Text("does not fit"))
			receive(t, conn, 1)
			if _, err := conn.Receive(t.Context()); !errors.Is(err, errors.MessageTooBig) {
				t.Error(err)
			}
			if len(f.closed) != 2 || f.closed[0] != 3909 {
				t.Errorf("close%v", f.closed)
			}
			time.Sleep(20 * time.Millisecond)
			return s
		},
		"messages stream in, and the peer closes": func(t *testing.T, f *fakeSocket) *socket {
			s, conn := f.dial(nil)
			for range 2 * minPatience { // one by one, until the wake-up is late
				f.deliver(ws.Text("x"))
				receive(t, conn, 1)
			}
			f.end(1000, "", true)
			if _, err := conn.Receive(t.Context()); !errors.Is(err, errors.NormalClosure) {
				t.Error(err)
			}
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			complaints := 0
			console, err := jscall.Global().Get("console")
			if err != nil {
				t.Fatal(err)
			}
			report, err := console.Get("error")
			if err != nil {
				t.Fatal(err)
			}
			if err := console.Set("error", function(t, func([]jscall.Value) any { complaints++; return nil })); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = console.Set("error", report) }()

			f := newFake(t)
			s := run(t, f)
			if !s.released.Load() {
				t.Error("the callbacks were not released")
			}
			before, _ := s.Arrivals()
			for _, event := range []string{"open", "error", "message", "message", "close"} {
				f.dispatch("Event", event, map[string]any{})
			}
			turn()
			if complaints > 0 {
				t.Errorf("%d calls of released functions", complaints)
			}
			if after, _ := s.Arrivals(); after != before {
				t.Errorf("%d bytes arrived after the end", after-before)
			}
		})
	}
}

// A WebSocket that is closing drops messages without an error, so that Send has to wait
// for the cause.
func TestSocketSendWhileClosing(t *testing.T) {
	f := newFake(t)
	_, conn := f.dial(nil)
	f.set("readyState", 2)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := conn.Send(ctx, ws.Text("x")); !errors.Is(err, context.DeadlineExceeded) || conn.Err() != nil {
		t.Fatalf("Send returned %v, and the connection has %v", err, conn.Err())
	}
	time.AfterFunc(10*time.Millisecond, func() { f.end(4000, "bye", true) })
	if err := conn.Send(t.Context(), ws.Text("x")); !errors.Is(err, errors.CloseReason(4000)) {
		t.Fatalf("Send returned %v", err)
	}
	if len(f.sent) > 0 {
		t.Errorf("%d messages were sent", len(f.sent))
	}
}

// Messages that were gathered when the peer closed are lost, and Flush reports it.
func TestSocketFlushReportsLoss(t *testing.T) {
	f := newFake(t)
	_, conn := f.dial(nil)
	for range 2 * maxDirect {
		if err := conn.Send(t.Context(), ws.Text("x")); err != nil {
			t.Fatal(err)
		}
	}
	f.set("readyState", 2)
	time.AfterFunc(10*time.Millisecond, func() { f.end(4000, "bye", true) })
	if err := conn.Flush(t.Context()); !errors.Is(err, errors.CloseReason(4000)) {
		t.Fatalf("Flush returned %v", err)
	}
}

func TestSocketHighWaterMark(t *testing.T) {
	f := newFake(t)
	_, conn := f.dial(&ws.Config{SendBuffer: 1000})
	f.set("bufferedAmount", 2000)
	if err := conn.Send(t.Context(), ws.Binary(make([]byte, 1000))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := conn.Send(ctx, ws.Text("too early")); !errors.Is(err, context.DeadlineExceeded) || conn.Err() != nil {
		t.Fatalf("Send returned %v, and the connection has %v", err, conn.Err())
	}
	if conn.Buffered() != 2000 {
		t.Errorf("Buffered = %d", conn.Buffered())
	}
	if err := conn.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Flush returned %v", err)
	}
	time.AfterFunc(10*time.Millisecond, func() { f.set("bufferedAmount", 0) })
	if err := conn.Send(t.Context(), ws.Text("in time")); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(f.sent) != 2 || f.sent[1].String() != "in time" {
		t.Errorf("%d messages were sent", len(f.sent))
	}
}

// The memory of a message that Go has read is free at once: for Go's garbage collection it is as
// small as any other reference.
func TestSocketFreesMessages(t *testing.T) {
	f := newFake(t)
	_, conn := f.dial(nil)
	var js jscall.Builtins
	want := 100_000
	if transfer := js.Get("ArrayBuffer", "prototype", "transfer"); transfer.Type() == jscall.TypeFunction {
		want = 0
	}
	data := bytes.Repeat([]byte("x"), 100_000)
	for name, read := range map[string]func() ([]byte, error){
		"Receive": func() ([]byte, error) {
			m, err := conn.Receive(t.Context())
			return m.Data, err
		},
		"NextReader": func() ([]byte, error) {
			_, r, err := conn.NextReader(t.Context())
			if err != nil {
				return nil, err
			}
			return io.ReadAll(r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			array := js.New("Uint8Array", len(data))
			jsOK(t, &js)
			if _, err := jscall.CopyBytesToJS(array, data); err != nil {
				t.Fatal(err)
			}
			f.dispatch("MessageEvent", "message", map[string]any{"data": js.Property(array, "buffer")})
			if got, err := read(); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%d bytes were read, %v", len(got), err)
			}
			if n, err := array.Length(); err != nil || n != want {
				t.Errorf("%d bytes are in use, %v; want %d", n, err, want)
			}
		})
	}
}

// Bytes that leave the browser are a sign of life only while older bytes wait: the browser
// and the system have buffers of their own.
func TestSocketDepartures(t *testing.T) {
	f := newFake(t)
	s, conn := f.dial(nil)
	look := func(wantGone uint64, wantWaiting bool) {
		t.Helper()
		time.Sleep(patience + 5*time.Millisecond)
		gone, waiting, _ := s.Departures()
		if gone != wantGone || waiting != wantWaiting {
			t.Errorf("Departures = %d, %v, want %d, %v", gone, waiting, wantGone, wantWaiting)
		}
	}
	send := func(buffered int) {
		t.Helper()
		if err := conn.Send(t.Context(), ws.Binary(make([]byte, 100))); err != nil {
			t.Fatal(err)
		}
		f.set("bufferedAmount", buffered)
	}
	look(0, false)
	send(100)
	look(0, false) // just sent
	f.set("bufferedAmount", 0)
	look(100, false)
	send(100)
	send(100)
	look(200, false) // the last bytes are still queued, but not for long
	send(100)
	look(300, false)
	look(300, true) // they were queued at two looks
	send(150)
	for tries := 0; ; tries++ {
		look(350, true)
		looked := time.Now()
		if _, waiting, _ := s.Departures(); !waiting {
			break
		}
		// Unless so much time has passed on a busy machine that this was a look of its own.
		if time.Since(looked) < patience/2 || tries == 100 {
			t.Error("bytes wait at once after a look")
			break
		}
	}
	f.set("bufferedAmount", 0)
	look(500, false)
}

// TrySend never waits: it takes a message, or refuses it whole.
func TestSocketTrySend(t *testing.T) {
	f := newFake(t)
	s, conn := f.dial(&ws.Config{SendBuffer: 1000})
	try := func(want error) {
		t.Helper()
		start := time.Now()
		if err := s.TrySend(driver.Message{Kind: ws.KindBinary, Data: make([]byte, 600)}); !errors.Is(err, want) || err != nil && want == nil {
			t.Errorf("TrySend returned %v, want %v", err, want)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("TrySend took %v", d)
		}
	}
	try(nil)
	f.set("bufferedAmount", 999)
	try(nil)
	f.set("bufferedAmount", 1000)
	try(nil) // the first measurement
	for range 2 {
		try(errors.ErrWouldBlock)
	}
	inCallback(t, func() { try(errors.ErrWouldBlock) })
	f.set("bufferedAmount", 0)
	inCallback(t, func() { try(nil) })
	if len(f.sent) != 4 || conn.Err() != nil {
		t.Errorf("%d messages were sent, and the connection has %v", len(f.sent), conn.Err())
	}
	f.set("readyState", 2)
	s.out.newTurn() // otherwise it would be gathered with those that follow
	try(errors.ErrWouldBlock)
	f.end(4000, "bye", true)
	if err := conn.Err(); !errors.Is(err, errors.CloseReason(4000)) {
		t.Errorf("the connection ended with %v", err)
	}
}

func TestSocketReceiveBuffer(t *testing.T) {
	f := newFake(t)
	_, conn := f.dial(&ws.Config{ReceiveBuffer: 10_000})
	var all []ws.Message
	deliver := func(n int) {
		for range n {
			all = append(all, ws.Binary(make([]byte, 1000)))
			f.deliver(all[len(all)-1])
		}
	}
	deliver(8)
	turn()
	if err := conn.Err(); err != nil {
		t.Fatalf("8,000 bytes are too many: %v", err)
	}
	got := receive(t, conn, 4)
	deliver(5)
	turn()
	if err := conn.Err(); err != nil {
		t.Fatalf("9,000 bytes are too many: %v", err)
	}
	deliver(2)
	select {
	case <-conn.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("11,000 bytes are few enough")
	}
	const want = "websocket: connection closed: 1008 (policy violation): receive buffer full"
	if err := conn.Err(); err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if len(f.closed) != 2 || f.closed[0] != 3908 {
		t.Errorf("close%v", f.closed)
	}
	f.deliver(ws.Text("too late"))
	expectMessages(t, append(got, receive(t, conn, 11)...), all)
	if m, err := conn.Receive(t.Context()); !errors.Is(err, errors.PolicyViolation) {
		t.Errorf("then received %q, %v", m.Data, err)
	}
}

// One message alone may fill more than the buffer.
func TestSocketReceiveBufferTakesOne(t *testing.T) {
	f := newFake(t)
	_, conn := f.dial(&ws.Config{ReceiveBuffer: 10_000})
	f.deliver(ws.Text(strings.Repeat("x", 100_000)))
	turn()
	if m := receive(t, conn, 1)[0]; len(m.Data) != 100_000 {
		t.Errorf("%d bytes", len(m.Data))
	}
}

// A loop without a pause would keep JavaScript from running at all.
func TestSocketTryReceiveLetsMessagesIn(t *testing.T) {
	f := newFake(t)
	_, conn := f.dial(nil)
	var js jscall.Builtins
	event := js.New("MessageEvent", "message", map[string]any{"data": "here"})
	js.Invoke(js.Get("setTimeout"), js.Method(f.js, "dispatchEvent"), 20, event)
	jsOK(t, &js)
	for start := time.Now(); ; {
		m, ok, err := conn.TryReceive()
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			if m.String() != "here" {
				t.Errorf("received %q", m.Data)
			}
			return
		}
		if time.Since(start) > 30*time.Second {
			t.Fatal("the message does not arrive")
		}
	}
}

// The wake-up is late only while it finds several messages.
func TestWakeupAdapts(t *testing.T) {
	f := newFake(t)
	s, _ := f.dial(nil)
	w := &s.in.wakeup
	w.late, w.patience, w.count = false, minPatience, 0
	find := func(several bool) {
		t.Helper()
		if _, err := w.adapt(s.in.relay, several); err != nil {
			t.Fatal(err)
		}
	}
	// until returns after how many wake-ups that find one message late changes.
	until := func(late bool) (n int) {
		for w.late != late {
			find(false)
			n++
		}
		return n
	}
	for patience := minPatience; patience <= 2*maxPatience; patience *= 2 {
		if n := until(true); n != min(patience, maxPatience) {
			t.Errorf("a late wake-up was tried after %d, want %d", n, min(patience, maxPatience))
		}
		if n := until(false); n != 1 {
			t.Errorf("%d late wake-ups found one message each", n)
		}
	}
	until(true)
	for range 10 {
		find(true)
	}
	if !w.late {
		t.Error("the wake-up is prompt while messages stream in")
	}
	if until(false); until(true) > 2*minPatience {
		t.Error("a stream that paused is not tried again soon")
	}
}

func TestNextPoll(t *testing.T) {
	for name, test := range map[string]struct {
		wait            time.Duration
		gone, remaining int
		want            time.Duration
	}{
		"nothing has left":    {2 * time.Millisecond, 0, 1000, 4 * time.Millisecond},
		"more came":           {2 * time.Millisecond, -500, 1000, 4 * time.Millisecond},
		"never too long":      {pollMax, 0, 1000, pollMax},
		"as much is left":     {4 * time.Millisecond, 1000, 1000, 4 * time.Millisecond},
		"half as much":        {4 * time.Millisecond, 1000, 500, 2 * time.Millisecond},
		"three times as much": {4 * time.Millisecond, 1000, 3000, 12 * time.Millisecond},
		"next to nothing":     {4 * time.Millisecond, 1 << 30, 1, pollMin},
		"very much":           {pollMax, 1, 1 << 32, pollMax},
	} {
		if got := nextPoll(test.wait, test.gone, test.remaining); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
