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

// The tests in this file run natively, where they start the server themselves, and in a browser,
// where ISOSOCKET_STORM_URL and ISOSOCKET_STORM_DIRECT hold the server's URLs. See
// internal/testing/storm.
//
// ISOSOCKET_STORM_TIME is the duration of TestStorm, such as "2m"; the default is 10 seconds.
// ISOSOCKET_STORM_SEED repeats a schedule.

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

// stormServer is the test's access to the storm server.
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

// ask sends a command to the server and returns its answer.
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
		s.t.Fatalf("the server does not start %s: %s", name, answer)
	}
}

// arrived returns the messages that arrived, one slice for each connection.
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

// TestStorm sends numbered messages through a proxy with all faults, by a random schedule that
// its seed repeats. After each fault, the client must reconnect in time. It must never have two
// connections. Each message must arrive once and in order, or be reported by Send or OnLost.
func TestStorm(t *testing.T) {
	parallel(t)
	const (
		every, timeout = 300 * time.Millisecond, 500 * time.Millisecond
		handshake      = 700 * time.Millisecond
		maxDelay       = 500 * time.Millisecond
		// A half-open link takes this long, then a handshake that hangs, then a wait that has
		// just begun. The rest is for busy machines.
		back = every + timeout + handshake + maxDelay + 20*time.Second
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
		history  []string     // of the connection, for failure messages
		sent     atomic.Int64 // the highest number that was or is being sent
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
			fault = faults[count] // each fault at least once
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
				t.Fatalf("%v after %s, at %v, the client has not reconnected: %+v\n\t%s", back, fault, time.Since(began), client.State(), recent)
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
			t.Errorf("%d neither arrived nor was reported", n)
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
	t.Logf("%d faults, %d connections, reconnected after %v at most; of %d messages %d arrived, %d were reported, %d of which had arrived",
		count, opened, slowest.Round(time.Millisecond), sent.Load()+1, len(arrived), len(reported), both)
}

// TestHalfOpenLinkIsFound checks that a link that fails without a FIN or RST is found within
// interval and timeout, whether the program receives or not.
func TestHalfOpenLinkIsFound(t *testing.T) {
	parallel(t)
	// The slack is for pauses on busy machines.
	const interval, timeout, slack = 400 * time.Millisecond, 3 * time.Second, 20 * time.Second
	kinds := map[string]isosocket.DialOptions{
		"heartbeat": {Heartbeat: &ws.Heartbeat{Every: interval, Timeout: timeout}},
	}
	if sendsPings {
		kinds["pings"] = isosocket.DialOptions{PingInterval: interval, PingTimeout: timeout}
	}
	s := newStorm(t)
	s.fault("pass", 20*time.Millisecond)
	// All links are open at the same time, because each takes seconds.
	type link struct {
		kind      string
		receiving bool
		conn      *ws.Conn
		ended     chan error // the last error of Receive
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
	time.Sleep(interval + timeout + time.Second) // long enough for an erroneous timeout
	for _, l := range links {
		t.Run("alive, "+l.kind+", receiving "+strconv.FormatBool(l.receiving), func(t *testing.T) {
			if err := l.conn.Err(); err != nil {
				t.Fatalf("a live link ended: %v", err)
			}
			// Receive handles heartbeats on both sides.
			if latency := l.conn.Latency(); (l.receiving || l.kind == "pings") && (latency < 40*time.Millisecond || latency > timeout) {
				t.Errorf("Latency = %v over a network with a round trip of 40ms", latency)
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
			case <-time.After(2 * slack):
				t.Fatal("the dead link was not found")
			}
			if took := time.Since(began); took > interval+timeout+slack {
				t.Errorf("found after %v, want %v", took, interval+timeout)
			}
			if !l.receiving {
				// Unread messages, including answers, precede the end.
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

// TestExpiredTokenStopsTheLoop checks that a 401 ends the loop at once, on both targets.
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

// TestThousandReconnects checks that reconnecting leaks no resources.
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

// settled waits until count is at most limit, and fails t if it stays above.
func settled(t *testing.T, what string, count func() int, limit int) {
	t.Helper()
	for range 3000 {
		if count() <= limit {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d %s, want at most %d as before", count(), what, limit)
}
