package stream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// messagesOf returns n messages, the same for the same seed. They have any size, are text or not,
// and some are incompressible.
func messagesOf(seed uint64, n, most int) []ws.Message {
	random := rand.New(rand.NewPCG(seed, 7))
	all := make([]ws.Message, n)
	for i := range all {
		var data []byte
		for size := random.IntN(most); len(data) < size; {
			data = append(data, []string{"a", "message ", "ü", "世界", "😀", "0123456789"}[random.IntN(6)]...)
		}
		all[i] = ws.Text(string(data))
		if random.IntN(2) == 0 {
			for i := range data {
				data[i] = byte(random.Uint32())
			}
			all[i] = ws.Binary(data)
		}
	}
	return all
}

// sendRandomly sends messages by Send, SendPrepared or NextWriter, cut into writes of any size.
func sendRandomly(ctx context.Context, conn *ws.Conn, all []ws.Message, random *rand.Rand) error {
	for _, m := range all {
		switch random.IntN(4) {
		case 0:
			if err := conn.Send(ctx, m); err != nil {
				return err
			}
			continue
		case 1:
			if err := conn.SendPrepared(ctx, ws.Prepare(m)); err != nil {
				return err
			}
			continue
		}
		w, err := conn.NextWriter(ctx, m.Kind)
		if err != nil {
			return err
		}
		for data := bytes.Clone(m.Data); len(data) > 0; {
			part := data[:1+random.IntN(len(data))]
			data = data[len(part):]
			if n, err := w.Write(part); n != len(part) || err != nil {
				return fmt.Errorf("Write of %d bytes: %d, %w", len(part), n, err)
			}
			clear(part) // the caller may reuse it
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}

// receiveRandomly receives messages whole or in parts, and compares them with all. It does not read
// some to their end, and ends some waits early.
func receiveRandomly(ctx context.Context, conn *ws.Conn, all []ws.Message, random *rand.Rand) error {
	for i, want := range all {
		short := func() (context.Context, context.CancelFunc) {
			if random.IntN(3) > 0 {
				return context.WithCancel(ctx)
			}
			return context.WithTimeout(ctx, time.Duration(random.IntN(300))*time.Microsecond)
		}
		for {
			try, cancel := short()
			err := receiveOne(try, conn, want, random)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				continue
			}
			if err != nil {
				return fmt.Errorf("message %d of %d bytes: %w", i, len(want.Data), err)
			}
			break
		}
	}
	return nil
}

func receiveOne(ctx context.Context, conn *ws.Conn, want ws.Message, random *rand.Rand) error {
	if random.IntN(3) == 0 {
		m, err := conn.Receive(ctx)
		if err == nil && (m.Kind != want.Kind || !bytes.Equal(m.Data, want.Data)) {
			err = fmt.Errorf("received a different message, of %d bytes", len(m.Data))
		}
		return err
	}
	kind, r, err := conn.NextReader(ctx)
	if err != nil {
		return err
	}
	var got []byte
	for {
		p := make([]byte, 1+random.IntN(40_000))
		n, err := r.Read(p)
		got = append(got, p[:n]...)
		if kind != want.Kind || !bytes.HasPrefix(want.Data, got) {
			return fmt.Errorf("read a different message: %v, %d bytes", kind, len(got))
		}
		switch {
		case err == io.EOF && len(got) == len(want.Data):
			return nil
		case err == io.EOF:
			return fmt.Errorf("the end after %d bytes", len(got))
		case errors.Is(err, context.DeadlineExceeded), err == nil && random.IntN(40) == 0:
			return nil // the next receive drops the rest
		case err != nil:
			return err
		case n == 0:
			return errors.New("Read returned nothing")
		}
	}
}

// TestRandomParts: messages arrive as they were sent, no matter which are sent and received whole
// or in parts, on every stream, with and without compression, in both directions at the same time.
func TestRandomParts(t *testing.T) {
	for _, deflate := range []*rfc6455.DeflateParams{nil,
		{ServerMaxWindowBits: 15, ClientMaxWindowBits: 12},
		{ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}} {
		t.Run(fmt.Sprint(deflate != nil, deflate != nil && deflate.ServerNoContextTakeover), func(t *testing.T) {
			onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
				seed := rand.Uint64()
				t.Logf("seed %d", seed)
				random := rand.New(rand.NewPCG(seed, 0))
				o := func() Options {
					return Options{Deflate: deflate, Config: ws.Config{MaxMessageSize: 1 << 20, FragmentSize: 1 + random.IntN(30_000)}}
				}
				client, server := connect(t, rfc6455.Client, c, o()), connect(t, rfc6455.Server, s, o())
				ctx := within(t)
				failed := make(chan error, 4)
				for i, side := range []struct{ from, to *ws.Conn }{{client, server}, {server, client}} {
					all := messagesOf(seed+uint64(i), 25, 150_000)
					go func() {
						failed <- sendRandomly(ctx, side.from, all, rand.New(rand.NewPCG(seed, uint64(i+1))))
					}()
					go func() {
						failed <- receiveRandomly(ctx, side.to, all, rand.New(rand.NewPCG(seed, uint64(i+3))))
					}()
				}
				for range cap(failed) {
					if err := <-failed; err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

// TestPartsInConstantMemory sends more than both sides may hold, with and without compression.
func TestPartsInConstantMemory(t *testing.T) {
	const size = 64 << 20
	for _, deflate := range []*rfc6455.DeflateParams{nil, {ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}} {
		for _, toServer := range []bool{false, true} {
			t.Run(fmt.Sprint(deflate != nil, toServer), func(t *testing.T) {
				c, s := tcpPair(t)
				o := Options{Deflate: deflate, Config: ws.Config{MaxStreamSize: -1}}
				from, to := connect(t, rfc6455.Client, c, o), connect(t, rfc6455.Server, s, o)
				if !toServer {
					from, to = to, from
				}
				block := bytes.Repeat([]byte("a block of 64 bytes that compresses well, at least a little bit."), 1<<10)
				go func() {
					w, err := from.NextWriter(context.Background(), ws.KindText)
					if err != nil {
						t.Error(err)
						return
					}
					for n := 0; n < size; n += len(block) {
						if _, err := w.Write(block); err != nil {
							t.Error(err)
							return
						}
					}
					if err := w.Close(); err != nil {
						t.Error(err)
					}
				}()
				_, r, err := to.NextReader(within(t))
				if err != nil {
					t.Fatal(err)
				}
				var before, after runtime.MemStats
				buf := make([]byte, 64<<10)
				n := 0
				for {
					m, err := r.Read(buf)
					for i := range m {
						if buf[i] != block[(n+i)%len(block)] {
							t.Fatalf("byte %d is wrong", n+i)
						}
					}
					switch n += m; {
					case n > 4<<20 && before.Sys == 0:
						runtime.GC()
						runtime.ReadMemStats(&before)
					case n > 60<<20 && after.Sys == 0:
						runtime.GC()
						runtime.ReadMemStats(&after)
					}
					if err == io.EOF {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if n != size {
					t.Fatalf("received %d bytes", n)
				}
				// Both sides together may hold 1.25 MiB more or less, and the collector some of it twice.
				if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 8<<20 {
					t.Errorf("the heap grew by %d bytes", grown)
				}
			})
		}
	}
}

// TestControlFramesBetweenFragments: both sides ping while a message is written slowly.
func TestControlFramesBetweenFragments(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		o := Options{Config: ws.Config{FragmentSize: 10}, PingInterval: 20 * time.Millisecond, PingTimeout: slack}
		client, server := connect(t, rfc6455.Client, c, o), connect(t, rfc6455.Server, s, o)
		w, err := client.NextWriter(within(t), ws.KindText)
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan string, 1)
		go func() {
			_, r, err := server.NextReader(within(t))
			if err != nil {
				t.Error(err)
			}
			text, err := io.ReadAll(r)
			if err != nil {
				t.Error(err)
			}
			got <- string(text)
		}()
		go client.Receive(context.Background())
		want := ""
		for i := 0; client.Latency() == 0 || server.Latency() == 0 || i < 10; i++ {
			if i > 3000 {
				t.Fatal("received no pong")
			}
			if _, err := io.WriteString(w, "ten bytes."); err != nil {
				t.Fatal(err)
			}
			want += "ten bytes."
			time.Sleep(10 * time.Millisecond)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if text := <-got; text != want {
			t.Errorf("received %q", text)
		}
	})
}

// TestSendDuringAMessage: other sends wait, or return ErrWouldBlock.
func TestSendDuringAMessage(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		o := Options{Config: ws.Config{FragmentSize: 4}}
		client, server := connect(t, rfc6455.Client, c, o), connect(t, rfc6455.Server, s, o)
		ctx := within(t)
		w, err := server.NextWriter(ctx, ws.KindText)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "begun, ")
		soon, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		if err := server.Send(soon, ws.Text("no")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send = %v", err)
		}
		if err := server.SendPrepared(soon, ws.Prepare(ws.Text("no"))); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("SendPrepared = %v", err)
		}
		if _, err := server.NextWriter(soon, ws.KindText); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("NextWriter = %v", err)
		}
		if err := server.TrySend(ws.Text("no")); !errors.Is(err, errors.ErrWouldBlock) {
			t.Errorf("TrySend = %v", err)
		}
		if err := server.TrySendPrepared(ws.Prepare(ws.Text("no"))); !errors.Is(err, errors.ErrWouldBlock) {
			t.Errorf("TrySendPrepared = %v", err)
		}
		sent := make(chan error)
		go func() { sent <- server.Send(ctx, ws.Text("after")) }()
		io.WriteString(w, "done")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		if n, err := w.Write([]byte("late")); n != 0 || !errors.Is(err, io.ErrClosedPipe) || w.Close() != nil {
			t.Errorf("Write after Close = %d, %v", n, err)
		}
		mustReceive(t, client, "begun, done")
		mustReceive(t, client, "after")
	})
}

// TestAbandonedMessage: the peer never mistakes a part for the complete message.
func TestAbandonedMessage(t *testing.T) {
	for name, abandon := range map[string]func(t *testing.T, conn *ws.Conn, w io.WriteCloser, cancel func()) error{
		"its context ends": func(t *testing.T, _ *ws.Conn, w io.WriteCloser, cancel func()) error {
			cancel()
			return w.Close()
		},
		"text that is not UTF-8": func(t *testing.T, _ *ws.Conn, w io.WriteCloser, _ func()) error {
			_, err := w.Write([]byte{0xff})
			return err
		},
		"a rune that is not whole": func(t *testing.T, _ *ws.Conn, w io.WriteCloser, _ func()) error {
			w.Write([]byte("世")[:2])
			return w.Close()
		},
		"too much": func(t *testing.T, _ *ws.Conn, w io.WriteCloser, _ func()) error {
			_, err := w.Write(make([]byte, 1<<20))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
				o := Options{Config: ws.Config{FragmentSize: 4}}
				client, server := connect(t, rfc6455.Client, c, o), connect(t, rfc6455.Server, s, o)
				go client.Receive(context.Background())

				// No fragment was written, so there is no effect.
				ctx, cancel := context.WithCancel(within(t))
				w, err := client.NextWriter(ctx, ws.KindText)
				if err != nil {
					t.Fatal(err)
				}
				cancel()
				if err := w.Close(); !errors.Is(err, errors.ErrMessageAbandoned) || !errors.Is(err, context.Canceled) || client.Err() != nil {
					t.Fatalf("Close = %v, and Err %v", err, client.Err())
				}

				ctx, cancel = context.WithCancel(within(t))
				defer cancel()
				if w, err = client.NextWriter(ctx, ws.KindText); err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(w, "the beginning"); err != nil {
					t.Fatal(err)
				}
				waits := make(chan error)
				go func() { waits <- client.Send(within(t), ws.Text("no")) }()
				err = abandon(t, client, w, cancel)
				if !errors.Is(err, errors.ErrMessageAbandoned) || !errors.Is(err, errors.ErrWebSocket) {
					t.Errorf("the error is %v", err)
				}
				if again := w.Close(); again == nil || again.Error() != err.Error() {
					t.Errorf("Close after %v = %v", err, again)
				}
				if err := <-waits; !errors.Is(err, errors.InternalError) {
					t.Errorf("the waiting Send = %v", err)
				}
				if closed, ok := errors.AsType[*errors.ConnectionClosed](client.Err()); !ok || closed.Reason != errors.InternalError ||
					closed.Message != "a message was begun and not completed" || !errors.Is(closed, errors.ErrMessageAbandoned) {
					t.Errorf("the connection ended with %v", client.Err())
				}
				_, r, err := server.NextReader(within(t))
				if err == nil {
					_, err = io.ReadAll(r)
				}
				if !errors.Is(err, errors.InternalError) {
					t.Errorf("the peer: %v", err)
				}
			})
		})
	}
}

// TestDroppedWriter: a writer that the program drops without Close does not block the connection
// forever.
func TestDroppedWriter(t *testing.T) {
	c, s := tcpPair(t)
	client := connect(t, rfc6455.Client, c, Options{})
	connect(t, rfc6455.Server, s, Options{})
	func() {
		w, err := client.NextWriter(context.Background(), ws.KindText)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "x")
	}()
	for late := time.Now().Add(slack); client.Err() == nil && time.Now().Before(late); time.Sleep(5 * time.Millisecond) {
		runtime.GC()
	}
	if err := client.Err(); !errors.Is(err, errors.InternalError) || !strings.Contains(err.Error(), "dropped without Close") {
		t.Errorf("the connection: %v", err)
	}
}

// TestCloseInTheMiddle: a Close of either side ends a message that is being written and read.
func TestCloseInTheMiddle(t *testing.T) {
	for _, byWriter := range []bool{true, false} {
		t.Run(fmt.Sprint(byWriter), func(t *testing.T) {
			onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
				o := Options{Config: ws.Config{FragmentSize: 4, MaxStreamSize: -1}}
				client, server := connect(t, rfc6455.Client, c, o), connect(t, rfc6455.Server, s, o)
				w, err := client.NextWriter(within(t), ws.KindText)
				if err != nil {
					t.Fatal(err)
				}
				io.WriteString(w, "one part")
				read := make(chan error, 1)
				go func() {
					_, r, err := server.NextReader(context.Background())
					if err == nil {
						_, err = io.ReadAll(r)
					}
					read <- err
				}()
				closer, other := client, server
				if !byWriter {
					closer, other = server, client
					go client.Receive(context.Background())
				}
				if err := closer.Close(errors.GoingAway, "enough"); err != nil {
					t.Fatalf("Close = %v", err)
				}
				if err := <-read; !errors.Is(err, errors.GoingAway) {
					t.Errorf("the reader: %v", err)
				}
				<-other.Done()
				if _, err := w.Write([]byte("more")); !errors.Is(err, errors.GoingAway) {
					t.Errorf("Write = %v", err)
				}
				if err := w.Close(); !errors.Is(err, errors.GoingAway) {
					t.Errorf("Close of the writer = %v", err)
				}
			})
		})
	}
}

// TestPartsThatBreakOff: the received bytes are returned, and the end is not io.EOF.
func TestPartsThatBreakOff(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client := connect(t, rfc6455.Client, c, Options{})
		go func() {
			write(t, s, frame(0x01, false, []byte("one")), frame(0x00, false, []byte("two"))[:4])
			s.Close()
		}()
		_, r, err := client.NextReader(within(t))
		if err == nil {
			var data []byte
			data, err = io.ReadAll(r)
			if string(data) != "onetw" {
				t.Errorf("received %q", data)
			}
		}
		if !errors.Is(err, errors.AbnormalClosure) {
			t.Errorf("the end = %v", err)
		}
	})
}

// TestOlderReader: the next receive drops a message that was not read to its end.
func TestOlderReader(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client, server := connect(t, rfc6455.Client, c, Options{}), connect(t, rfc6455.Server, s, Options{})
		large := strings.Repeat("large", 100_000)
		go func() {
			for _, text := range []string{large, "two", large, "four", large, "six"} {
				sendOrReport(t, client, ws.Text(text))
			}
		}()
		begin := func(read int) io.Reader {
			_, r, err := server.NextReader(within(t))
			if err == nil {
				_, err = io.ReadFull(r, make([]byte, read))
			}
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		abandoned := func(r io.Reader) {
			t.Helper()
			if n, err := r.Read(make([]byte, 10)); n != 0 || !errors.Is(err, errors.ErrMessageAbandoned) {
				t.Errorf("Read of an older reader = %d, %v", n, err)
			}
		}
		r := begin(5)
		mustReceive(t, server, "two")
		abandoned(r)
		r = begin(0)
		four := begin(4)
		abandoned(r)
		if n, err := four.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("Read at the end = %d, %v", n, err)
		}
		r = begin(100_000)
		for {
			m, ok, err := server.TryReceive()
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				if m.String() != "six" {
					t.Errorf("TryReceive = %.20q", m)
				}
				break
			}
			time.Sleep(time.Millisecond)
		}
		abandoned(r)
		if n, err := four.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("Read at the end, again = %d, %v", n, err)
		}
	})
}

// TestLargeMessageWaitsForItsReader: a message that only NextReader may take waits for NextReader,
// and Receive refuses it.
func TestLargeMessageWaitsForItsReader(t *testing.T) {
	for _, deflate := range []*rfc6455.DeflateParams{nil, {ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}} {
		for _, parts := range []bool{true, false} {
			t.Run(fmt.Sprint(deflate != nil, parts), func(t *testing.T) {
				c, s := tcpPair(t)
				o := Options{Deflate: deflate, DeflatePolicy: rfc6455.DeflatePolicy{Threshold: -1}, Config: ws.Config{MaxMessageSize: -1}}
				client := connect(t, rfc6455.Client, c, o)
				o.Config = ws.Config{MaxMessageSize: 10, MaxStreamSize: 1000}
				server := connect(t, rfc6455.Server, s, o)
				sendOrReport(t, client, ws.Text("small"))
				sendOrReport(t, client, ws.Text(strings.Repeat("large", 100)))
				sendOrReport(t, client, ws.Text("small"))
				time.Sleep(300 * time.Millisecond) // a background reader has run
				if err := server.Err(); err != nil {
					t.Fatal(err)
				}
				mustReceive(t, server, "small")
				if !parts {
					if _, err := server.Receive(within(t)); !errors.Is(err, errors.MessageTooBig) || !strings.Contains(err.Error(), "limit") {
						t.Errorf("Receive = %v", err)
					}
					return
				}
				_, r, err := server.NextReader(within(t))
				if err != nil {
					t.Fatal(err)
				}
				if text, err := io.ReadAll(r); err != nil || string(text) != strings.Repeat("large", 100) {
					t.Fatalf("%d bytes, %v", len(text), err)
				}
				mustReceive(t, server, "small")
				sendOrReport(t, client, ws.Text(strings.Repeat("large", 201)))
				_, r, err = server.NextReader(within(t))
				if err == nil {
					_, err = io.ReadAll(r)
				}
				if !errors.Is(err, errors.MessageTooBig) || !strings.Contains(err.Error(), "1000 bytes") {
					t.Errorf("a message over MaxStreamSize: %v", err)
				}
			})
		}
	}
}

// TestReadAheadOfAMessage: while the program does not read, pings are answered until the receive
// buffer is full, and no more than that is held.
func TestReadAheadOfAMessage(t *testing.T) {
	c, s := tcpPair(t)
	transport := New(s, Options{Role: rfc6455.Server, Config: ws.Config{ReceiveBuffer: 20_000}})
	server := ws.NewConn(transport, nil)
	defer server.Close(errors.NormalClosure, "")
	write(t, c, frame(0x01, true, []byte("beginning")))
	_, r, err := server.NextReader(within(t))
	if err != nil {
		t.Fatal(err)
	}
	write(t, c, frame(0x00, true, bytes.Repeat([]byte("x"), 10_000)), frame(0x89, true, []byte("ping")))
	if first, payload := readFrame(t, c); first != 0x8a || string(payload) != "ping" {
		t.Fatalf("got %x %q, want a pong", first, payload)
	}
	write(t, c, frame(0x00, true, bytes.Repeat([]byte("x"), 30_000)), frame(0x80, true, nil), frame(0x81, true, []byte("next")))
	listening := true
	for late := time.Now().Add(slack); listening && time.Now().Before(late); time.Sleep(10 * time.Millisecond) {
		_, listening = transport.Arrivals()
	}
	if listening {
		t.Error("listening = true with a full receive buffer")
	}
	transport.reading.Lock()
	held := len(transport.open().held)
	transport.reading.Unlock()
	if held > 20_000 {
		t.Errorf("Memory = %d", held)
	}
	text, err := io.ReadAll(r)
	if want := "beginning" + strings.Repeat("x", 40_000); err != nil || string(text) != want {
		t.Errorf("received %d bytes, %v", len(text), err)
	}
	mustReceive(t, server, "next")
}
