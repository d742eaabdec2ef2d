package isosocket

import (
	"context"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// network replaces Dial and the server in tests.
type network struct {
	t *testing.T
	// answer decides the result of dial number n, from 1: an error refuses it; nil
	// connects it to a server end that is served by serve, if not nil.
	answer func(n int) error
	serve  func(n int, server *ws.Conn)
	server *ws.Config // of the server's ends

	mu    sync.Mutex
	began time.Time
	dials []time.Duration // since began
	live  []*ws.Conn      // client ends
}

func newNetwork(t *testing.T) *network { return &network{t: t, began: time.Now()} }

func (n *network) dial(ctx context.Context, url string, o *DialOptions) (*ws.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials = append(n.dials, time.Since(n.began))
	for _, c := range n.live {
		if c.Err() == nil {
			n.t.Error("dialed while the last connection was still open")
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, &errors.ConnectionError{URL: url, Err: err}
	}
	number := len(n.dials)
	if n.answer != nil {
		if err := n.answer(number); err != nil {
			return nil, err
		}
	}
	client, server := ws.Pipe(o.config(""), n.server)
	n.live = append(n.live[:0], client)
	if n.serve != nil {
		go n.serve(number, server)
	}
	return client, nil
}

// redialer returns a redialer that dials into n and always draws the longest wait.
func (n *network) redialer(opts *ReconnectOptions) *redialer {
	r := newRedialer("ws://test/", opts)
	r.dial = n.dial
	if r.BaseDelay == 0 {
		r.BaseDelay = 3 * time.Second
	}
	r.random = func() float64 { return 1 }
	r.presence = newVisitor().watch // a page's own events do not mix with fake time
	return r
}

func refused(status int) error { return &errors.ConnectionError{StatusCode: status} }

// closeAfter serves a connection by closing it after d.
func closeAfter(d time.Duration, reason errors.CloseReason) func(int, *ws.Conn) {
	return func(_ int, server *ws.Conn) {
		time.Sleep(d)
		server.Close(reason, "")
	}
}

// drain is the body of most loops.
func drain(ctx context.Context, conn *ws.Conn) {
	for _, err := range conn.Messages(ctx) {
		if err != nil {
			return
		}
	}
}

// run loops until the end and returns the number of connections and the error.
func run(ctx context.Context, r *redialer) (connections int, last error) {
	for conn, err := range r.connections(ctx) {
		if err != nil {
			last = err
			continue
		}
		connections++
		drain(ctx, conn)
	}
	return connections, last
}

func seconds(n ...float64) []time.Duration {
	var d []time.Duration
	for _, s := range n {
		d = append(d, time.Duration(s*float64(time.Second)))
	}
	return d
}

func checkDials(t *testing.T, n *network, want ...float64) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	times := seconds(want...)
	if len(n.dials) != len(times) {
		t.Fatalf("dialed at %v, want %v", n.dials, times)
	}
	for i, d := range n.dials {
		if d != times[i] {
			t.Fatalf("dialed at %v, want %v", n.dials, times)
		}
	}
}

func TestConnectionsBackOff(t *testing.T) {
	t.Run("first at once, then twice as long each time up to the cap", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.answer = func(i int) error {
				if i == 9 {
					return refused(401)
				}
				return refused(503)
			}
			r := n.redialer(nil)
			r.BaseDelay = 0
			run(t.Context(), r)
			checkDials(t, n, 0, 4, 12, 28, 58, 88, 118, 148, 178)
		})
	})
	t.Run("by options", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.answer = func(int) error { return refused(0) }
			run(t.Context(), n.redialer(&ReconnectOptions{BaseDelay: time.Second, MaxDelay: 3 * time.Second, MaxAttempts: 6}))
			checkDials(t, n, 0, 1, 3, 6, 9, 12)
		})
	})
	t.Run("a cap below the default base", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.answer = func(int) error { return refused(0) }
			r := n.redialer(&ReconnectOptions{MaxDelay: time.Second, MaxAttempts: 3})
			r.BaseDelay = 0
			run(t.Context(), r)
			checkDials(t, n, 0, 1, 2)
		})
	})
	t.Run("starts again only after a stable connection", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.serve = func(i int, server *ws.Conn) {
				lives := []time.Duration{0, time.Second, 9 * time.Second, 10 * time.Second, time.Second}
				closeAfter(lives[i-1], errors.InternalError)(i, server)
			}
			n.answer = func(i int) error {
				if i == 6 {
					return refused(404)
				}
				return nil
			}
			run(t.Context(), n.redialer(nil))
			// The fourth is stable: the wait after it is the shortest again.
			checkDials(t, n, 0, 0+3, 3+1+6, 10+9+12, 31+10+3, 44+1+6)
		})
	})
	t.Run("is short for planned restarts, and doubles until a connection is stable", func(t *testing.T) {
		for _, reason := range []errors.CloseReason{errors.GoingAway, errors.ServiceRestart} {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				n.serve = func(i int, server *ws.Conn) {
					lives := []time.Duration{0, 0, 10 * time.Second, 0}
					closeAfter(lives[i-1], reason)(i, server)
				}
				n.answer = func(i int) error {
					if i == 5 {
						return refused(404)
					}
					return nil
				}
				run(t.Context(), n.redialer(nil))
				checkDials(t, n, 0, 1, 1+2, 3+10+1, 14+2)
			})
		}
	})
	t.Run("is the usual one if this side closed with GoingAway", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if restarting(&errors.ConnectionClosed{Reason: errors.GoingAway}) || restarting(refused(503)) {
				t.Error("restarting = true, but the server did not announce a restart")
			}
		})
	})
	t.Run("is the result of Delay", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.serve = closeAfter(0, errors.TryAgainLater)
			n.answer = func(i int) error {
				if i == 4 {
					return refused(404)
				}
				return nil
			}
			calls := 0
			run(t.Context(), n.redialer(&ReconnectOptions{Delay: func(err error, wait time.Duration) time.Duration {
				if !errors.Is(err, errors.TryAgainLater) {
					t.Errorf("Delay gets %v", err)
				}
				calls++
				return []time.Duration{7 * time.Second, -1, 2 * wait}[calls-1]
			}}))
			checkDials(t, n, 0, 7, 7, 7+2*12)
		})
	})
	t.Run("jitter is full", func(t *testing.T) {
		b := backoff{base: time.Second, limit: 8 * time.Second}
		for waits, bound := range map[int]time.Duration{0: time.Second, 1: 2 * time.Second, 3: 8 * time.Second, 9: 8 * time.Second, 1 << 30: 8 * time.Second} {
			low, high := bound, time.Duration(0)
			for range 1000 {
				d := b.wait(waits)
				low, high = min(low, d), max(high, d)
			}
			if low < 0 || low > bound/50 || high < bound-bound/50 || high >= bound {
				t.Errorf("after %d waits the next are from %v to %v, want all from 0 to %v", waits, low, high, bound)
			}
		}
	})
}

func TestConnectionsDecides(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		again bool
	}{
		{"no status", refused(0), true},
		{"network error", &errors.ConnectionError{Err: io.EOF}, true},
		{"400", refused(400), false},
		{"401", refused(401), false},
		{"403", refused(403), false},
		{"404", refused(404), false},
		{"408", refused(408), true},
		{"425", refused(425), true},
		{"426", refused(426), false},
		{"401, guessed", &errors.ConnectionError{StatusCode: 401, StatusGuessed: true}, true},
		{"404, guessed", &errors.ConnectionError{StatusCode: 404, StatusGuessed: true}, true},
		{"302, guessed", &errors.ConnectionError{StatusCode: 302, StatusGuessed: true}, true},
		{"redirected", &errors.ConnectionError{Err: errors.ErrRedirected}, false},
		{"in a JavaScript callback", &errors.ConnectionError{Err: errors.ErrWouldBlock}, false},
		{"forbidden by the browser", &errors.ConnectionError{Err: errors.ErrForbidden}, false},
		{"429", refused(429), true},
		{"302", refused(302), false},
		{"500", refused(500), true},
		{"503", refused(503), true},
		{"599", refused(599), true},
		{"600", refused(600), false},
		{"URL", &errors.ConnectionError{Err: errors.ErrInvalidURL}, false},
		{"subprotocol", &errors.ConnectionError{Err: errors.ErrInvalidSubprotocol}, false},
		{"unsupported field", &errors.ConnectionError{Err: errors.ErrUnsupported}, false},
		{"1000", &errors.ConnectionClosed{Reason: 1000}, false},
		{"1001", &errors.ConnectionClosed{Reason: 1001, Remote: true}, true},
		{"1002", &errors.ConnectionClosed{Reason: 1002}, false},
		{"1003", &errors.ConnectionClosed{Reason: 1003}, false},
		{"1005", &errors.ConnectionClosed{Reason: 1005, Remote: true}, false},
		{"1006", &errors.ConnectionClosed{Reason: 1006}, true},
		{"1007", &errors.ConnectionClosed{Reason: 1007}, false},
		{"1008", &errors.ConnectionClosed{Reason: 1008, Message: "receive buffer full"}, false},
		{"1008 for silence, found here", &errors.ConnectionClosed{Reason: 1008, Message: "Ping/Pong timeout"}, true},
		{"1008 for silence, found there", &errors.ConnectionClosed{Reason: 1008, Message: "Ping/Pong timeout", Remote: true}, true},
		{"1009", &errors.ConnectionClosed{Reason: 1009}, false},
		{"1010", &errors.ConnectionClosed{Reason: 1010}, false},
		{"1011", &errors.ConnectionClosed{Reason: 1011, Remote: true}, true},
		{"1012", &errors.ConnectionClosed{Reason: 1012, Remote: true}, true},
		{"1013", &errors.ConnectionClosed{Reason: 1013, Remote: true}, true},
		{"1014", &errors.ConnectionClosed{Reason: 1014, Remote: true}, true},
		{"3000", &errors.ConnectionClosed{Reason: 3000, Remote: true}, false},
		{"4001", &errors.ConnectionClosed{Reason: 4001, Remote: true}, false},
		{"wrapped", &attemptsError{1, &errors.ConnectionClosed{Reason: 1001}}, true},
		{"another error", io.EOF, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := DefaultRetry(tt.err); got != tt.again {
				t.Errorf("DefaultRetry(%v) = %v, want %v", tt.err, got, tt.again)
			}
		})
	}
	t.Run("a refusal ends the loop at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.answer = func(i int) error {
				if i == 2 { // the token has expired meanwhile
					return refused(401)
				}
				return nil
			}
			n.serve = closeAfter(time.Minute, errors.GoingAway)
			connections, err := run(t.Context(), n.redialer(nil))
			failed, ok := errors.AsType[*errors.ConnectionError](err)
			if connections != 1 || !ok || failed.StatusCode != 401 {
				t.Errorf("%d connections and %v, want one and status 401", connections, err)
			}
			checkDials(t, n, 0, 61)
		})
	})
	t.Run("by the user's own Retry", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.serve = func(i int, server *ws.Conn) {
				server.Close(map[int]errors.CloseReason{1: 4001, 2: 1000, 3: 4002}[i], "")
			}
			connections, err := run(t.Context(), n.redialer(&ReconnectOptions{Retry: func(err error) bool {
				return errors.Is(err, errors.CloseReason(4001)) || errors.Is(err, errors.NormalClosure) || DefaultRetry(err)
			}}))
			if connections != 3 || !errors.Is(err, errors.CloseReason(4002)) {
				t.Errorf("%d connections and %v, want 3 and 4002", connections, err)
			}
		})
	})
}

func TestConnectionsMaxAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.answer = func(i int) error {
			if i == 3 {
				return nil
			}
			return refused(503)
		}
		n.serve = closeAfter(time.Hour, errors.GoingAway)
		var numbers []int
		_, err := run(t.Context(), n.redialer(&ReconnectOptions{
			MaxAttempts: 4,
			OnAttempt:   func(a Attempt) { numbers = append(numbers, a.Number) },
		}))
		failed, ok := errors.AsType[*errors.ConnectionError](err)
		if !ok || failed.StatusCode != 503 || !strings.Contains(err.Error(), "after 4 attempts") || !errors.Is(err, errors.ErrWebSocket) {
			t.Errorf("err = %v, want the last attempt's error and the number of attempts, 4", err)
		}
		if want := []int{1, 2, 3, 1, 2, 3, 4}; !equal(numbers, want) {
			t.Errorf("attempts were numbered %v, want %v", numbers, want)
		}
	})
}

func equal[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestConnectionsRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        time.Duration
	}{
		{"seconds", "7", 7 * time.Second},
		{"date", "Sat, 01 Jan 2000 00:00:40 GMT", 40 * time.Second}, // synctest begins at midnight
		{"date that has passed", "Fri, 31 Dec 1999 23:59:59 GMT", 0},
		{"garbage", "soon", 0},
		{"negative", "-5", 0},
		{"huge", "9999999999", time.Hour},
		{"overflow", "99999999999999999999999", 0},
		{"empty", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				n.answer = func(i int) error {
					if i == 2 {
						return refused(404)
					}
					return &errors.ConnectionError{StatusCode: 503, Header: map[string][]string{"Retry-After": {tt.value}}}
				}
				var down Down
				run(t.Context(), n.redialer(&ReconnectOptions{OnDown: func(d Down) { down = d }}))
				// The jitter is added, because clients that got the same time would
				// otherwise reconnect together.
				checkDials(t, n, 0, (tt.want + 3*time.Second).Seconds())
				if down.Wait != tt.want+3*time.Second {
					t.Errorf("OnDown got the wait %v, want %v", down.Wait, tt.want+3*time.Second)
				}
			})
		})
	}
}

func TestConnectionsPrepare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		type dialed struct {
			url, token, subprotocol string
		}
		var got []dialed
		r := n.redialer(nil)
		r.Dial = &DialOptions{Subprotocols: []string{"chat"}, HandshakeTimeout: 2 * time.Second}
		r.Prepare = func(ctx context.Context, a *Attempt) error {
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != 2*time.Second {
				t.Errorf("Prepare's ctx ends in %v, want HandshakeTimeout", time.Until(deadline))
			}
			a.URL += "?attempt=" + string(rune('0'+a.Number))
			a.Options.Header = map[string][]string{"Authorization": {"token " + string(rune('0'+a.Number))}}
			a.Options.Subprotocols = append([]string{"v2"}, a.Options.Subprotocols...)
			if a.Number == 3 {
				return io.ErrUnexpectedEOF // the token server is down
			}
			if a.Number == 4 {
				return refused(401)
			}
			return nil
		}
		r.OnAttempt = func(a Attempt) {
			got = append(got, dialed{a.URL, a.Options.Header["Authorization"][0], strings.Join(a.Options.Subprotocols, ",")})
		}
		n.answer = func(int) error { return refused(500) }
		var downs []error
		r.OnDown = func(d Down) { downs = append(downs, d.Err) }
		_, err := run(t.Context(), r)
		want := []dialed{{"ws://test/?attempt=1", "token 1", "v2,chat"}, {"ws://test/?attempt=2", "token 2", "v2,chat"}}
		if !equal(got, want) {
			t.Errorf("dialed %v, want %v", got, want)
		}
		if len(downs) != 3 || !errors.Is(downs[2], io.ErrUnexpectedEOF) || !errors.Is(downs[2], errors.ErrWebSocket) {
			t.Errorf("was down for %v, want Prepare's error as the third", downs)
		}
		if failed, ok := errors.AsType[*errors.ConnectionError](err); !ok || failed.StatusCode != 401 {
			t.Errorf("err = %v, want Prepare's 401", err)
		}
		if r.Dial.Header != nil || len(r.Dial.Subprotocols) != 1 {
			t.Errorf("the caller's options became %+v", r.Dial)
		}
	})
}

func TestConnectionsHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.answer = func(i int) error {
			if i == 2 {
				return refused(503)
			}
			if i == 4 {
				return refused(403)
			}
			return nil
		}
		n.serve = closeAfter(time.Minute, errors.ServiceRestart)
		var log []string
		r := n.redialer(&ReconnectOptions{
			OnAttempt: func(a Attempt) { log = append(log, "attempt "+a.URL) },
			OnDown: func(d Down) {
				log = append(log, d.Wait.String()+" "+string(rune('0'+d.Attempts))+" "+d.Err.Error())
			},
		})
		_, err := run(t.Context(), r)
		want := []string{
			"attempt ws://test/",
			"1s 0 websocket: connection closed by the peer: 1012 (service restart)",
			"attempt ws://test/",
			"3s 1 websocket: cannot connect: HTTP status 503",
			"attempt ws://test/",
			"1s 0 websocket: connection closed by the peer: 1012 (service restart)",
			"attempt ws://test/",
		}
		if !equal(log, want) {
			t.Errorf("hooks saw\n%s\nwant\n%s", strings.Join(log, "\n"), strings.Join(want, "\n"))
		}
		if err == nil {
			t.Error("the 403 was not yielded")
		}
	})
}

func TestConnectionsEndsWithContext(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			n := newNetwork(t)
			if connections, err := run(ctx, n.redialer(nil)); connections != 0 || err != nil || len(n.dials) != 0 {
				t.Errorf("%d connections, %v, %d dials, want nothing", connections, err, len(n.dials))
			}
		})
	})
	t.Run("while waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			n := newNetwork(t)
			n.answer = func(int) error { return refused(500) }
			if _, err := run(ctx, n.redialer(nil)); err != nil || time.Since(n.began) != 10*time.Second {
				t.Errorf("ended after %v with %v, want 10s and no error", time.Since(n.began), err)
			}
		})
	})
	t.Run("while dialing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			r := newNetwork(t).redialer(nil)
			r.dial = func(ctx context.Context, _ string, _ *DialOptions) (*ws.Conn, error) {
				<-ctx.Done()
				return nil, &errors.ConnectionError{Err: ctx.Err()}
			}
			if _, err := run(ctx, r); err != nil {
				t.Errorf("err = %v, want none", err)
			}
		})
	})
	t.Run("while connected", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			n := newNetwork(t)
			var reason atomic.Value
			n.serve = func(_ int, server *ws.Conn) {
				_, err := server.Receive(context.Background())
				reason.Store(err)
			}
			connections, err := run(ctx, n.redialer(nil))
			if connections != 1 || err != nil {
				t.Errorf("%d connections and %v, want one and no error", connections, err)
			}
			synctest.Wait()
			if err := reason.Load().(error); !errors.Is(err, errors.GoingAway) {
				t.Errorf("the server saw %v, want 1001", err)
			}
		})
	})
}

// ends serves connections by noting how each ends.
type ends struct {
	mu  sync.Mutex
	all []error
}

func (e *ends) serve(_ int, server *ws.Conn) {
	_, err := server.Receive(context.Background())
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, err)
}

func (e *ends) check(t *testing.T, want ...errors.CloseReason) {
	t.Helper()
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.all) != len(want) {
		t.Fatalf("the server saw %v, want %v", e.all, want)
	}
	for i, err := range e.all {
		if !errors.Is(err, want[i]) {
			t.Errorf("the server saw %v, want %v", e.all, want)
		}
	}
}

func TestConnectionsClosesAfterTheBody(t *testing.T) {
	t.Run("break", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, e := newNetwork(t), &ends{}
			n.serve = e.serve
			for range n.redialer(nil).connections(t.Context()) {
				break
			}
			e.check(t, errors.NormalClosure)
			checkDials(t, n, 0)
		})
	})
	t.Run("the body ends with the connection open", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, e := newNetwork(t), &ends{}
			n.serve = e.serve
			rounds := 0
			for _, err := range n.redialer(nil).connections(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if rounds++; rounds == 3 {
					break
				}
			}
			e.check(t, errors.NormalClosure, errors.NormalClosure, errors.NormalClosure)
			checkDials(t, n, 0, 3, 9)
		})
	})
	t.Run("closed by the body", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, e := newNetwork(t), &ends{}
			n.serve = e.serve
			var last error
			for conn, err := range n.redialer(nil).connections(t.Context()) {
				if last = err; err == nil {
					conn.Close(4000, "enough")
				}
			}
			if !errors.Is(last, errors.CloseReason(4000)) {
				t.Errorf("err = %v, want the body's own 4000", last)
			}
			e.check(t, 4000)
		})
	})
	t.Run("panic", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, e := newNetwork(t), &ends{}
			n.serve = e.serve
			func() {
				defer func() {
					if recover() != "the body's" {
						t.Error("the panic was lost")
					}
				}()
				for range n.redialer(nil).connections(t.Context()) {
					panic("the body's")
				}
			}()
			e.check(t, errors.InternalError)
		})
	})
	t.Run("return from the function around it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, e := newNetwork(t), &ends{}
			n.serve = e.serve
			func() {
				for range n.redialer(nil).connections(t.Context()) {
					return
				}
			}()
			e.check(t, errors.NormalClosure)
		})
	})
}

func TestConnectionsMayBeUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		loop := n.redialer(nil).connections(t.Context())
		for range 3 {
			for conn, err := range loop {
				if conn == nil || err != nil {
					t.Fatalf("yielded %v, %v", conn, err)
				}
				break
			}
		}
		checkDials(t, n, 0, 0, 0)
	})
}

// visitor is a presence that the test controls.
type visitor struct {
	woken   chan time.Time
	isAway  atomic.Bool
	started atomic.Int32
	stopped atomic.Int32
}

func newVisitor() *visitor { return &visitor{woken: make(chan time.Time, 1)} }

func (v *visitor) Returned() <-chan time.Time { return v.woken }

func (v *visitor) Away() bool { return v.isAway.Load() }

func (v *visitor) Stop() { v.stopped.Add(1) }

func (v *visitor) watch() watcher {
	v.started.Add(1)
	return v
}

func TestConnectionsFollowsPresence(t *testing.T) {
	t.Run("the return of the user cuts the wait short", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, v := newNetwork(t), newVisitor()
			n.answer = func(i int) error {
				if i == 3 {
					return refused(404)
				}
				return refused(503)
			}
			time.AfterFunc(time.Second, func() { v.woken <- time.Now() })
			r := n.redialer(nil)
			r.presence = v.watch
			run(t.Context(), r)
			checkDials(t, n, 0, 1, 7)
			if v.started.Load() != v.stopped.Load() || v.started.Load() == 0 {
				t.Errorf("listened %d times, stopped %d times", v.started.Load(), v.stopped.Load())
			}
		})
	})
	t.Run("a return just before a wait cuts one wait short", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, v := newNetwork(t), newVisitor()
			n.answer = func(i int) error {
				switch i {
				case 1: // the page returns, and after that the connection is found to be lost
					v.woken <- time.Now()
					time.Sleep(returnWindow)
				case 3:
					return refused(404)
				}
				return refused(503)
			}
			r := n.redialer(nil)
			r.presence = v.watch
			run(t.Context(), r)
			checkDials(t, n, 0, returnWindow.Seconds(), returnWindow.Seconds()+6)
		})
	})
	t.Run("a return long before a wait does not cut it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, v := newNetwork(t), newVisitor()
			n.answer = func(i int) error {
				if i == 2 {
					return refused(404)
				}
				v.woken <- time.Now()
				time.Sleep(returnWindow + time.Second)
				return refused(503)
			}
			r := n.redialer(nil)
			r.presence = v.watch
			run(t.Context(), r)
			checkDials(t, n, 0, 9)
		})
	})
	t.Run("a return does not cut the server's Retry-After", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, v := newNetwork(t), newVisitor()
			n.answer = func(i int) error {
				if i == 2 {
					return refused(404)
				}
				return &errors.ConnectionError{StatusCode: 429, Header: map[string][]string{"Retry-After": {"60"}}}
			}
			time.AfterFunc(time.Second, func() { v.woken <- time.Now() })
			r := n.redialer(nil)
			r.presence = v.watch
			run(t.Context(), r)
			checkDials(t, n, 0, 60)
		})
	})
	t.Run("no attempts while offline and hidden", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, v := newNetwork(t), newVisitor()
			n.answer = func(i int) error {
				v.isAway.Store(i == 1)
				if i == 2 {
					return refused(404)
				}
				return refused(0)
			}
			v.isAway.Store(true)
			back := func() {
				v.isAway.Store(false)
				v.woken <- time.Now()
			}
			time.AfterFunc(time.Minute, back)
			time.AfterFunc(70*time.Second, func() { v.woken <- time.Now() }) // online, but still hidden: not back
			time.AfterFunc(time.Hour, back)
			r := n.redialer(nil)
			r.presence = v.watch
			run(t.Context(), r)
			checkDials(t, n, 60, 3600)
		})
	})
	t.Run("ctx ends while away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			n, v := newNetwork(t), newVisitor()
			v.isAway.Store(true)
			r := n.redialer(nil)
			r.presence = v.watch
			if _, err := run(ctx, r); err != nil || time.Since(n.began) != time.Minute {
				t.Errorf("ended after %v with %v, want 1m and no error", time.Since(n.began), err)
			}
			checkDials(t, n)
		})
	})
}

func TestReconnectOptionsThatCannotBeUsed(t *testing.T) {
	for _, tt := range []struct {
		says    string
		options ReconnectOptions
	}{
		{"BaseDelay is negative", ReconnectOptions{BaseDelay: -time.Second}},
		{"MaxDelay is negative", ReconnectOptions{MaxDelay: -1}},
		{"BaseDelay is 2s, longer than MaxDelay, which is 1s", ReconnectOptions{BaseDelay: 2 * time.Second, MaxDelay: time.Second}},
		{"StableAfter is negative", ReconnectOptions{StableAfter: -1}},
		{"MaxAttempts is negative", ReconnectOptions{MaxAttempts: -1}},
	} {
		t.Run(tt.says, func(t *testing.T) {
			n := newNetwork(t)
			_, err := run(t.Context(), n.redialer(&tt.options))
			if err == nil || !strings.Contains(err.Error(), "ReconnectOptions."+tt.says) || !errors.Is(err, errors.ErrWebSocket) {
				t.Errorf("err = %v, want one that names the field", err)
			}
			checkDials(t, n)
		})
	}
}

func TestDelaysFollowEachOther(t *testing.T) {
	for _, tt := range []struct{ base, limit, wantBase, wantLimit time.Duration }{
		{0, 0, DefaultBaseDelay, DefaultMaxDelay},
		{time.Minute, 0, time.Minute, time.Minute},
		{0, time.Second, time.Second, time.Second},
		{time.Second, time.Second, time.Second, time.Second},
	} {
		o, err := ReconnectOptions{BaseDelay: tt.base, MaxDelay: tt.limit}.withDefaults()
		if err != nil || o.BaseDelay != tt.wantBase || o.MaxDelay != tt.wantLimit {
			t.Errorf("%v, %v: %v, %v, %v", tt.base, tt.limit, o.BaseDelay, o.MaxDelay, err)
		}
	}
}

// TestConnectionsReconnectsAThousandTimes relies on synctest to detect leaked
// goroutines.
func TestConnectionsReconnectsAThousandTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.answer = func(i int) error {
			if i > 1000 {
				return refused(410)
			}
			return nil
		}
		n.serve = func(_ int, server *ws.Conn) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			drain(ctx, server)
			server.Close(errors.GoingAway, "")
		}
		r := n.redialer(&ReconnectOptions{Dial: &DialOptions{Heartbeat: &ws.Heartbeat{}}})
		n.server = &ws.Config{AnswerHeartbeat: &ws.Heartbeat{}}
		if connections, err := run(t.Context(), r); connections != 1000 || err == nil {
			t.Errorf("%d connections and %v, want 1000 and the refusal", connections, err)
		}
	})
}
