package wstest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// caseTimeout bounds one case. Only a case that hangs takes that long.
const caseTimeout = 90 * time.Second

// Run runs every case against target, each as a subtest of t with its id as the name, one after
// the other. A case fails for each observation that differs from the one expected of the
// target's class. Run passes the results to target.Report, or writes them to the log for
// [ParseResults].
func Run(t *testing.T, target Target) {
	t.Helper()
	if target.Dial == nil || target.Class != Native && target.Class != Browser {
		t.Fatalf("wstest: a Target needs Dial and a Class, %q or %q", Native, Browser)
	}
	cases := Cases()
	known := make(map[string]bool)
	for _, c := range cases {
		known[c.ID] = true
	}
	for id := range target.Skip {
		if !known[id] {
			t.Errorf("wstest: Target.Skip names the case %q, which does not exist", id)
		}
	}
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) { runCase(t, &target, c) })
	}
}

func runCase(t *testing.T, target *Target, c Case) {
	t.Helper()
	r := &row{t: t, target: target, id: c.ID, nonce: strconv.FormatUint(rand.Uint64(), 36)}
	result := Result{ID: c.ID, Target: target.Name, Class: target.Class, Engine: target.Engine}
	report := func() {
		if target.Report != nil {
			target.Report(result)
		} else {
			t.Log(result)
		}
	}
	if reason, ok := target.Skip[c.ID]; ok {
		result.Skipped = reason
		report()
		t.Skip(reason)
	}
	// Cleanups run in reverse order: those of Check run after the others, and the report
	// includes their failures.
	t.Cleanup(func() {
		result.Failed = t.Failed()
		report()
	})
	if target.Check != nil {
		target.Check(t)
	}
	ctx, cancel := context.WithTimeout(context.Background(), caseTimeout)
	t.Cleanup(cancel)
	r.ctx = ctx
	t.Cleanup(r.closeAll)
	// Deferred, because a case may end early with Fatal.
	defer func() {
		result.Observations = r.observations
		for _, mistake := range result.Mistakes(c) {
			t.Error(mistake)
		}
	}()
	c.run(r)
}

// row is one run of one case.
type row struct {
	t      *testing.T
	ctx    context.Context
	target *Target
	id     string
	nonce  string

	observations []Observation

	mu    sync.Mutex
	ids   int
	conns []*ws.Conn
}

// see records an observation. Only the goroutine of the case may call it.
func (r *row) see(key, value string) {
	r.observations = append(r.observations, Observation{key, value})
}

// seeIf records says if ok, and otherwise the text that otherwise and args format.
func (r *row) seeIf(key string, ok bool, says string, otherwise string, args ...any) {
	if !ok {
		says = fmt.Sprintf(otherwise, args...)
	}
	r.see(key, says)
}

// newID returns a name for a connection, with which ask can query the server's record of it.
func (r *row) newID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids++
	return r.id + "-" + r.nonce + "-" + strconv.Itoa(r.ids)
}

// address is a server's URL with a path and a query: pairs of a name and a value.
func address(server, path string, query ...any) string {
	s := server + path
	for i := 0; i+1 < len(query); i += 2 {
		if i == 0 {
			s += "?"
		} else {
			s += "&"
		}
		s += fmt.Sprint(query[i]) + "=" + url.QueryEscape(fmt.Sprint(query[i+1]))
	}
	return s
}

// url is the address of a behaviour of the test server.
func (r *row) url(path string, query ...any) string {
	return address(r.target.Server.URL, path, query...)
}

// dialURL opens a connection. It is closed after the case, if the case does not close it.
func (r *row) dialURL(url string, o *Options) (*ws.Conn, error) {
	if o == nil {
		o = &Options{}
	}
	conn, err := r.target.Dial(r.ctx, url, o)
	if err == nil {
		r.mu.Lock()
		r.conns = append(r.conns, conn)
		r.mu.Unlock()
	}
	return conn, err
}

// dial opens a connection to a behaviour of the test server, or ends the case.
// Only the goroutine of the case may call it.
func (r *row) dial(o *Options, path string, query ...any) *ws.Conn {
	r.t.Helper()
	conn, err := r.dialURL(r.url(path, query...), o)
	if err != nil {
		r.t.Fatalf("Dial %s: %v", path, err)
	}
	return conn
}

func (r *row) closeAll() {
	r.mu.Lock()
	conns := r.conns
	r.conns = nil
	r.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close(errors.NormalClosure, "")
	}
}

// ask opens a connection to a control endpoint and returns the text that the
// server answers with.
func (r *row) ask(path string, query ...any) (string, error) {
	// The timeout is long because only the answer matters here, not how fast a busy machine
	// closes.
	conn, err := r.target.Dial(r.ctx, address(r.target.Server.Control, path, query...), &Options{CloseTimeout: 30 * time.Second})
	if err != nil {
		return "", fmt.Errorf("asking the test server: %w", err)
	}
	m, err := conn.Receive(r.ctx)
	if err != nil {
		return "", fmt.Errorf("asking the test server: %w", err)
	}
	if err := conn.Close(errors.NormalClosure, ""); err != nil {
		return "", fmt.Errorf("after asking the test server: %w", err)
	}
	return m.String(), nil
}

// events waits until the connection id has ended, and returns the server's record of it.
func (r *row) events(id string) []string {
	r.t.Helper()
	return r.eventsUntil(id, "")
}

// eventsUntil is like events, but also returns once the server has recorded event.
func (r *row) eventsUntil(id, event string) []string {
	r.t.Helper()
	text, err := r.ask("/observed", "id", id, "until", event)
	if err != nil {
		r.t.Fatal(err)
	}
	var events []string
	if err := json.Unmarshal([]byte(text), &events); err != nil {
		r.t.Fatalf("the test server observed %s: %v", text, err)
	}
	return events
}

// tell makes the behaviour of the connection id continue.
func (r *row) tell(id string) {
	r.t.Helper()
	if _, err := r.ask("/tell", "id", id); err != nil {
		r.t.Fatal(err)
	}
}

// receive describes the result of Receive.
func (r *row) receive(conn *ws.Conn) string {
	m, err := conn.Receive(r.ctx)
	if err != nil {
		return Describe(err)
	}
	return DescribeMessage(m)
}

// receiveError returns the error of Receive, which must return no message.
func (r *row) receiveError(conn *ws.Conn) error {
	m, err := conn.Receive(r.ctx)
	if err == nil {
		return errors.New("received " + DescribeMessage(m))
	}
	return err
}

// waitDone waits for the end of conn without a call of its other methods.
func (r *row) waitDone(conn *ws.Conn) {
	r.t.Helper()
	select {
	case <-conn.Done():
	case <-r.ctx.Done():
		r.t.Fatal("the connection has not ended")
	}
}

// echoes describes whether conn, to an echoing behaviour, is open and usable.
func (r *row) echoes(conn *ws.Conn) string {
	text := "still here " + strconv.FormatUint(rand.Uint64(), 36)
	if err := conn.Send(r.ctx, ws.Text(text)); err != nil {
		return "Send: " + Describe(err)
	}
	m, err := conn.Receive(r.ctx)
	if err != nil {
		return "Receive: " + Describe(err)
	}
	if m.Kind != ws.KindText || m.String() != text {
		return "Receive: " + DescribeMessage(m) + " in place of the echo"
	}
	return "open and usable"
}

const usable = "open and usable"

// each calls f for 0 to n-1, a few at a time, and returns the results. A browser delays
// connections when many are being opened at once.
func each(n int, f func(i int) string) []string {
	all := make([]string, n)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(n, 6) {
		wg.Go(func() {
			for i := range next {
				all[i] = f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return all
}

// yesNo formats b for an observation.
func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// quote formats a list for an observation.
func quote(all []string) string { return strings.Join(all, ", ") }
