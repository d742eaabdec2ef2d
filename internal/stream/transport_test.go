package stream

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/internal/testing/leak"
	"github.com/isosocket/isosocket/ws"
)

func TestMain(m *testing.M) { leak.Main(m) }

// bare hides all methods of a net.Conn except Read, Write and Close.
type bare struct{ io.ReadWriteCloser }

// streams are the kinds of streams that a Transport treats differently.
var streams = map[string]func(t testing.TB) (client, server io.ReadWriteCloser){
	"socket": func(t testing.TB) (io.ReadWriteCloser, io.ReadWriteCloser) { c, s := tcpPair(t); return c, s },
	"TLS":    tlsPair,
	"memory": func(testing.TB) (io.ReadWriteCloser, io.ReadWriteCloser) { c, s := net.Pipe(); return c, s },
	"no deadlines": func(t testing.TB) (io.ReadWriteCloser, io.ReadWriteCloser) {
		c, s := tcpPair(t)
		return bare{c}, bare{s}
	},
	"wrapped": func(t testing.TB) (io.ReadWriteCloser, io.ReadWriteCloser) {
		c, s := tcpPair(t)
		return &scrambled{TCPConn: c.(*net.TCPConn)}, &scrambled{TCPConn: s.(*net.TCPConn)}
	},
	"failing deadlines": func(t testing.TB) (io.ReadWriteCloser, io.ReadWriteCloser) {
		c, s := tcpPair(t)
		return failingDeadlines{c}, failingDeadlines{s}
	},
}

func onEveryStream(t *testing.T, test func(t *testing.T, client, server io.ReadWriteCloser)) {
	t.Helper()
	for name, open := range streams {
		t.Run(name, func(t *testing.T) {
			client, server := open(t)
			t.Cleanup(func() { client.Close(); server.Close() })
			test(t, client, server)
		})
	}
}

func tcpPair(t testing.TB) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return client, server
}

func tlsPair(t testing.TB) (io.ReadWriteCloser, io.ReadWriteCloser) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, s := tcpPair(t)
	client := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	server := tls.Server(s, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := server.Handshake(); err != nil {
			t.Error(err)
		}
	})
	if err := client.Handshake(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	return client, server
}

func connect(t testing.TB, role rfc6455.Role, rwc io.ReadWriteCloser, o Options) *ws.Conn {
	t.Helper()
	o.Role = role
	conn := ws.NewConn(New(rwc, o), &o.Config)
	t.Cleanup(func() { rwc.Close(); conn.Close(errors.NormalClosure, "") })
	return conn
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func sendOrReport(t testing.TB, conn *ws.Conn, m ws.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := conn.Send(ctx, m); err != nil {
		t.Errorf("Send: %v", err)
	}
}

func mustReceive(t testing.TB, conn *ws.Conn, want string) {
	t.Helper()
	m, err := conn.Receive(within(t))
	if err != nil {
		t.Fatalf("Receive: %v", err)
	}
	if got := m.String(); got != want {
		t.Fatalf("Receive = %.40q (%d bytes), want %.40q (%d bytes)", got, len(got), want, len(want))
	}
}

// mustEnd receives the end, twice, and compares it with the expected end.
func mustEnd(t testing.TB, conn *ws.Conn, reason errors.CloseReason, message string, remote bool) {
	t.Helper()
	for range 2 {
		_, err := conn.Receive(within(t))
		closed, ok := errors.AsType[*errors.ConnectionClosed](err)
		if !ok {
			t.Fatalf("Receive = %v, want the end", err)
		}
		if closed.Reason != reason || closed.Remote != remote || message != "*" && closed.Message != message {
			t.Fatalf("ended with %+v, want %d %q remote=%v", closed, reason, message, remote)
		}
	}
	if err := conn.Send(within(t), ws.Text("late")); err == nil || err != conn.Err() {
		t.Fatalf("Send after the end = %v, want %v", err, conn.Err())
	}
	select {
	case <-conn.Done():
	default:
		t.Fatal("Done is open after the end")
	}
}

// frame returns an unmasked or masked frame, built by hand.
func frame(first byte, masked bool, payload []byte) []byte {
	b := []byte{first}
	mask := byte(0)
	if masked {
		mask = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = append(b, mask|126, byte(n>>8), byte(n))
	default:
		b = append(b, mask|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	if masked {
		b = append(b, 0, 0, 0, 0)
	}
	return append(b, payload...)
}

func closeFrame(masked bool, code uint16, message string) []byte {
	return frame(0x88, masked, append([]byte{byte(code >> 8), byte(code)}, message...))
}

func write(t testing.TB, w io.Writer, b ...[]byte) {
	t.Helper()
	if _, err := w.Write(slices.Concat(b...)); err != nil {
		t.Errorf("peer's write: %v", err)
	}
}

// readFrame reads and unmasks one frame of at most 125 bytes.
func readFrame(t testing.TB, r io.Reader) (first byte, payload []byte) {
	t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		t.Fatalf("peer's read: %v", err)
	}
	var key [4]byte
	if head[1]&0x80 != 0 {
		io.ReadFull(r, key[:])
	}
	payload = make([]byte, head[1]&0x7f)
	if _, err := io.ReadFull(r, payload); err != nil {
		t.Fatalf("peer's read: %v", err)
	}
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return head[0], payload
}

func TestMessagesOfEverySize(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		o := Options{Config: ws.Config{MaxMessageSize: 4 << 20}}
		client, server := connect(t, rfc6455.Client, c, o), connect(t, rfc6455.Server, s, o)
		sizes := []int{0, 1, 125, 126, 65535, 65536, 1 << 20, 3 << 20, 4 << 20, 7}
		done := make(chan error, 1)
		go func() {
			buf := make([]byte, 1<<10)
			for m, err := server.ReceiveInto(context.Background(), buf); ; m, err = server.ReceiveInto(context.Background(), buf) {
				if err != nil {
					done <- err
					return
				}
				server.Send(context.Background(), m)
			}
		}()
		for _, n := range sizes {
			data := make([]byte, n)
			rand.Read(data)
			sendOrReport(t, client, ws.Binary(data))
			m, err := client.Receive(within(t))
			if err != nil || m.Kind != ws.KindBinary || !bytes.Equal(m.Data, data) {
				t.Fatalf("%d bytes were echoed as %d bytes, %v, %v", n, len(m.Data), m.Kind, err)
			}
		}
		if err := client.Close(errors.NormalClosure, "done"); err != nil {
			t.Fatalf("Close: %v", err)
		}
		if err := <-done; !errors.Is(err, errors.NormalClosure) {
			t.Fatalf("server's end = %v", err)
		}
		mustEnd(t, client, errors.NormalClosure, "done", false)
		mustEnd(t, server, errors.NormalClosure, "done", true)
	})
}

func TestMessagesBeforeTheClose(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client := connect(t, rfc6455.Client, c, Options{})
		go write(t, s, frame(0x81, false, []byte("one")), frame(0x82, false, []byte("two")), closeFrame(false, 4001, "enough"))
		<-client.Done() // a background reader detects the end
		mustReceive(t, client, "one")
		mustReceive(t, client, "two")
		mustEnd(t, client, 4001, "enough", true)
		if first, payload := readFrame(t, s); first != 0x88 || string(payload) != "\x0f\xa1" {
			t.Fatalf("answer to the close = %x %q", first, payload)
		}
	})
}

func TestLostWithoutClose(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client := connect(t, rfc6455.Client, c, Options{})
		go func() {
			write(t, s, frame(0x81, false, []byte("one")), frame(0x81, false, []byte("cut"))[:3])
			s.Close()
		}()
		mustReceive(t, client, "one")
		mustEnd(t, client, errors.AbnormalClosure, "", false)
		if err := client.Close(errors.NormalClosure, ""); err != nil {
			t.Fatalf("Close after the end = %v", err)
		}
	})
}

func TestReset(t *testing.T) {
	c, s := tcpPair(t)
	client := connect(t, rfc6455.Client, c, Options{})
	write(t, s, frame(0x81, false, []byte("one")))
	s.(*net.TCPConn).SetLinger(0)
	mustReceive(t, client, "one")
	s.Close()
	mustEnd(t, client, errors.AbnormalClosure, "", false)
}

func TestContextInTheMiddleOfAMessage(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client := connect(t, rfc6455.Client, c, Options{})
		long := strings.Repeat("long", 50_000)
		whole := frame(0x81, false, []byte(long))
		cuts := []int{1, 3, 5, 11, 4000, 40_000, 150_000, len(whole)}
		buf := make([]byte, 0, 1<<20)
		from := 0
		written := make(chan struct{})
		close(written)
		for i, to := range cuts {
			before, part, done := written, whole[from:to], make(chan struct{})
			go func() {
				<-before // a slow reader may delay the last write
				write(t, s, part)
				close(done)
			}()
			from, written = to, done
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			receive := client.Receive
			if i%2 == 0 {
				receive = func(ctx context.Context) (ws.Message, error) { return client.ReceiveInto(ctx, buf) }
			}
			m, err := receive(ctx)
			cancel()
			clear(buf[:cap(buf)]) // the buffer is the caller's after an error
			if to < len(whole) {
				if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errors.ErrWebSocket) {
					t.Fatalf("cut at %d: %v, %v", to, len(m.Data), err)
				}
			} else if err != nil {
				mustReceive(t, client, long)
			} else if m.String() != long {
				t.Fatalf("%d bytes, want %d", len(m.Data), len(long))
			}
		}
		if client.Err() != nil {
			t.Fatalf("Err = %v", client.Err())
		}
	})
}

func TestShortReceivesLoseNothing(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client, server := connect(t, rfc6455.Client, c, Options{}), connect(t, rfc6455.Server, s, Options{})
		const n = 500
		go func() {
			for i := range n {
				sendOrReport(t, server, ws.Text(fmt.Sprint(i)))
				if i%50 == 0 {
					time.Sleep(3 * time.Millisecond)
				}
			}
		}()
		for i := 0; i < n; {
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Microsecond)
			m, err := client.Receive(ctx)
			cancel()
			switch {
			case err == nil && m.String() == fmt.Sprint(i):
				i++
			case err == nil:
				t.Fatalf("got message %q, want message %d", m, i)
			case !errors.Is(err, context.DeadlineExceeded):
				t.Fatal(err)
			}
		}
	})
}

func TestEndedContextStillGivesWhatIsHere(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client := connect(t, rfc6455.Client, c, Options{})
		go write(t, s, frame(0x81, false, []byte("a")), frame(0x81, false, []byte("b")))
		mustReceive(t, client, "a")
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		for {
			m, err := client.Receive(ended)
			if err == nil {
				if m.String() != "b" {
					t.Fatalf("got %q", m)
				}
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		if _, err := client.Receive(ended); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	})
}

func TestTryReceiveFindsEverything(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client, server := connect(t, rfc6455.Client, c, Options{}), connect(t, rfc6455.Server, s, Options{})
		const n = 200
		go func() {
			for i := range n {
				sendOrReport(t, server, ws.Text(fmt.Sprint(i)))
			}
			server.Close(errors.GoingAway, "")
		}()
		deadline := time.Now().Add(time.Minute)
		for i := 0; ; {
			m, ok, err := client.TryReceive()
			if err != nil {
				if i != n || !errors.Is(err, errors.GoingAway) {
					t.Fatalf("after %d messages: %v", i, err)
				}
				return
			}
			if ok {
				if m.String() != fmt.Sprint(i) {
					t.Fatalf("got message %q, want message %d", m, i)
				}
				i++
			} else if time.Now().After(deadline) {
				t.Fatalf("received only %d messages", i)
			} else {
				time.Sleep(100 * time.Microsecond)
			}
		}
	})
}

func TestPingIsAnsweredWithoutAReceive(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client := connect(t, rfc6455.Client, c, Options{})
		go write(t, s, frame(0x81, false, []byte("first")), frame(0x89, false, []byte("are you there")))
		if first, payload := readFrame(t, s); first != 0x8a || string(payload) != "are you there" {
			t.Fatalf("answer = %x %q", first, payload)
		}
		mustReceive(t, client, "first")
	})
}

func TestPeerClosesOnOneWhoOnlySends(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client := connect(t, rfc6455.Client, c, Options{})
		go func() {
			readFrame(t, s)
			write(t, s, closeFrame(false, 1013, "busy"))
			io.Copy(io.Discard, s)
		}()
		ctx := within(t)
		for {
			if err := client.Send(ctx, ws.Text("x")); err != nil {
				if !errors.Is(err, errors.TryAgainLater) {
					t.Fatalf("Send = %v", err)
				}
				break
			}
			time.Sleep(time.Millisecond)
		}
		mustEnd(t, client, errors.TryAgainLater, "busy", true)
	})
}

// A failed write must not hide an earlier reason from the peer.
func TestReasonSurvivesAFailedWrite(t *testing.T) {
	c, s := tcpPair(t)
	client := connect(t, rfc6455.Client, c, Options{})
	write(t, s, frame(0x81, false, []byte("last words")), closeFrame(false, 4009, "gone"))
	s.Close()
	for range 100 {
		if err := client.Send(within(t), ws.Text("x")); err != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	mustReceive(t, client, "last words")
	mustEnd(t, client, 4009, "gone", true)
}

func TestSendWaitsAboveTheHighWaterMark(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		o := Options{Config: ws.Config{SendBuffer: 256 << 10}}
		transport := New(c, o)
		client := ws.NewConn(transport, &o.Config)
		t.Cleanup(func() { c.Close(); client.Close(errors.NormalClosure, "") })
		data := make([]byte, 64<<10)
		sent, tries := 0, 0
		for {
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			err := client.Send(ctx, ws.Binary(data))
			cancel()
			if err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatal(err)
				}
				if tries++; tries < 100 && client.Buffered()-unsent(transport) < o.Config.SendBuffer {
					continue // the context has ended on a busy machine
				}
				break
			}
			if sent++; sent > 1000 {
				t.Fatal("Send accepted 64 MB for a peer that does not read")
			}
		}
		if b := client.Buffered() - unsent(transport); b < o.Config.SendBuffer || b > 2*o.Config.SendBuffer {
			t.Errorf("Buffered = %d above a mark of %d", b, o.Config.SendBuffer)
		}
		server := connect(t, rfc6455.Server, s, Options{})
		for range sent {
			if m, err := server.Receive(within(t)); err != nil || len(m.Data) != len(data) {
				t.Fatalf("%d bytes, %v", len(m.Data), err)
			}
		}
		if err := client.Flush(within(t)); err != nil || client.Buffered() != 0 {
			t.Fatalf("Flush = %v, Buffered = %d", err, client.Buffered())
		}
		sendOrReport(t, client, ws.Text("on it goes"))
		mustReceive(t, server, "on it goes") // the message of the failed Send is not queued
	})
}

func TestConcurrentSendsKeepWholeAndInOrder(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client, server := connect(t, rfc6455.Client, c, Options{}), connect(t, rfc6455.Server, s, Options{})
		const senders, each = 16, 100
		for g := range senders {
			go func() {
				for i := range each {
					sendOrReport(t, client, ws.Text(fmt.Sprintf("%d %d %s", g, i, strings.Repeat("x", i*g))))
				}
			}()
		}
		var next [senders]int
		for range senders * each {
			m, err := server.Receive(within(t))
			if err != nil {
				t.Fatal(err)
			}
			var g, i int
			var x string
			fmt.Sscanf(m.String(), "%d %d %s", &g, &i, &x)
			if i != next[g] || len(x) != i*g {
				t.Fatalf("from %d: message %d of %d bytes, want %d of %d", g, i, len(x), next[g], next[g]*g)
			}
			next[g]++
		}
	})
}

// No matter in which order messages are sent and received, no output stays unsent while the
// process is idle.
func TestNothingStaysBehind(t *testing.T) {
	for name, open := range streams {
		if name == "memory" {
			continue // a write waits for its reader, so Flush would too
		}
		t.Run(name, func(t *testing.T) {
			c, s := open(t)
			client := connect(t, rfc6455.Client, c, Options{})
			// Three messages arrive in one read, and one is answered. The other two stay
			// unread, because there is no further Receive.
			write(t, s, frame(0x81, false, []byte("1")), frame(0x81, false, []byte("2")), frame(0x81, false, []byte("3")))
			mustReceive(t, client, "1")
			sendOrReport(t, client, ws.Text("answer"))
			if first, payload := readFrame(t, s); first != 0x81 || string(payload) != "answer" {
				t.Fatalf("peer got %x %q", first, payload)
			}
			mustReceive(t, client, "2")
			sendOrReport(t, client, ws.Text("again"))
			if _, payload := readFrame(t, s); string(payload) != "again" {
				t.Fatalf("peer got %q", payload)
			}
		})
	}
}

// The same for any order of sends and receives: once every goroutine is blocked, all
// output has left, without a Flush and without a timer.
func TestIdleMeansSent(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			random := mathrand.New(mathrand.NewPCG(seed, 1))
			c, s := net.Pipe()
			transport := New(c, Options{Role: rfc6455.Client})
			client := ws.NewConn(transport, nil)
			go io.Copy(io.Discard, s)
			batches := make(chan []byte, 100)
			defer close(batches)
			go func() {
				for batch := range batches {
					s.Write(batch)
				}
			}()
			for range 20 {
				for range random.IntN(4) {
					batches <- bytes.Repeat(frame(0x81, false, []byte("hello")), 1+random.IntN(5))
				}
				start := time.Now()
				for range random.IntN(30) {
					if random.IntN(3) == 0 {
						client.TryReceive()
					} else if err := client.Send(t.Context(), ws.Text("hello")); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if n := client.Buffered(); n != 0 || time.Since(start) != 0 {
					t.Fatalf("seed %d: %d bytes are unsent after %v", seed, n, time.Since(start))
				}
			}
			s.Close()
			client.Close(errors.NormalClosure, "")
		})
	}
}

// A burst is written in growing pieces, and arrives complete and in order.
func TestBurst(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client, server := connect(t, rfc6455.Client, c, Options{}), connect(t, rfc6455.Server, s, Options{})
		const n = 5_000
		go func() {
			for i := range n {
				sendOrReport(t, client, ws.Text(strconv.Itoa(i)))
			}
		}()
		ctx := within(t)
		for i := range n {
			m, err := server.Receive(ctx)
			if err != nil || m.String() != strconv.Itoa(i) {
				t.Fatalf("message %d is %q, %v", i, m, err)
			}
		}
	})
}

func TestPreparedBetweenOthers(t *testing.T) {
	for name, deflate := range map[string]*rfc6455.DeflateParams{
		"plain":            nil,
		"takeover":         {},
		"no takeover":      {ServerNoContextTakeover: true, ClientNoContextTakeover: true},
		"window of 10 bit": {ServerMaxWindowBits: 10},
	} {
		t.Run(name, func(t *testing.T) {
			onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
				o := Options{Deflate: deflate, Config: ws.Config{MaxMessageSize: 4 << 20}}
				client, server := connect(t, rfc6455.Client, c, o), connect(t, rfc6455.Server, s, o)
				text := strings.Repeat(`{"tick":1,"name":"isosocket"}`, 40)
				shared := []*ws.Prepared{
					ws.Prepare(ws.Text(text)), ws.Prepare(ws.Text("tiny")), ws.Prepare(ws.Binary(make([]byte, 3<<20))),
				}
				go func() {
					ctx := context.Background()
					for i := range 30 {
						server.Send(ctx, ws.Text(text+strconv.Itoa(i)))
						server.SendPrepared(ctx, shared[i%3])
					}
					client.SendPrepared(ctx, shared[0])
				}()
				ctx := within(t)
				for i := range 30 {
					mustReceive(t, client, text+strconv.Itoa(i))
					m, err := client.Receive(ctx)
					if want := shared[i%3].Message(); err != nil || m.Kind != want.Kind || !bytes.Equal(m.Data, want.Data) {
						t.Fatalf("shared message %d: %d bytes, %v", i, len(m.Data), err)
					}
				}
				mustReceive(t, server, text)
				if err := server.SendPrepared(ctx, ws.Prepare(ws.Binary(make([]byte, 5<<20)))); !errors.Is(err, errors.ErrMessageTooBig) {
					t.Errorf("over the limit: %v", err)
				}
				if err := server.SendPrepared(ctx, ws.Prepare(ws.Message{Kind: ws.KindText, Data: []byte("\xff")})); !errors.Is(err, errors.ErrInvalidUTF8) {
					t.Errorf("not UTF-8: %v", err)
				}
			})
		})
	}
}

func TestTooBig(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		server := connect(t, rfc6455.Server, s, Options{Config: ws.Config{MaxMessageSize: 1000}})
		// If no buffer is on the path, the last write cannot end.
		go c.Write(slices.Concat(frame(0x82, true, make([]byte, 1000)), frame(0x82, true, make([]byte, 100_000))))
		if m, err := server.Receive(within(t)); err != nil || len(m.Data) != 1000 {
			t.Fatal(len(m.Data), err)
		}
		mustEnd(t, server, errors.MessageTooBig, "*", false)
		if !strings.Contains(server.Err().Error(), "1000") {
			t.Errorf("%v does not name the limit", server.Err())
		}
		if first, payload := readFrame(t, c); first != 0x88 || !bytes.HasPrefix(payload, []byte("\x03\xf1")) {
			t.Fatalf("peer got %x %q", first, payload)
		}
	})
}

func TestViolations(t *testing.T) {
	for name, test := range map[string]struct {
		bytes  []byte
		reason errors.CloseReason
	}{
		"reserved bit":      {frame(0xc1, true, []byte("x")), errors.ProtocolError},
		"opcode 3":          {frame(0x83, true, nil), errors.ProtocolError},
		"unmasked":          {frame(0x81, false, []byte("x")), errors.ProtocolError},
		"text not UTF-8":    {frame(0x81, true, []byte("\xff")), errors.InvalidPayload},
		"close of one byte": {frame(0x88, true, []byte("x")), errors.ProtocolError},
		"garbage":           {[]byte("GET / HTTP/1.1\r\n\r\n"), errors.ProtocolError},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := tcpPair(t)
			defer c.Close()
			server := connect(t, rfc6455.Server, s, Options{})
			write(t, c, frame(0x81, true, []byte("fine")), test.bytes)
			mustReceive(t, server, "fine")
			mustEnd(t, server, test.reason, "*", false)
			if closed, _ := errors.AsType[*errors.ConnectionClosed](server.Err()); strings.Count(closed.Error(), closed.Message) != 1 {
				t.Errorf("the error has the message twice, or not at all: %v", closed)
			}
			if first, payload := readFrame(t, c); first != 0x88 || len(payload) < 2 ||
				errors.CloseReason(payload[0])<<8|errors.CloseReason(payload[1]) != test.reason {
				t.Fatalf("peer got %x %q", first, payload)
			}
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Fatalf("peer's read after the close frame: %v, want EOF and no reset", err)
			}
		})
	}
}

func TestCloseCodes(t *testing.T) {
	for _, masked := range []bool{true, false} {
		c, s := tcpPair(t)
		role := rfc6455.Client
		if masked {
			role = rfc6455.Server
		}
		conn := connect(t, role, s, Options{})
		write(t, c, closeFrame(masked, 3909, "too big"))
		want := errors.CloseReason(3909)
		if masked {
			want = errors.MessageTooBig // only a server reverts the alias of a browser
		}
		mustEnd(t, conn, want, "too big", true)
		if _, payload := readFrame(t, c); string(payload) != "\x0f\x45" {
			t.Fatalf("answer = %q", payload)
		}
	}
	c, s := tcpPair(t)
	conn := connect(t, rfc6455.Client, c, Options{})
	write(t, s, frame(0x88, false, nil))
	mustEnd(t, conn, errors.NoStatusReceived, "", true)
	if first, payload := readFrame(t, s); first != 0x88 || len(payload) != 0 {
		t.Fatalf("answer = %x %q", first, payload)
	}
}

func TestBothCloseAtOnce(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client, server := connect(t, rfc6455.Client, c, Options{}), connect(t, rfc6455.Server, s, Options{})
		var wg sync.WaitGroup
		for _, conn := range []*ws.Conn{client, server, client, server} {
			wg.Go(func() {
				if err := conn.Close(4000, ""); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
		wg.Wait()
		for _, conn := range []*ws.Conn{client, server} {
			if !errors.Is(conn.Err(), errors.CloseReason(4000)) {
				t.Errorf("Err = %v", conn.Err())
			}
		}
	})
}

func TestCloseInterruptsReceive(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client := connect(t, rfc6455.Client, c, Options{})
		connect(t, rfc6455.Server, s, Options{}) // its background reader answers
		received := make(chan error, 1)
		go func() {
			_, err := client.Receive(context.Background())
			received <- err
		}()
		time.Sleep(5 * time.Millisecond)
		if err := client.Close(errors.NormalClosure, "done"); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-received; err != client.Err() || !errors.Is(err, errors.NormalClosure) {
			t.Errorf("Receive = %v", err)
		}
	})
}

func TestCloseDropsWhatIsUnread(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client := connect(t, rfc6455.Client, c, Options{})
		go func() {
			write(t, s, frame(0x81, false, []byte("1")), frame(0x81, false, []byte("2")))
			readFrame(t, s)
			write(t, s, frame(0x81, false, []byte("3")), closeFrame(false, 1000, ""))
		}()
		mustReceive(t, client, "1")
		if err := client.Close(errors.NormalClosure, "bye"); err != nil {
			t.Fatal(err)
		}
		mustEnd(t, client, errors.NormalClosure, "bye", false)
	})
}

// The times are those of a stream in memory, in a bubble with its own clock.

func TestCloseTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := net.Pipe()
		defer s.Close()
		go io.Copy(io.Discard, s) // reads, but never answers
		conn := ws.NewConn(New(c, Options{Role: rfc6455.Client}), nil)
		start := time.Now()
		err := conn.Close(4000, "bye")
		if d := time.Since(start); d != ws.DefaultCloseTimeout {
			t.Errorf("Close took %v", d)
		}
		if !errors.Is(err, errors.AbnormalClosure) {
			t.Errorf("Close = %v", err)
		}
		if _, err := conn.Receive(t.Context()); !errors.Is(err, errors.CloseReason(4000)) {
			t.Errorf("Receive = %v", err)
		}
	})
}

func mustBePingTimeout(t *testing.T, err error) {
	t.Helper()
	closed, ok := errors.AsType[*errors.ConnectionClosed](err)
	if !ok || closed.Reason != errors.PolicyViolation || closed.Message != "Ping/Pong timeout" || closed.Remote {
		t.Errorf("the end is %v", err)
	}
}

func TestPingTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := net.Pipe()
		defer c.Close()
		go io.Copy(io.Discard, c)
		conn := ws.NewConn(New(s, Options{Role: rfc6455.Server, PingInterval: 10 * time.Second, PingTimeout: 4 * time.Second}), nil)
		start := time.Now()
		_, err := conn.Receive(t.Context())
		if d := time.Since(start); d != 14*time.Second {
			t.Errorf("the silence was noticed after %v", d)
		}
		mustBePingTimeout(t, err)
		conn.Close(errors.NormalClosure, "")
	})
}

// In an earlier version, a receiver that yielded to Fail found the end before its cause, and
// reported 1006.
func TestFailTellsItsCauseBeforeTheEnd(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		go io.Copy(io.Discard, c)
		transport := New(s, Options{Role: rfc6455.Server})
		seen := make(chan *errors.ConnectionClosed)
		go func() {
			for {
				if _, err := transport.Receive(context.Background(), nil); err != nil {
					seen <- transport.Ending().Cause()
					return
				}
			}
		}()
		transport.Fail(&errors.ConnectionClosed{Reason: errors.PolicyViolation, Message: "enough"})
		if cause := <-seen; cause == nil || cause.Reason != errors.PolicyViolation {
			t.Errorf("the cause is %v", cause)
		}
		c.Close()
		transport.closed.Wait()
	})
}

func TestPingsKeepAQuietConnectionOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := net.Pipe()
		o := Options{PingInterval: 10 * time.Second, PingTimeout: 4 * time.Second}
		o.Role = rfc6455.Server
		o.Config.Heartbeat = &ws.Heartbeat{} // Arrivals then counts the pongs
		transport := New(s, o)
		server := ws.NewConn(transport, nil)
		client := ws.NewConn(New(c, Options{Role: rfc6455.Client}), nil)
		received := make(chan error, 1)
		go func() {
			_, err := server.Receive(context.Background())
			received <- err
		}()
		time.Sleep(time.Hour) // no Receive waits at the client
		if server.Err() != nil || client.Err() != nil {
			t.Errorf("server: %v, client: %v", server.Err(), client.Err())
		}
		if pongs, _ := transport.Arrivals(); pongs < 355 || pongs > 365 {
			t.Errorf("%d pongs in an hour, want one in 10 s", pongs)
		}
		if err := client.Close(errors.NormalClosure, ""); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-received; !errors.Is(err, errors.NormalClosure) {
			t.Errorf("Receive = %v", err)
		}
	})
}

// In an earlier version, a peer that sends without pause but never reads blocked a server's
// Send forever. Either there were always signs of life, or if the server no longer received,
// the silence was attributed to this side.
func TestPingTimeoutOfAPeerThatNeverReads(t *testing.T) {
	for name, serve := range map[string]func(*ws.Conn) error{
		"echo": func(conn *ws.Conn) error {
			for m, err := range conn.Messages(context.Background()) {
				if err != nil {
					return err
				}
				if err := conn.Send(context.Background(), m); err != nil {
					return err
				}
			}
			return nil
		},
		"sender beside a receiver": func(conn *ws.Conn) error {
			go func() {
				for range conn.Messages(context.Background()) {
				}
			}()
			for {
				if err := conn.Send(context.Background(), ws.Text("hello")); err != nil {
					return err
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := net.Pipe()
				defer c.Close()
				go func() {
					for {
						if _, err := c.Write(frame(0x81, true, make([]byte, 1000))); err != nil {
							return
						}
						time.Sleep(time.Millisecond)
					}
				}()
				const interval, timeout = 10 * time.Second, 4 * time.Second
				conn := ws.NewConn(New(s, Options{
					Role: rfc6455.Server, PingInterval: interval, PingTimeout: timeout,
					Config: ws.Config{SendBuffer: 10_000, ReceiveBuffer: 10_000},
				}), nil)
				start := time.Now()
				err := serve(conn)
				if d := time.Since(start); d < timeout || d > 2*interval+timeout {
					t.Errorf("the peer was given up after %v", d)
				}
				mustBePingTimeout(t, err)
				conn.Close(errors.NormalClosure, "")
			})
		})
	}
}

func TestHeartbeatIsAnsweredWithoutAReceive(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client := connect(t, rfc6455.Client, c, Options{})
		connect(t, rfc6455.Server, s, Options{Config: ws.Config{AnswerHeartbeat: &ws.Heartbeat{}}})
		for range 3 {
			sendOrReport(t, client, ws.Text("\x05"))
			mustReceive(t, client, "\x06")
		}
	})
}

// A peer that takes some bytes from time to time is not given up, however many wait.
func TestPingTimeoutSparesASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := net.Pipe()
		transport := New(s, Options{
			Role: rfc6455.Server, PingInterval: 10 * time.Second, PingTimeout: 4 * time.Second,
			Config: ws.Config{SendBuffer: 1000},
		})
		conn := ws.NewConn(transport, nil)
		sent := make(chan error)
		go func() {
			for {
				if err := conn.Send(context.Background(), ws.Binary(make([]byte, 900))); err != nil {
					sent <- err
					return
				}
			}
		}()
		go func() { // sends, so that no pings are needed
			for {
				if _, err := c.Write(frame(0x81, true, nil)); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		buf := make([]byte, 2000)
		for range 300 {
			if _, err := c.Read(buf); err != nil {
				t.Fatal(err)
			}
			time.Sleep(12 * time.Second)
		}
		if err := conn.Err(); err != nil {
			t.Error(err)
		}
		c.Close()
		<-sent
		time.Sleep(2 * time.Second) // the sending goroutine ends
	})
}

// Connections that begin at different times are due together.
func TestConnectionsAreDueAtBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i := range 20 {
			time.Sleep(beat/3 + time.Duration(i)*time.Microsecond)
			c, s := net.Pipe()
			transport := New(s, Options{Role: rfc6455.Server, PingInterval: time.Minute})
			began := time.Now()
			for range 2 { // at first, and after a reader has left
				transport.timers.Lock()
				due := epoch.Add(transport.start + transport.absentAt)
				transport.timers.Unlock()
				if rest := due.UnixNano() % int64(beat); rest != 0 {
					t.Errorf("due %v after a beat", time.Duration(rest))
				}
				if d := due.Sub(began); d < absence || d > absence+beat {
					t.Errorf("due after %v", d)
				}
				time.Sleep(2 * absence)
				began = time.Now()
				transport.TryReceive(nil)
				transport.noticeAbsence()
			}
			c.Close()
			transport.closed.Wait()
		}
	})
}

func TestReceiveBufferFullStopsReading(t *testing.T) {
	c, s := tcpPair(t)
	client := connect(t, rfc6455.Client, c, Options{Config: ws.Config{ReceiveBuffer: 10_000}})
	server := connect(t, rfc6455.Server, s, Options{})
	const n = 3000
	go func() {
		for i := range n {
			sendOrReport(t, server, ws.Text(fmt.Sprintf("%4d%s", i, strings.Repeat("x", 5000))))
		}
	}()
	time.Sleep(4 * absence)
	for i := range n {
		m, err := client.Receive(within(t))
		if err != nil || m.String()[:4] != fmt.Sprintf("%4d", i) {
			t.Fatalf("message %d: %.10q, %v", i, m, err)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	c, s := tcpPair(t)
	client, server := connect(t, rfc6455.Client, c, Options{}), connect(t, rfc6455.Server, s, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m := ws.Binary(make([]byte, 64))
	buf := make([]byte, 0, 1024)
	check := func(what string, want float64, f func()) {
		t.Helper()
		f()
		if got := testing.AllocsPerRun(200, f); got > want && !raceEnabled {
			t.Errorf("%s: %v allocations, want %v", what, got, want)
		}
	}
	echo := func(receive func() (ws.Message, error)) func() {
		return func() {
			if err := client.Send(ctx, m); err != nil {
				t.Fatal(err)
			}
			if _, err := receive(); err != nil {
				t.Fatal(err)
			}
		}
	}
	shared := ws.Prepare(m)
	prepared := func(client, server *ws.Conn) func() {
		return func() {
			if err := server.SendPrepared(ctx, shared); err != nil {
				t.Fatal(err)
			}
			if _, err := client.ReceiveInto(ctx, buf); err != nil {
				t.Fatal(err)
			}
		}
	}
	check("SendPrepared", 0, prepared(client, server))
	c, s = tcpPair(t)
	check("SendPrepared with Flushers", 0, prepared(
		connect(t, rfc6455.Client, c, Options{}), connect(t, rfc6455.Server, s, Options{Flushers: new(Flushers)})))
	check("Send and ReceiveInto", 0, echo(func() (ws.Message, error) { return server.ReceiveInto(ctx, buf) }))
	check("Send and Receive", 1, echo(func() (ws.Message, error) { return server.Receive(ctx) }))
}
