package wstest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

func livenessCases() []Case {
	return []Case{
		{
			ID:      "P32",
			Event:   "the peer stops answering pings (server side)",
			Outcome: `CC(1008, "Ping/Pong timeout", local) within interval + timeout`,
			Why:     "RFC 6455, section 5.5.2: a ping may verify that the peer is still there",
			Want: []Expectation{
				same("the library's server", `CC(1008, "Ping/Pong timeout", local)`),
				same("within interval + timeout", "yes"),
				same("a client that answers stays connected", usable),
			},
			run: runMissedPong,
		},
		{
			ID:      "P33",
			Event:   "the app neither sends nor receives for longer than the peer's ping timeout",
			Outcome: "stays open: pings are answered without a Receive",
			Why:     "RFC 6455, section 5.5.2: an endpoint must answer, whatever the application does",
			Want: []Expectation{
				same("the peer saw, without a call by the app", "pong 0, pong 1, pong 2, pong 3, pong 4, all pongs"),
				same("then Receive", `text "done"`),
				same("then", usable),
				same("messages are waiting while pings come", "pong 0, pong 1, pong 2, all pongs"),
			},
			run: runIdleApp,
		},
		{
			ID:      "P34",
			Event:   "the app only sends; the peer closes",
			Outcome: "Send soon gives the peer's CC; Done is closed without any call",
			Why:     "a connection ends even if the program makes no call",
			Want: []Expectation{
				same("Send in a loop", `CC(4002, "no more", remote)`),
				same("Done without any call", `closed, CC(4003, "gone", remote)`),
				same("Done without any call, connection lost", "closed, CC(1006, …, local)"),
			},
			run: runOnlySends,
		},
		{
			ID:      "P35",
			Event:   "Dial cancelled during the handshake; connection dropped without Close",
			Outcome: "no goroutine, callback or socket left",
			Why:     "every resource must be released on every path",
			Want: []Expectation{
				same("Dial cancelled during the handshake", "ConnectionError{0} that is context.Canceled"),
				same("the server saw the socket close", "yes"),
				same("20 in a row", "the same"),
				same("lost by RST, and never called again", "CC(1006, …, local)"),
				same("closed by the peer, and never called again", `CC(4001, "bye", remote)`),
				same("open, and dropped: the library's server saw", "CC(1001, …, remote)"),
				same("objects left on the heap by 50 cancelled in a row", fewObjects),
				same("objects left on the heap by 50 refused with 403", fewObjects),
				same("objects left on the heap by 50 lost", fewObjects),
				same("objects left on the heap by 50 whose Close gets no answer", fewObjects),
				same("goroutines", "as before"),
			},
			run: runDropped,
		},
		{
			ID:      "P36",
			Event:   "200 connections opened and closed in a row",
			Outcome: "memory and goroutines return to their earlier level",
			Why:     "every resource must be released",
			Want: []Expectation{
				same("200 times Dial, Send, Receive, Close", "fine"),
				same("objects left on the heap by the second hundred", fewObjects),
				same("goroutines", "as before"),
			},
			run: runInARow,
		},
	}
}

func runMissedPong(r *row) {
	if !r.target.Server.Library {
		for _, key := range []string{"the library's server", "within interval + timeout", "a client that answers stays connected"} {
			r.see(key, notRun+"the server has no library endpoints")
		}
		return
	}
	const interval, timeout = 300 * time.Millisecond, 400 * time.Millisecond
	// A browser cannot keep silent, so the test server has a client that does.
	id := r.newID()
	answer, err := r.ask("/quiet", "id", id, "interval", interval, "timeout", timeout)
	if err != nil || answer != "gone quiet" {
		r.t.Fatalf("/quiet: %s %v", answer, err)
	}
	events := r.events(id)
	r.see("the library's server", first(events))
	took, err := time.ParseDuration(strings.TrimPrefix(last(events), "after "))
	r.seeIf("within interval + timeout", err == nil && took <= interval+timeout+ample, "yes", "no, %s", last(events))

	conn := r.dial(nil, "/library/idle", "interval", 50*time.Millisecond, "timeout", 10*time.Second)
	other := r.newID()
	pinged := r.dial(nil, "/pinger", "id", other, "n", 3) // a wait for three pings
	r.eventsUntil(other, "all pongs")
	_ = pinged
	got := usable
	if conn.Err() != nil {
		got = Describe(conn.Err())
	} else if err := conn.Send(r.ctx, ws.Text("here")); err != nil {
		got = Describe(err)
	}
	r.see("a client that answers stays connected", got)
}

func runIdleApp(r *row) {
	id := r.newID()
	conn := r.dial(nil, "/pinger", "id", id, "n", 5)
	r.see("the peer saw, without a call by the app", quote(r.eventsUntil(id, "all pongs")))
	r.see("then Receive", r.receive(conn))
	r.see("then", r.echoes(conn))

	id = r.newID()
	conn = r.dial(nil, "/pinger", "id", id, "n", 3, "messages", 10)
	r.see("messages are waiting while pings come", quote(r.eventsUntil(id, "all pongs")))
	_ = conn
}

func runOnlySends(r *row) {
	id := r.newID()
	conn := r.dial(nil, "/closewhen", "id", id, "code", 4002, "message", "no more")
	r.tell(id)
	var err error
	for err == nil && r.ctx.Err() == nil {
		err = conn.Send(r.ctx, ws.Text("waiting"))
		time.Sleep(time.Millisecond) // stands in for other work of a program
	}
	r.see("Send in a loop", Describe(err))

	id = r.newID()
	conn = r.dial(nil, "/closewhen", "id", id, "code", 4003, "message", "gone")
	r.tell(id)
	r.waitDone(conn)
	r.see("Done without any call", "closed, "+Describe(conn.Err()))

	conn = r.dial(nil, "/drop", "how", "fin")
	r.letDrop(conn)
	r.waitDone(conn)
	r.see("Done without any call, connection lost", "closed, "+describeReason(conn.Err()))
}

// settle waits until no more goroutines run than before. If that takes too long, the result says
// how many run.
func settle(before int) string {
	var now int
	for range 500 {
		if now = runtime.NumGoroutine(); now <= before {
			return "as before"
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Sprintf("%d, before %d", now, before)
}

func runDropped(r *row) {
	// The first call may make objects that the target keeps.
	r.cancelHalfway()
	before := runtime.NumGoroutine()
	first, id := r.cancelHalfway()
	got := first
	r.see("Dial cancelled during the handshake", first)
	gone := r.sawEnd(id)
	r.see("the server saw the socket close", gone)
	for i := 0; i < 20 && got == first && gone == "yes"; i++ {
		got, id = r.cancelHalfway()
		gone = r.sawEnd(id)
	}
	again := "the same"
	if got != first || gone != "yes" {
		again = got + ", " + gone
	}
	r.see("20 in a row", again)

	// The connections below are never called again, not even Close.
	drop := func(path string, query ...any) *ws.Conn {
		conn, err := r.target.Dial(r.ctx, r.url(path, query...), &Options{})
		if err != nil {
			r.t.Fatalf("Dial %s: %v", path, err)
		}
		return conn
	}
	conn := drop("/drop", "how", "rst")
	r.letDrop(conn)
	r.waitDone(conn)
	r.see("lost by RST, and never called again", describeReason(conn.Err()))
	conn = drop("/close", "code", 4001, "message", "bye")
	r.waitDone(conn)
	r.see("closed by the peer, and never called again", Describe(conn.Err()))
	r.see("open, and dropped: the library's server saw", r.letGo())
	r.see("objects left on the heap by 50 cancelled in a row", r.leaves(50, func() {
		var ids []string
		for range 50 {
			// Firefox keeps the socket, and has room for a few only.
			_, id := r.cancelHalfway("hold", 200*time.Millisecond)
			ids = append(ids, id)
		}
		if _, err := r.ask("/forget", "ids", strings.Join(ids, ",")); err != nil {
			r.t.Fatal(err)
		}
	}))
	r.see("objects left on the heap by 50 refused with 403", r.leaves(50, func() {
		for range 50 {
			if _, err := r.target.Dial(r.ctx, r.url("/status", "code", 403), &Options{}); err == nil {
				r.t.Fatal("Dial: no error")
			}
		}
	}))
	r.see("objects left on the heap by 50 lost", r.leaves(50, func() {
		var lost []*ws.Conn
		for range 50 {
			conn := drop("/drop", "how", "fin")
			r.letDrop(conn)
			lost = append(lost, conn)
		}
		for _, conn := range lost {
			r.waitDone(conn)
		}
	}))
	r.see("objects left on the heap by 50 whose Close gets no answer", r.leaves(50, func() {
		for range 50 {
			conn, err := r.target.Dial(r.ctx, r.url("/silent", "hold", 500*time.Millisecond), &Options{CloseTimeout: time.Millisecond})
			if err != nil {
				r.t.Fatalf("Dial: %v", err)
			}
			_ = conn.Close(errors.NormalClosure, "")
		}
	}))
	r.see("goroutines", settle(before))
}

// fewObjects is the result of leaves if there is no leak.
const fewObjects = "fewer than one a connection"

// leaves calls batch, which opens and ends n connections, and reports whether n or more objects
// remain on the heap. An object that is made once and kept, or a buffer that grows now and then,
// is not a leak: a leak shows in every batch.
func (r *row) leaves(n int, batch func()) string {
	batch()
	var left int
	for range 5 {
		before := heapObjects()
		batch()
		left = heapObjects() - before
		// Objects that a timer still holds are freed with the timer.
		for i := 0; i < 10 && left >= n; i++ {
			time.Sleep(50 * time.Millisecond)
			left = heapObjects() - before
		}
		if left < n {
			return fewObjects
		}
	}
	return fmt.Sprintf("%d objects of %d connections", left, n)
}

// letGo opens a connection, drops the reference to it, and returns the events that its peer saw.
func (r *row) letGo() string {
	if !r.target.Server.Library {
		return notRun + "the server has no library endpoints"
	}
	id := r.newID()
	dialed := make(chan error)
	go func() { // on a stack that is freed
		conn, err := r.target.Dial(r.ctx, r.url("/library/end", "id", id), &Options{})
		if err == nil {
			err = conn.Send(r.ctx, ws.Text("hello"))
		}
		dialed <- err
	}()
	if err := <-dialed; err != nil {
		return Describe(err)
	}
	for range 100 {
		runtime.GC()
		text, err := r.ask("/observed", "id", id, "now", 1)
		if err != nil {
			return Describe(err)
		}
		if strings.HasPrefix(text, `["CC(1001, `) && strings.HasSuffix(text, `remote)"]`) {
			return "CC(1001, …, remote)"
		}
		if text != "[]" {
			return text
		}
	}
	return "no end, after 100 garbage collections"
}

// cancelHalfway cancels a Dial once the server has its request, and returns Dial's result and the
// id of the connection. query is for /hang.
func (r *row) cancelHalfway(query ...any) (dialed, id string) {
	id = r.newID()
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	watched := make(chan error, 1)
	go func() {
		_, err := r.ask("/observed", "id", id, "until", "request")
		cancel()
		watched <- err
	}()
	_, err := r.target.Dial(ctx, r.url("/hang", append(query, "id", id)...), &Options{})
	if err := <-watched; err != nil {
		r.t.Fatal(err)
	}
	return Describe(err), id
}

// sawEnd reports whether the server soon sees the end of the socket of the connection id.
func (r *row) sawEnd(id string) string {
	text, err := r.ask("/observed", "id", id, "within", 5*time.Second)
	if err != nil {
		r.t.Fatal(err)
	}
	return yesNo(strings.Contains(text, "end of stream") || strings.Contains(text, "connection lost"))
}

func runInARow(r *row) {
	before := runtime.NumGoroutine()
	got := "fine"
	left := r.leaves(100, func() {
		for i := range 100 {
			if err := r.openAndClose(); err != nil && got == "fine" {
				got = fmt.Sprintf("connection %d: %s", i, Describe(err))
			}
		}
	})
	r.see("200 times Dial, Send, Receive, Close", got)
	r.see("objects left on the heap by the second hundred", left)
	r.see("goroutines", settle(before))
}

func (r *row) openAndClose() error {
	conn, err := r.target.Dial(r.ctx, r.url("/echo"), &Options{})
	if err != nil {
		return err
	}
	if err := conn.Send(r.ctx, ws.Text("hello")); err != nil {
		return err
	}
	if _, err := conn.Receive(r.ctx); err != nil {
		return err
	}
	return conn.Close(errors.NormalClosure, "")
}

// heapObjects counts live objects, and returns the least of a few counts:
// finalizers and pools release some objects later.
func heapObjects() int {
	least := 0
	for i := range 5 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond) // for finalizers to run
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		if objects := int(stats.Mallocs - stats.Frees); i == 0 || objects < least {
			least = objects
		}
	}
	return least
}
