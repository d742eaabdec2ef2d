//go:build !js

package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// sum returns the sum of the counts of m.
func sum[K comparable](m map[K]uint64) (n uint64) {
	for _, count := range m {
		n += count
	}
	return n
}

// check compares stats with the earlier ones, and checks their consistency.
func checkStats(t *testing.T, before, s server.Stats) {
	t.Helper()
	if closed := sum(s.Closed); s.Accepted != uint64(s.Open)+closed || s.ConnectionTimes.Count != closed {
		t.Errorf("%d were accepted, %d are open, and %d have ended; %d durations", s.Accepted, s.Open, closed, s.ConnectionTimes.Count)
	}
	grows := func(what string, before, now uint64) {
		t.Helper()
		if now < before {
			t.Errorf("%s decreased from %d to %d", what, before, now)
		}
	}
	grows("accepted handshakes", before.Accepted, s.Accepted)
	grows("refused handshakes", sum(before.Refused), sum(s.Refused))
	grows("ends", sum(before.Closed), sum(s.Closed))
	grows("received messages", before.Received.Messages, s.Received.Messages)
	grows("received bytes", before.Received.Bytes, s.Received.Bytes)
	grows("bytes that arrived", before.Received.WireBytes, s.Received.WireBytes)
	grows("sent messages", before.Sent.Messages, s.Sent.Messages)
	grows("sent bytes", before.Sent.Bytes, s.Sent.Bytes)
	grows("bytes that departed", before.Sent.WireBytes, s.Sent.WireBytes)
	for h, histogram := range map[string]server.Histogram{"handshakes": s.HandshakeTimes, "pings": s.RoundTrips, "connections": s.ConnectionTimes} {
		last := uint64(0)
		for _, b := range histogram.Buckets {
			if b.Count < last || b.Count > histogram.Count {
				t.Errorf("the buckets of %s are %v of %d", h, histogram.Buckets, histogram.Count)
			}
			last = b.Count
		}
	}
}

// TestStatsAddUp: after a mixed load each message, end and refusal has been counted exactly
// once, and the sums agree at every time in between.
func TestStatsAddUp(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		options server.Options
		tls     bool
	}{
		{name: "a socket"},
		{name: "detached", options: server.Options{Detach: true}},
		{name: "TLS", tls: true},
		{name: "compressed", options: server.Options{Compression: &ws.Compression{}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := test.options
			o.Authorize = func(r *http.Request) (any, error) {
				if r.URL.Query().Has("stranger") {
					return nil, &errors.ConnectionError{StatusCode: http.StatusUnauthorized}
				}
				return nil, nil
			}
			var got, answered atomic.Uint64 // messages
			e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
				for m, err := range conn.Messages(ctx) {
					if err != nil {
						return err
					}
					got.Add(1)
					switch m.String() {
					case "close":
						return errors.CloseReason(4002)
					case "fail":
						return io.ErrNoProgress
					case "panic":
						panic(http.ErrAbortHandler)
					}
					if err := conn.Send(ctx, m); err != nil {
						return err
					}
					answered.Add(1)
				}
				return nil
			}, &o)
			s := httptest.NewUnstartedServer(e)
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			dialOptions := &isosocket.DialOptions{Compression: o.Compression}
			if test.tls {
				s.StartTLS()
				dialOptions.Native = &isosocket.NativeOptions{TLSConfig: &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}}
			} else {
				s.Start()
			}
			t.Cleanup(s.Close)

			stop, watched := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(watched)
				var before server.Stats
				for {
					now := e.Stats()
					checkStats(t, before, now)
					before = now
					select {
					case <-stop:
						return
					case <-time.After(time.Millisecond):
					}
				}
			}()

			const clients, messages = 24, 40
			var sentBytes, sent atomic.Uint64
			want := map[server.Closing]uint64{}
			var wantMu sync.Mutex
			ended := func(reason errors.CloseReason, byPeer bool) {
				wantMu.Lock()
				defer wantMu.Unlock()
				want[server.Closing{Reason: reason, ByPeer: byPeer}]++
			}
			var wg sync.WaitGroup
			for i := range clients {
				wg.Go(func() {
					conn, err := isosocket.Dial(timeout(t), s.URL, dialOptions)
					if err != nil {
						t.Error(err)
						return
					}
					send := func(text string) {
						if err := conn.Send(timeout(t), ws.Text(text)); err != nil {
							t.Error(err)
						}
						sent.Add(1)
						sentBytes.Add(uint64(len(text)))
					}
					for j := range messages {
						send(strings.Repeat("x", j*j*j%30000)) // one in flight for a while, then many
						if i%2 == 0 {
							if _, err := conn.Receive(timeout(t)); err != nil {
								t.Error(err)
							}
						}
					}
					for range messages {
						if i%2 == 1 {
							if _, err := conn.Receive(timeout(t)); err != nil {
								t.Error(err)
							}
						}
					}
					last := func(text string, reason errors.CloseReason) {
						send(text)
						if _, err := conn.Receive(timeout(t)); !errors.Is(err, reason) {
							t.Errorf("after %q the connection ended with %v", text, err)
						}
						ended(reason, false)
					}
					switch i % 5 {
					case 0:
						conn.Close(errors.NormalClosure, "")
						ended(errors.NormalClosure, true)
					case 1:
						conn.Close(4001, "enough")
						ended(4001, true)
					case 2:
						last("close", 4002)
					case 3:
						last("fail", errors.InternalError)
					case 4:
						last("panic", errors.InternalError)
					}
					conn.Close(errors.NormalClosure, "")
				})
			}
			refused := map[int]uint64{}
			for _, request := range []struct {
				status int
				method string
				path   string
				header http.Header
			}{
				{401, "GET", "/?stranger", nil},
				{401, "GET", "/?stranger", nil},
				{403, "GET", "/", http.Header{"Origin": {"https://elsewhere.example"}}},
				{405, "POST", "/", nil},
				{426, "GET", "/", http.Header{"Upgrade": {}}},
				{400, "GET", "/", http.Header{"Sec-Websocket-Key": {"short"}}},
			} {
				r, err := http.NewRequestWithContext(timeout(t), request.method, s.URL+request.path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header = http.Header{
					"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
					"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
				}
				maps.Copy(r.Header, request.header)
				answer, err := s.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				if answer.StatusCode != request.status {
					t.Errorf("%s %s is answered with %d, want %d", request.method, request.path, answer.StatusCode, request.status)
				}
				refused[request.status]++
			}
			for _, path := range []string{"/", "/?stranger"} {
				r, _ := http.NewRequestWithContext(timeout(t), "GET", s.URL+path, nil)
				r.Header.Set("Accept", "application/vnd.isosocket.handshake")
				if answer, err := s.Client().Do(r); err != nil {
					t.Error(err)
				} else {
					answer.Body.Close()
				}
			}
			wg.Wait()
			mustShutdown(t, e)
			r, _ := http.NewRequestWithContext(timeout(t), "GET", s.URL, nil)
			if answer, err := s.Client().Do(r); err != nil {
				t.Error(err)
			} else {
				answer.Body.Close()
				refused[503]++
			}
			s.Close() // waits until the last answer was counted
			close(stop)
			<-watched

			stats := e.Stats()
			checkStats(t, server.Stats{}, stats)
			if stats.Open != 0 || stats.Accepted != clients || stats.HandshakeTimes.Count != clients || stats.Unanswered != 0 || stats.Probes != 2 {
				t.Errorf("%d are open, %d were accepted (%d measured), %d got no answer, %d were probes, want 0, %[6]d (%[6]d), 0, 2",
					stats.Open, stats.Accepted, stats.HandshakeTimes.Count, stats.Unanswered, stats.Probes, clients)
			}
			if !reflect.DeepEqual(stats.Refused, refused) {
				t.Errorf("the refusals are %v, want %v", stats.Refused, refused)
			}
			if !reflect.DeepEqual(stats.Closed, want) {
				t.Errorf("the ends are %v, want %v", stats.Closed, want)
			}
			if stats.Received.Messages != sent.Load() || stats.Received.Messages != got.Load() || stats.Received.Bytes != sentBytes.Load() {
				t.Errorf("received %d messages of %d bytes, want %d of %d", stats.Received.Messages, stats.Received.Bytes, sent.Load(), sentBytes.Load())
			}
			if stats.Sent.Messages != answered.Load() || stats.Sent.Messages != clients*messages {
				t.Errorf("sent %d messages, want %d", stats.Sent.Messages, answered.Load())
			}
			if smaller := o.Compression != nil; smaller != (stats.Sent.WireBytes < stats.Sent.Bytes) || smaller != (stats.Received.WireBytes < stats.Received.Bytes) {
				t.Errorf("%d bytes were sent as %d, and %d were received as %d", stats.Sent.Bytes, stats.Sent.WireBytes, stats.Received.Bytes, stats.Received.WireBytes)
			}
			if stats.Unsent != 0 || stats.Unreceived != 0 || stats.Full != 0 {
				t.Errorf("%d and %d bytes wait, %d connections are full", stats.Unsent, stats.Unreceived, stats.Full)
			}
		})
	}
}

// TestStatsOfTheWire: an answered message is counted before its answer can arrive, and the
// wire counters cover whole frames.
func TestStatsOfTheWire(t *testing.T) {
	t.Parallel()
	e, s := startEndpoint(t, echo, nil)
	frame := []byte{0x81, 0x85, 0, 0, 0, 0, 'h', 'e', 'l', 'l', 'o'}
	_, raw, reader := roundTrip(t, s, goodRequest, append(frame, frame...)...) // a prefix of the connection
	if _, err := io.ReadFull(reader, make([]byte, 14)); err != nil {
		t.Fatal(err)
	}
	raw.Write(frame)
	if _, err := io.ReadFull(reader, make([]byte, 7)); err != nil {
		t.Fatal(err)
	}
	raw.Write([]byte{0x89, 0x80, 0, 0, 0, 0}) // a ping is not a message
	if _, err := io.ReadFull(reader, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	stats := e.Stats()
	if want := (server.Traffic{Messages: 3, Bytes: 15, WireBytes: 39}); stats.Received != want {
		t.Errorf("received is %+v, want %+v", stats.Received, want)
	}
	// The byte count follows the write, which the peer has seen.
	for end := timeout(t); e.Stats().Sent.WireBytes != 23 && end.Err() == nil; {
		time.Sleep(time.Millisecond)
	}
	if got, want := e.Stats().Sent, (server.Traffic{Messages: 3, Bytes: 15, WireBytes: 23}); got != want {
		t.Errorf("sent is %+v, want %+v", got, want)
	}
	raw.Close()
}

// TestStatsOfAFunctionThatPauses: messages that were read together count although the
// function has taken only the first of them.
func TestStatsOfAFunctionThatPauses(t *testing.T) {
	t.Parallel()
	taken, proceed := make(chan struct{}), make(chan struct{})
	e, s := startEndpoint(t, func(ctx context.Context, conn *server.Conn) error {
		if _, err := conn.Receive(ctx); err != nil {
			return err
		}
		close(taken)
		<-proceed
		return nil
	}, nil)
	frame := []byte{0x81, 0x81, 0, 0, 0, 0, 'x'}
	_, _, _ = roundTrip(t, s, goodRequest, append(append([]byte(nil), frame...), frame...)...)
	<-taken
	for end := timeout(t); e.Stats().Received.Messages != 2 && end.Err() == nil; {
		time.Sleep(time.Millisecond)
	}
	if stats := e.Stats(); stats.Received.Messages != 2 || stats.Unreceived != 33 {
		t.Errorf("received %d messages, and %d bytes wait, want 2 and 33", stats.Received.Messages, stats.Unreceived)
	}
	close(proceed)
}

// A message that is sent and received in parts counts once, with the bytes of all its parts.
func TestStatsOfMessagesInParts(t *testing.T) {
	t.Parallel()
	const size = 300_000
	e, s := startEndpoint(t, func(ctx context.Context, conn *server.Conn) error {
		_, r, err := conn.NextReader(ctx)
		if err != nil {
			return err
		}
		w, err := conn.NextWriter(ctx, ws.KindBinary)
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		_, err = conn.Receive(ctx)
		return err
	}, nil)
	conn, err := isosocket.Dial(timeout(t), "ws"+strings.TrimPrefix(s.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(errors.NormalClosure, "")
	if err := conn.Send(t.Context(), ws.Binary(make([]byte, size))); err != nil {
		t.Fatal(err)
	}
	if m, err := conn.Receive(timeout(t)); err != nil || len(m.Data) != size {
		t.Fatalf("received %d bytes, %v", len(m.Data), err)
	}
	stats := e.Stats()
	if stats.Received.Messages != 1 || stats.Received.Bytes != size || stats.Sent.Messages != 1 || stats.Sent.Bytes != size {
		t.Errorf("received %d messages of %d bytes, sent %d of %d, want 1 of %d each",
			stats.Received.Messages, stats.Received.Bytes, stats.Sent.Messages, stats.Sent.Bytes, size)
	}
}

func TestStatsOfAFullQueue(t *testing.T) {
	t.Parallel()
	e, s := startEndpoint(t, func(ctx context.Context, conn *server.Conn) error {
		for {
			if err := conn.Send(ctx, ws.Binary(make([]byte, 100_000))); err != nil {
				return err
			}
		}
	}, &server.Options{SendBuffer: 300_000, CloseTimeout: time.Millisecond})
	_, raw, _ := roundTrip(t, s, goodRequest)
	for end := timeout(t); e.Stats().Full == 0 && end.Err() == nil; {
		time.Sleep(time.Millisecond)
	}
	if stats := e.Stats(); stats.Full != 1 || stats.Unsent < 300_000 || stats.Unsent > 500_000 || stats.Memory < stats.Unsent {
		t.Errorf("%d bytes wait, %d are held, %d connections are full, want about 300,000, as many, and 1", stats.Unsent, stats.Memory, stats.Full)
	}
	raw.Close()
	mustShutdown(t, e)
	if stats := e.Stats(); stats.Full != 0 || stats.Unsent != 0 || stats.Memory != 0 || sum(stats.Closed) != 1 {
		t.Errorf("after the end, %d bytes wait, and %d connections are full; ends: %v", stats.Unsent, stats.Full, stats.Closed)
	}
}

// TestStatsOfPings: each ping counts once, even if the peer answers it several times.
func TestStatsOfPings(t *testing.T) {
	t.Parallel()
	e, s := startEndpoint(t, echo, &server.Options{PingInterval: 20 * time.Millisecond})
	_, raw, reader := roundTrip(t, s, goodRequest)
	const pings = 5
	for range pings {
		ping := make([]byte, 10)
		if _, err := io.ReadFull(reader, ping); err != nil || ping[0] != 0x89 || ping[1] != 8 {
			t.Fatalf("the ping is %x, %v", ping, err)
		}
		pong := append([]byte{0x8A, 0x88, 0, 0, 0, 0}, ping[2:]...)
		raw.Write(append(append(pong, pong...), pong...))
	}
	for end := timeout(t); e.Stats().RoundTrips.Count == 0 && end.Err() == nil; {
		time.Sleep(time.Millisecond)
	}
	raw.Close()
	mustShutdown(t, e)
	// On a busy machine an answer may arrive after the next ping, and counts for that one.
	if got := e.Stats().RoundTrips; got.Count < 1 || got.Count > pings || got.Sum <= 0 {
		t.Errorf("%d round trips of %v, want 1 to %d", got.Count, got.Sum, pings)
	}
}

func TestStatsOfAPanicInTheHandshake(t *testing.T) {
	t.Parallel()
	e, s := startEndpoint(t, echo, &server.Options{Authorize: func(*http.Request) (any, error) { panic(http.ErrAbortHandler) }})
	if _, err := isosocket.Dial(timeout(t), s.URL, nil); err == nil {
		t.Error("Dial succeeded")
	}
	mustShutdown(t, e)
	if stats := e.Stats(); stats.Unanswered != 1 || sum(stats.Refused) != 0 || stats.Accepted != 0 {
		t.Errorf("the stats are %+v, want one request without an answer", stats)
	}
}

func TestStatsOfLimits(t *testing.T) {
	t.Parallel()
	e, s := startEndpoint(t, echo, &server.Options{MaxMessageSize: 10})
	conn := dial(t, s, nil)
	if err := conn.Send(timeout(t), ws.Text("more than ten")); err != nil {
		t.Fatal(err)
	}
	assertEnd(t, conn, errors.MessageTooBig, "message of 13 bytes: the limit is 10 bytes")
	mustShutdown(t, e)
	stats := e.Stats()
	if want := map[server.Limit]uint64{server.LimitMessageSize: 1}; !reflect.DeepEqual(stats.Limits, want) {
		t.Errorf("the limits are %v, want %v", stats.Limits, want)
	}
	if want := map[server.Closing]uint64{{Reason: errors.MessageTooBig}: 1}; !reflect.DeepEqual(stats.Closed, want) {
		t.Errorf("the ends are %v, want %v", stats.Closed, want)
	}
}

// TestTooLateIsLoggedAndCounted: a connection whose handshake completes after Shutdown was
// called is logged and counted.
func TestTooLateIsLoggedAndCounted(t *testing.T) {
	t.Parallel()
	deciding, decide := make(chan struct{}), make(chan struct{})
	var logged logBuffer
	e, s := startEndpoint(t, echo, &server.Options{
		Logger: logged.logger(),
		Authorize: func(*http.Request) (any, error) {
			close(deciding)
			<-decide
			return nil, nil
		}})
	dialed := make(chan *ws.Conn)
	go func() { dialed <- dial(t, s, nil) }()
	<-deciding
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		mustShutdown(t, e)
	}()
	for {
		if response, _, _ := roundTrip(t, s, with("Sec-WebSocket-Key: short")); response.StatusCode == http.StatusServiceUnavailable {
			break
		}
	}
	close(decide)
	assertEnd(t, <-dialed, errors.GoingAway, "server shutting down")
	<-stopped
	logged.withoutEnd(t, errors.GoingAway, `message="server shutting down"`, false)
	stats := e.Stats()
	if want := map[server.Closing]uint64{{Reason: errors.GoingAway}: 1}; stats.Accepted != 1 || !reflect.DeepEqual(stats.Closed, want) {
		t.Errorf("%d were accepted, and the ends are %v", stats.Accepted, stats.Closed)
	}
	if stats.Refused[http.StatusServiceUnavailable] == 0 {
		t.Errorf("the refusals are %v, want 503 among them", stats.Refused)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	h := server.Histogram{Count: 100, Buckets: []server.Bucket{{time.Millisecond, 50}, {time.Second, 90}}}
	for _, test := range []struct {
		h    server.Histogram
		q    float64
		want time.Duration
	}{
		{h, 0, time.Millisecond}, {h, 0.5, time.Millisecond}, {h, 0.51, time.Second}, {h, 0.9, time.Second}, {h, 0.99, time.Second}, {h, 1, time.Second},
		{server.Histogram{}, 0.5, 0},
		{server.Histogram{Count: 1, Buckets: []server.Bucket{{time.Millisecond, 0}, {time.Second, 1}}}, 0, time.Second},
	} {
		if got := test.h.Quantile(test.q); got != test.want {
			t.Errorf("Quantile(%v) of %+v = %v, want %v", test.q, test.h, got, test.want)
		}
	}
}

// pipeListener accepts connections of this process, which take no descriptors.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// BenchmarkStats measures Stats with 10,000 connections, and how long a handshake or an end
// may wait for it.
func BenchmarkStats(b *testing.B) {
	e := server.Handler(echo, &server.Options{Detach: true, PingInterval: -1})
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	s := &http.Server{Handler: e}
	go s.Serve(l)
	defer s.Close()
	request := strings.Join(goodRequest, "\r\n") + "\r\n\r\n"
	for range 10_000 {
		client, server := net.Pipe()
		l.conns <- server
		io.WriteString(client, request)
		if answer, err := http.ReadResponse(bufio.NewReader(client), nil); err != nil || answer.StatusCode != 101 {
			b.Fatal(answer, err)
		}
		defer client.Close()
	}
	for e.Len() < 10_000 {
		time.Sleep(time.Millisecond)
	}
	// Len takes the lock that a handshake takes.
	wait := func(during func()) (waits []time.Duration) {
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
				}
				began := time.Now()
				e.Len()
				waits = append(waits, time.Since(began))
				time.Sleep(50 * time.Microsecond)
			}
		}()
		during()
		close(stop)
		<-stopped
		slices.Sort(waits)
		return waits
	}
	report := func(waits []time.Duration, when string) {
		for _, q := range []struct {
			name  string
			share float64
		}{{"p50", 0.5}, {"p99", 0.99}} {
			b.ReportMetric(float64(waits[int(q.share*float64(len(waits)-1))].Nanoseconds())/1000, "us-wait-"+q.name+when)
		}
	}
	without := wait(func() { time.Sleep(time.Second) })
	with := wait(func() {
		for range 100 {
			e.Stats()
			time.Sleep(10 * time.Millisecond)
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		if s := e.Stats(); s.Open != 10_000 {
			b.Fatalf("%d connections", s.Open)
		}
	}
	report(without, "-without")
	report(with, "-while-100-a-second")
}
