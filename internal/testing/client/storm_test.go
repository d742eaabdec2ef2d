package client_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// The tests in this file run natively, where they start the server themselves,
// and in a browser, where whoever started that names the server's URLs:
// ISOSOCKET_STORM_URL and ISOSOCKET_STORM_DIRECT. See internal/testing/storm.
//
// ISOSOCKET_STORM_TIME is how long TestStorm lasts, such as "2m", 10 seconds
// unless it is set; ISOSOCKET_STORM_SEED repeats a schedule.

func setting[T any](t *testing.T, name string, parse func(string) (T, error), otherwise T) T {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	value, err := parse(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return value
}

// stormServer is what a test knows of the storm's server.
type stormServer struct {
	t           *testing.T
	url, direct string
	control     *ws.Conn
	mu          sync.Mutex
}

func newStorm(t *testing.T) *stormServer {
	t.Helper()
	url, direct := stormURLs(t)
	control, err := isosocket.Dial(t.Context(), direct+"/control", &isosocket.DialOptions{MaxMessageSize: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { control.Close(errors.NormalClosure, "") })
	return &stormServer{t: t, url: url, direct: direct, control: control}
}

// ask sends the server a command.
func (s *stormServer) ask(command string) string {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.control.Send(context.Background(), ws.Text(command))
	var m ws.Message
	if err == nil {
		m, err = s.control.Receive(context.Background())
	}
	if err != nil {
		s.t.Fatalf("the control connection failed: %v", err)
	}
	return m.String()
}

func (s *stormServer) fault(name string, latency time.Duration) {
	s.t.Helper()
	if answer := s.ask("fault " + name + " " + latency.String()); answer != "ok" {
		s.t.Fatalf("the server does not begin %s: %s", name, answer)
	}
}

// arrived returns what arrived, a slice a connection.
func (s *stormServer) arrived(id string) (all [][]int) {
	s.t.Helper()
	var texts [][]string
	if err := json.Unmarshal([]byte(s.ask("arrived "+id)), &texts); err != nil {
		s.t.Fatal(err)
	}
	for _, connection := range texts {
		var numbers []int
		for _, text := range connection {
			n, err := strconv.Atoi(text)
			if err != nil {
				s.t.Fatalf("%q arrived, which was not sent", text)
			}
			numbers = append(numbers, n)
		}
		all = append(all, numbers)
	}
	return all
}

// TestStorm sends numbered messages through a network that fails in every way
// it can, by a schedule that its seed repeats. The client comes back in time each
// time, has one connection at most, and of every message it is known whether it
// arrived: it did, once and in order, or Send or OnLost reported it.
func TestStorm(t *testing.T) {
	parallel(t)
	const (
		every, timeout = 300 * time.Millisecond, 500 * time.Millisecond
		handshake      = 700 * time.Millisecond
		maxDelay       = 500 * time.Millisecond
		// A link may be half-open, then a handshake under way that hangs, then a
		// wait that has just begun. The rest is for busy machines.
		back = every + timeout + handshake + maxDelay + 4*time.Second
	)
	lasts := setting(t, "ISOSOCKET_STORM_TIME", time.ParseDuration, 10*time.Second)
	seed := setting(t, "ISOSOCKET_STORM_SEED", func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) }, rand.Uint64())
	t.Logf("ISOSOCKET_STORM_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := newStorm(t)
	id := "storm-" + strconv.FormatUint(rand.Uint64(), 36)

	var (
		mu       sync.Mutex
		reported = map[int]error{}
		conn     *ws.Conn
		opened   int
		history  []string     // of the connection, for a failure's message
		sent     atomic.Int64 // numbers from 0 up to here were sent, or are being
		echoed   = make(chan int, 1)
	)
	began := time.Now()
	note := func(what string) { // with mu held
		history = append(history, time.Since(began).Round(time.Millisecond).String()+" "+what)
	}
	report := func(n int, err error) {
		mu.Lock()
		defer mu.Unlock()
		reported[n] = err
	}
	dial := &isosocket.DialOptions{
		HandshakeTimeout: handshake,
		CloseTimeout:     500 * time.Millisecond,
		Heartbeat:        &ws.Heartbeat{Every: every, Timeout: timeout},
	}
	watchSockets(t, dial)
	client := isosocket.NewClient(t.Context(), s.url+"/echo?client="+id, &isosocket.ClientOptions{
		Outbox: &isosocket.Outbox{MaxMessages: 100, Overflow: isosocket.DropOldest},
		OnLost: func(m ws.Message, err error) {
			n, _ := strconv.Atoi(m.String())
			report(n, err)
		},
		OnConnect: func(_ context.Context, c *ws.Conn) error {
			mu.Lock()
			defer mu.Unlock()
			conn = c
			opened++
			note("connected")
			return nil
		},
		Reconnect: &isosocket.ReconnectOptions{
			Dial:        dial,
			BaseDelay:   100 * time.Millisecond,
			MaxDelay:    maxDelay,
			StableAfter: time.Second,
			OnDown: func(d isosocket.Down) {
				mu.Lock()
				defer mu.Unlock()
				note(d.Err.Error() + ", the next attempt in " + d.Wait.String())
			},
			OnAttempt: func(isosocket.Attempt) {
				mu.Lock()
				defer mu.Unlock()
				note("attempt")
				if conn != nil && conn.Err() == nil {
					t.Error("an attempt was made while there was a connection")
				}
			},
		},
	})
	defer func() { <-client.Done() }()
	defer client.Close(errors.NormalClosure, "")

	stop := make(chan struct{})
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(3 * time.Millisecond):
			}
			sent.Store(int64(n))
			if err := client.Send(context.Background(), ws.Text(strconv.Itoa(n))); err != nil {
				report(n, err)
			}
		}
	})
	tasks.Go(func() {
		last := -1
		for m, err := range client.Messages(context.Background()) {
			if err != nil {
				return
			}
			n, _ := strconv.Atoi(m.String())
			if n <= last {
				t.Errorf("%d was received after %d", n, last)
			}
			last = n
			select {
			case <-echoed:
			default:
			}
			echoed <- n
		}
	})

	faults := []string{"blackhole", "reset", "half-close", "refuse", "hang"}
	count, slowest := 0, time.Duration(0)
	for start := time.Now(); time.Since(start) < lasts && !t.Failed(); count++ {
		fault := faults[random.IntN(len(faults))]
		if count < len(faults) {
			fault = faults[count] // each of them at least once
		}
		s.fault(fault, 0)
		time.Sleep(time.Duration(random.Int64N(int64(1500 * time.Millisecond))))
		s.fault("pass", time.Duration(random.Int64N(int64(20*time.Millisecond))))
		passed, from := time.Now(), int(sent.Load())
		deadline := time.After(back)
		for n := -1; n <= from; {
			select {
			case n = <-echoed:
			case <-deadline:
				mu.Lock()
				recent := strings.Join(history[max(0, len(history)-20):], "\n\t")
				mu.Unlock()
				t.Fatalf("%v after %s, at %v, the client is not back: %+v\n\t%s", back, fault, time.Since(began), client.State(), recent)
			}
		}
		slowest = max(slowest, time.Since(passed))
		time.Sleep(time.Duration(random.Int64N(int64(300 * time.Millisecond))))
	}

	close(stop)
	ctx, cancel := context.WithTimeout(context.Background(), back)
	defer cancel()
	if err := client.Flush(ctx); err != nil {
		t.Errorf("Flush = %v on a network that works", err)
	}
	if err := client.Close(errors.NormalClosure, ""); err != nil {
		t.Errorf("Close = %v on a network that works", err)
	}
	<-client.Done()
	tasks.Wait()

	arrived, last := map[int]bool{}, -1
	for _, connection := range s.arrived(id) {
		for _, n := range connection {
			if n <= last {
				t.Errorf("%d arrived after %d", n, last)
			}
			last = n
			arrived[n] = true
		}
	}
	mu.Lock()
	defer mu.Unlock()
	both := 0
	for n := range int(sent.Load()) + 1 {
		if !arrived[n] && reported[n] == nil {
			t.Errorf("%d did not arrive, and no error said so", n)
		}
		if arrived[n] && reported[n] != nil {
			both++
			if !errors.Is(reported[n], errors.ErrUnconfirmed) && !errors.As(reported[n], new(*errors.ConnectionClosed)) {
				t.Errorf("%d arrived, but was reported as %v", n, reported[n])
			}
		}
	}
	if len(arrived) < int(sent.Load())/10 {
		t.Errorf("%d of %d messages arrived, want more through a network that often works", len(arrived), sent.Load()+1)
	}
	t.Logf("%d faults, %d connections, back after %v at most; of %d messages %d arrived, %d were reported, %d of which had arrived",
		count, opened, slowest.Round(time.Millisecond), sent.Load()+1, len(arrived), len(reported), both)
}

// TestHalfOpenLinkIsFound: a peer that is gone without a word is missed within
// interval and timeout, whether anybody receives or not.
func TestHalfOpenLinkIsFound(t *testing.T) {
	parallel(t)
	// The slack is for busy machines, on which everything stands still at times.
	const interval, timeout, slack = 400 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second
	kinds := map[string]isosocket.DialOptions{
		"heartbeat": {Heartbeat: &ws.Heartbeat{Every: interval, Timeout: timeout}},
	}
	if sendsPings {
		kinds["pings"] = isosocket.DialOptions{PingInterval: interval, PingTimeout: timeout}
	}
	s := newStorm(t)
	s.fault("pass", 20*time.Millisecond)
	// All links are open at the same time, because what happens to them takes seconds.
	type link struct {
		kind      string
		receiving bool
		conn      *ws.Conn
		ended     chan error // what Receive returned in the end
	}
	var links []*link
	for kind, options := range kinds {
		options.CloseTimeout = 300 * time.Millisecond
		for _, receiving := range []bool{true, false} {
			conn, err := isosocket.Dial(t.Context(), s.url+"/echo?client=half-open", &options)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(errors.NormalClosure, "")
			l := &link{kind, receiving, conn, make(chan error, 1)}
			links = append(links, l)
			if receiving {
				go func() {
					_, err := conn.Receive(context.Background())
					l.ended <- err
				}()
			}
		}
	}
	time.Sleep(interval + timeout + timeout/2) // long enough for a miss, if there were any
	for _, l := range links {
		t.Run("alive, "+l.kind+", receiving "+strconv.FormatBool(l.receiving), func(t *testing.T) {
			if err := l.conn.Err(); err != nil {
				t.Fatalf("a live link ended: %v", err)
			}
			// Heartbeats are answered on both sides by whoever receives.
			if latency := l.conn.Latency(); (l.receiving || l.kind == "pings") && (latency < 40*time.Millisecond || latency > timeout) {
				t.Errorf("Latency = %v through a network that takes 40ms there and back", latency)
			}
		})
	}
	s.fault("blackhole", 0)
	defer s.fault("pass", 0)
	began := time.Now()
	for _, l := range links {
		t.Run("dead, "+l.kind+", receiving "+strconv.FormatBool(l.receiving), func(t *testing.T) {
			select {
			case <-l.conn.Done():
			case <-time.After(10 * time.Second):
				t.Fatal("the dead link was not found")
			}
			if took := time.Since(began); took > interval+timeout+slack {
				t.Errorf("found after %v, want %v", took, interval+timeout)
			}
			if !l.receiving {
				// What was not received, answers among it, comes before the end.
				go func() {
					for {
						if _, err := l.conn.Receive(context.Background()); err != nil {
							l.ended <- err
							return
						}
					}
				}()
			}
			closed, ok := errors.AsType[*errors.ConnectionClosed](<-l.ended)
			if !ok || closed.Reason != errors.PolicyViolation || closed.Message != "Ping/Pong timeout" || closed.Remote {
				t.Errorf("ended with %v, want 1008 Ping/Pong timeout, local", closed)
			}
			if !isosocket.DefaultRetry(closed) {
				t.Error("DefaultRetry does not try again")
			}
		})
	}
}

// TestExpiredTokenStopsTheLoop: a 401 ends it at once, in a browser too.
func TestExpiredTokenStopsTheLoop(t *testing.T) {
	_, direct := stormURLs(t)
	url := direct + "/expire?client=" + strconv.FormatUint(rand.Uint64(), 36)
	attempts, connections := 0, 0
	options := &isosocket.ReconnectOptions{
		BaseDelay: time.Millisecond,
		OnAttempt: func(isosocket.Attempt) { attempts++ },
	}
	for conn, err := range isosocket.Connections(t.Context(), url, options) {
		if err != nil {
			failed, ok := errors.AsType[*errors.ConnectionError](err)
			if !ok || failed.StatusCode != 401 {
				t.Errorf("the loop ended with %v, want status 401", err)
			}
			break
		}
		connections++
		conn.Send(t.Context(), ws.Text("hello"))
		conn.Receive(t.Context())
	}
	if attempts != 2 || connections != 1 {
		t.Errorf("%d attempts, %d connections, want 2 and 1", attempts, connections)
	}
}

// TestThousandReconnects leaves nothing behind.
func TestThousandReconnects(t *testing.T) {
	_, direct := stormURLs(t)
	check := countResources(t)
	options := &isosocket.ReconnectOptions{
		Dial:      &isosocket.DialOptions{Heartbeat: &ws.Heartbeat{}},
		BaseDelay: time.Microsecond,
		MaxDelay:  time.Microsecond,
	}
	connections := 0
	for conn, err := range isosocket.Connections(t.Context(), direct+"/leave", options) {
		if err != nil {
			t.Fatalf("connection %d: %v", connections, err)
		}
		if connections++; connections > 1000 {
			break
		}
		if err := conn.Send(t.Context(), ws.Text("hello")); err != nil {
			t.Fatalf("connection %d: Send: %v", connections, err)
		}
		if _, err := conn.Receive(t.Context()); !errors.Is(err, errors.GoingAway) {
			t.Fatalf("connection %d: Receive: %v, want 1001", connections, err)
		}
	}
	check()
}

// settled waits until count is at most limit, and fails t if it does not become so.
func settled(t *testing.T, what string, count func() int, limit int) {
	t.Helper()
	for range 500 {
		if count() <= limit {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d %s are left, want at most the %d there were", count(), what, limit)
}
