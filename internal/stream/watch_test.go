package stream

import (
	"context"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// slack is the delay that a busy machine may add to a time.
const slack = 20 * time.Second

// together runs all cases at the same time, even with few processors, because they mostly wait.
// It runs them on goroutines of its own, so run may not call t.FailNow.
func together[T any](t *testing.T, cases map[string]T, run func(name string, c T)) {
	t.Helper()
	var wg sync.WaitGroup
	for name, c := range cases {
		wg.Go(func() { run(name, c) })
	}
	wg.Wait()
}

// onEveryStreamOf returns cases, each on every kind of stream in kinds.
func onEveryStreamOf[T any](cases map[string]T, kinds ...string) map[string]onStream[T] {
	all := map[string]onStream[T]{}
	for name, c := range cases {
		for _, kind := range kinds {
			all[name+", "+kind] = onStream[T]{kind, c}
		}
	}
	return all
}

type onStream[T any] struct {
	kind string
	test T
}

func kinds() []string { return slices.Collect(maps.Keys(streams)) }

// programs are the ways to receive, each until the connection ends.
var programs = map[string]func(conn *ws.Conn) error{
	"blocking": func(conn *ws.Conn) error {
		for {
			if _, err := conn.Receive(context.Background()); err != nil {
				return err
			}
		}
	},
	"with short waits": func(conn *ws.Conn) error {
		for {
			ctx, cancel := context.WithTimeout(context.Background(), 7*ms)
			_, err := conn.Receive(ctx)
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
		}
	},
	"polling": func(conn *ws.Conn) error {
		for {
			if _, _, err := conn.TryReceive(); err != nil {
				return err
			}
			time.Sleep(16 * ms)
		}
	},
	"polling seldom": func(conn *ws.Conn) error {
		for {
			if _, _, err := conn.TryReceive(); err != nil {
				return err
			}
			time.Sleep(170 * ms)
		}
	},
	"not at all": func(conn *ws.Conn) error {
		<-conn.Done()
		return conn.Err()
	},
}

// A dead peer is detected in time however the program receives, also if messages from it
// still wait.
func TestDeadPeerHoweverReceived(t *testing.T) {
	const interval, timeout = 200 * ms, 300 * ms
	for waiting, wire := range map[string][]byte{
		"nothing unread":      nil,
		"500 messages unread": slices.Repeat(frame(0x81, false, []byte("tick")), 500),
	} {
		together(t, onEveryStreamOf(programs, kinds()...), func(name string, c onStream[func(*ws.Conn) error]) {
			name += ", " + waiting
			stream, peer := streams[c.kind](t)
			defer peer.Close()
			go io.Copy(io.Discard, peer)
			client := ws.NewConn(New(stream, Options{
				PingInterval: interval, PingTimeout: timeout, Config: ws.Config{CloseTimeout: 50 * ms},
			}), nil)
			go peer.Write(wire)
			received := make(chan error, 1)
			go func() { received <- c.test(client) }()
			start := time.Now()
			select {
			case <-client.Done():
				if d := time.Since(start); d < timeout || d > interval+timeout+slack {
					t.Errorf("%s: detected after %v", name, d)
				}
				mustBePingTimeout(t, client.Err())
			case <-time.After(2 * slack):
				t.Errorf("%s: a silent peer was not detected", name)
			}
			client.Close(errors.NormalClosure, "") // the rest is dropped
			<-received
		})
	}
}

// A peer that answers is not given up, however the program receives.
func TestLivePeerHoweverReceived(t *testing.T) {
	together(t, onEveryStreamOf(programs, kinds()...), func(name string, c onStream[func(*ws.Conn) error]) {
		a, b := streams[c.kind](t)
		client := ws.NewConn(New(a, Options{Role: rfc6455.Client, PingInterval: 100 * ms, PingTimeout: 2 * slack}), nil)
		server := ws.NewConn(New(b, Options{Role: rfc6455.Server}), nil)
		received := make(chan error, 1)
		go func() { received <- c.test(client) }()
		time.Sleep(600 * ms)
		for late := time.Now().Add(slack); client.Latency() == 0 && client.Err() == nil && time.Now().Before(late); {
			time.Sleep(10 * ms)
		}
		if err := client.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if client.Latency() == 0 {
			t.Errorf("%s: no latency", name)
		}
		server.Close(errors.GoingAway, "")
		if err := <-received; !errors.Is(err, errors.GoingAway) {
			t.Errorf("%s: %v", name, err)
		}
		client.Close(errors.NormalClosure, "")
	})
}

// readSlowly reads bytes at rate, in pieces, until the end.
func readSlowly(r io.Reader, rate int) {
	buf := make([]byte, 8<<10)
	for {
		n, err := io.ReadFull(r, buf)
		if err != nil {
			return
		}
		time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
	}
}

func push(conn *ws.Conn, size int) error {
	m := ws.Binary(make([]byte, size))
	for {
		if err := conn.Send(context.Background(), m); err != nil {
			return err
		}
	}
}

// oneWay is a continuous stream of messages.
type oneWay struct {
	peer func(s io.ReadWriteCloser, role rfc6455.Role)
	app  func(conn *ws.Conn)
}

func oneWays() map[string]oneWay {
	slowly := func(conn *ws.Conn, work time.Duration) {
		for {
			if _, err := conn.Receive(context.Background()); err != nil {
				return
			}
			time.Sleep(work)
		}
	}
	over := func(s io.ReadWriteCloser, role rfc6455.Role) *ws.Conn {
		return ws.NewConn(New(s, Options{Role: role}), nil)
	}
	return map[string]oneWay{
		"push to a peer that works 5 ms a message": {
			func(s io.ReadWriteCloser, role rfc6455.Role) { slowly(over(s, role), 5*ms) },
			func(conn *ws.Conn) { push(conn, 64<<10) },
		},
		"push to a peer of 1 MB/s": {
			func(s io.ReadWriteCloser, _ rfc6455.Role) { readSlowly(s, 1_000_000) },
			func(conn *ws.Conn) { push(conn, 64<<10) },
		},
		"push to a peer of 20 KB/s": {
			func(s io.ReadWriteCloser, _ rfc6455.Role) { readSlowly(s, 20_000) },
			func(conn *ws.Conn) { push(conn, 64<<10) },
		},
		"push to a peer of 50 KB/s": {
			func(s io.ReadWriteCloser, _ rfc6455.Role) { readSlowly(s, 50_000) },
			func(conn *ws.Conn) { push(conn, 64<<10) },
		},
		"small messages to a peer of 200 KB/s": {
			func(s io.ReadWriteCloser, _ rfc6455.Role) { readSlowly(s, 200_000) },
			func(conn *ws.Conn) { push(conn, 100) },
		},
		"pull": {
			func(s io.ReadWriteCloser, role rfc6455.Role) { push(over(s, role), 64<<10) },
			func(conn *ws.Conn) { slowly(conn, 5*ms) },
		},
		"pull by an application that works 300 ms a message": {
			func(s io.ReadWriteCloser, role rfc6455.Role) { push(over(s, role), 64<<10) },
			func(conn *ws.Conn) { slowly(conn, 300*ms) },
		},
		"pull by an application that receives nothing": {
			func(s io.ReadWriteCloser, role rfc6455.Role) { push(over(s, role), 64<<10) },
			func(conn *ws.Conn) { <-conn.Done() },
		},
		"both ways": {
			func(s io.ReadWriteCloser, role rfc6455.Role) {
				conn := over(s, role)
				go push(conn, 64<<10)
				slowly(conn, 5*ms)
			},
			func(conn *ws.Conn) {
				go push(conn, 64<<10)
				slowly(conn, 5*ms)
			},
		},
	}
}

// A peer that takes bytes is alive, however many wait and whenever it reaches the pings among
// them, even if no pong can arrive within the timeout.
func TestOneWayStream(t *testing.T) {
	for _, role := range []rfc6455.Role{rfc6455.Server, rfc6455.Client} {
		for name, test := range oneWays() {
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				go test.peer(b, 1-role)
				conn := ws.NewConn(New(a, Options{Role: role, PingInterval: time.Second, PingTimeout: 900 * ms}), nil)
				go test.app(conn)
				select {
				case <-conn.Done():
					t.Errorf("%s, role %d: ended with %v", name, role, conn.Err())
				case <-time.After(6 * time.Second): // three times the limit of a silent peer
				}
				a.Close()
				b.Close()
				conn.Close(errors.NormalClosure, "")
				time.Sleep(time.Minute) // until both have noticed
			})
		}
	}
}

// The same over sockets, where the system holds some of the output.
func TestOneWayStreamOverSockets(t *testing.T) {
	t.Parallel()
	type test struct {
		oneWay
		role rfc6455.Role
	}
	tests := map[string]test{}
	for name, role := range map[string]rfc6455.Role{"server": rfc6455.Server, "client": rfc6455.Client} {
		for _, one := range []string{"push to a peer of 1 MB/s", "pull by an application that receives nothing", "both ways"} {
			tests[one+", "+name] = test{oneWays()[one], role}
		}
	}
	together(t, onEveryStreamOf(tests, "socket", "TLS"), func(name string, c onStream[test]) {
		a, b := streams[c.kind](t)
		defer a.Close()
		defer b.Close()
		go c.test.peer(b, 1-c.test.role)
		conn := ws.NewConn(New(a, Options{Role: c.test.role, PingInterval: time.Second, PingTimeout: 3 * time.Second}), nil)
		go c.test.app(conn)
		select {
		case <-conn.Done():
			t.Errorf("%s: ended with %v", name, conn.Err())
		case <-time.After(8 * time.Second):
		}
	})
}

// TCP opens a closed receive window in steps of up to the whole receive buffer. A slow
// reader that sends no pongs shows only these steps, less often than the timeouts below.
//
// On a busy machine, the reader may need longer for a step than windowStep, or the system may
// retransmit, as it does when the network is down. So each stream has a few tries; a peer that is
// not spared is given up in all of them.
func TestOneWayStreamInWindowSteps(t *testing.T) {
	t.Parallel()
	const tries = 4
	one := oneWays()["push to a peer of 50 KB/s"]
	heartbeat := &ws.Heartbeat{Every: time.Second, Timeout: 900 * ms}
	together(t, onEveryStreamOf(map[string]*ws.Heartbeat{"pings": nil, "heartbeats": heartbeat}, "socket", "TLS"),
		func(name string, c onStream[*ws.Heartbeat]) {
			last := func() error {
				a, b := streams[c.kind](t)
				defer a.Close()
				defer b.Close()
				go one.peer(b, rfc6455.Server)
				o := Options{Role: rfc6455.Client, Config: ws.Config{Heartbeat: c.test}}
				if c.test == nil {
					o.PingInterval, o.PingTimeout = heartbeat.Every, heartbeat.Timeout
				}
				conn := ws.NewConn(New(a, o), &o.Config)
				go one.app(conn)
				select {
				case <-conn.Done():
					return conn.Err()
				case <-time.After(8 * time.Second):
					return nil
				}
			}
			var err error
			for range tries {
				if err = last(); err == nil {
					return
				}
			}
			t.Errorf("%s: ended %d times, the last time with %v", name, tries, err)
		})
}

// A peer that is gone is detected in time during a stream to it.
func TestPushToADeadPeer(t *testing.T) {
	t.Parallel()
	together(t, streams, func(kind string, stream func(testing.TB) (io.ReadWriteCloser, io.ReadWriteCloser)) {
		c, s := stream(t)
		defer s.Close()
		conn := ws.NewConn(New(c, Options{
			Role: rfc6455.Server, PingInterval: 300 * ms, PingTimeout: 200 * ms, Config: ws.Config{CloseTimeout: 50 * ms},
		}), nil)
		stopped := make(chan time.Time, 1)
		go func() {
			buf := make([]byte, 64<<10)
			for range 100 { // takes some megabytes, then no more
				if _, err := io.ReadFull(s, buf); err != nil {
					break
				}
			}
			stopped <- time.Now()
		}()
		push(conn, 64<<10)
		// Its system still acknowledges, so it may also be a slow reader.
		if d := time.Since(<-stopped); d > windowStep+slack {
			t.Errorf("%s: detected after %v", kind, d)
		}
		mustBePingTimeout(t, conn.Err())
		conn.Close(errors.NormalClosure, "")
	})
}

// The latency is measured even while messages arrive continuously. It costs one ping per
// interval, not one per message.
func TestLatencyWhileTrafficFlows(t *testing.T) {
	t.Parallel()
	together(t, streams, func(kind string, stream func(testing.TB) (io.ReadWriteCloser, io.ReadWriteCloser)) {
		c, s := stream(t)
		defer s.Close()
		client := ws.NewConn(New(c, Options{Role: rfc6455.Client, PingInterval: 200 * ms, PingTimeout: 2 * slack}), nil)
		pings := make(chan int, 1)
		go func() {
			n := 0
			go func() {
				for {
					if _, err := s.Write(frame(0x81, false, []byte("tick"))); err != nil {
						return
					}
					time.Sleep(5 * ms)
				}
			}()
			for {
				var head [2]byte
				if _, err := io.ReadFull(s, head[:]); err != nil {
					pings <- n
					return
				}
				rest := make([]byte, 4+int(head[1]&0x7f))
				if _, err := io.ReadFull(s, rest); err != nil {
					pings <- n
					return
				}
				for i := range rest[4:] {
					rest[4+i] ^= rest[i%4]
				}
				if head[0] == 0x89 {
					n++
					s.Write(frame(0x8a, false, rest[4:]))
				}
			}
		}()
		start := time.Now()
		for time.Since(start) < time.Second || client.Latency() == 0 && time.Since(start) < slack {
			if _, err := client.Receive(context.Background()); err != nil {
				t.Errorf("%s: %v", kind, err)
				return
			}
		}
		if d := client.Latency(); d <= 0 || d > slack {
			t.Errorf("%s: latency %v", kind, d)
		}
		c.Close()
		if n := <-pings; n < 1 || n > 1+int(time.Since(start)/(190*ms)) {
			t.Errorf("%s: %d pings in %v, at an interval of 200 ms", kind, n, time.Since(start))
		}
		client.Close(errors.NormalClosure, "")
	})
}
