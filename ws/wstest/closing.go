package wstest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

func closeCases() []Case {
	return []Case{
		{
			ID:      "P04",
			Event:   "the peer sends k messages and closes with c; the app receives only after that",
			Outcome: "k messages, then CC(c, message, remote), again on every later Receive and Send",
			Why:     "messages that arrived before the close are delivered before it; WHATWG fires message events before the close event",
			Want:    wantLate(),
			run:     runLate,
		},
		{
			ID:      "P05",
			Event:   "the peer closes with each reason that a close frame may carry",
			Outcome: "that reason, that message",
			Why:     "RFC 6455, section 7.4, and the IANA registry",
			Want:    wantPeerReasons(),
			run:     runPeerReasons,
		},
		{
			ID:      "P06",
			Event:   "close frame without a status",
			Outcome: `CC(1005, "", remote)`,
			Why:     "RFC 6455, section 7.1.5",
			Want:    []Expectation{same("Receive", `CC(1005, "", remote)`), same("the peer saw", `close 1005 ""`)},
			run:     runNoStatus,
		},
		{
			ID:      "P07",
			Event:   "TCP FIN, TCP RST, or server process gone, without a close frame",
			Outcome: "messages that arrived, then CC(1006, …, local)",
			Why:     "RFC 6455, section 7.1.5: no close frame is 1006",
			Want:    wantDrops(),
			run:     runDrops,
		},
		{
			ID:      "P08",
			Event:   `local Close(1000, "done")`,
			Outcome: `Close returns nil; later calls CC(1000, "done", local); the peer sees CC(1000, "done", remote)`,
			Why:     "RFC 6455, section 7.1.2: the closing handshake",
			Want: []Expectation{
				same("Close", "nil"),
				same("Receive", `CC(1000, "done", local)`),
				same("TryReceive", `CC(1000, "done", local)`),
				same("Send", `CC(1000, "done", local)`),
				same("Err", `CC(1000, "done", local)`),
				same("Done", "closed"),
				same("the peer saw", `close 1000 "done"`),
				same("the library's server saw", `CC(1000, "done", remote)`),
			},
			run: runLocalClose,
		},
		{
			ID:      "P09",
			Event:   "local Close with every kind of reason that may be sent",
			Outcome: "the library's server sees exactly that reason from either target",
			Why:     "WHATWG close() allows 1000 and 3000-4999 only, so a browser sends aliases, 3901-3914, that the server reads back",
			Want:    wantLocalReasons(),
			run:     runLocalReasons,
		},
		{
			ID:      "P10",
			Event:   "local Close with a reason that may not be sent",
			Outcome: "ErrInvalidCloseReason; the connection stays open and usable",
			Why:     "RFC 6455, section 7.4.1 and 7.4.2; 3901-3914 are the browsers' aliases",
			Want: []Expectation{
				same("Close with each of 0-999, 1004-1006, 1015-2999, 3901-3914, 5000-65535", "ErrInvalidCloseReason"),
				same("Err", "nil"),
				same("afterwards", usable),
				same("the peer saw no close", "yes"),
			},
			run: runInvalidReasons,
		},
		{
			ID:      "P11",
			Event:   "close message of 123 bytes; longer; invalid UTF-8",
			Outcome: "sent whole; cut at the last whole rune within 123 bytes; invalid bytes replaced by U+FFFD",
			Why:     "RFC 6455, section 5.5: a control frame has 125 bytes at most, 2 of them the reason",
			Want:    wantCloseMessages(),
			run:     runCloseMessages,
		},
		{
			ID:      "P12",
			Event:   "Close twice, from many goroutines, after the peer's close",
			Outcome: "nil each time, no panic, first cause kept",
			Why:     "Close is idempotent",
			Want: []Expectation{
				same("Close twice", "nil, nil"),
				same("then Receive", `CC(1000, "first", local)`),
				same("Close from 16 goroutines", "nil each time"),
				same("then Receive, the cause is one of theirs", "yes"),
				same("Close after the peer's close", "nil, nil"),
				same("then the cause", `CC(4001, "peer", remote)`),
				same("Close after the connection was lost", "nil, nil"),
				same("then the cause, after the loss", "CC(1006, …, local)"),
			},
			run: runCloseAgain,
		},
		{
			ID:      "P13",
			Event:   "Close, and the peer never answers",
			Outcome: "returns within CloseTimeout (5 s unless set) with an error that is CC(1006); later calls give the local reason",
			Why:     "RFC 6455, section 7.1.1: either side may stop waiting; a browser waits longer",
			Want: []Expectation{
				same("Close, CloseTimeout 300 ms", "CC(1006, …, local)"),
				same("it waited for CloseTimeout", "yes"),
				same("Receive", `CC(1000, "waiting", local)`),
				same("Send", `CC(1000, "waiting", local)`),
				same("a second Close", "CC(1006, …, local)"),
				same("Close, CloseTimeout not set", "CC(1006, …, local)"),
				same("it waited for 5 s", "yes"),
				same("the peer saw", `close 1000 "waiting"`),
			},
			run: runSilentPeer,
		},
		{
			ID:      "P14",
			Event:   "both sides close at once",
			Outcome: "each side reports its own first cause; neither hangs",
			Why:     "RFC 6455, section 7.1.3: either side, or both, may start the closing handshake",
			Want: []Expectation{
				same("close frames cross: Close", "nil"),
				same("close frames cross: Receive", `CC(4200, "mine", local)`),
				same("close frames cross: the peer saw", `close 4200 "mine"`),
				same("20 races with the library's server", "each side reports its own cause or the other's, and ends"),
			},
			run: runBothClose,
		},
		{
			ID:      "P15",
			Event:   "unread messages when the local side closes",
			Outcome: "dropped; Receive gives the local CC at once",
			Why:     "a program that closes does not want more messages; only after other ends are unread messages delivered",
			Want: []Expectation{
				same("the first of 50", `text "0"`),
				same("Close", "nil"),
				same("Receive", `CC(1000, "enough", local)`),
				same("TryReceive", `CC(1000, "enough", local)`),
			},
			run: runUnread,
		},
	}
}

var lateCounts = []int{0, 1, 20, 1000}

func wantLate() []Expectation {
	var want []Expectation
	for _, k := range lateCounts {
		want = append(want,
			same(fmt.Sprintf("k = %d: received", k), fmt.Sprintf("%d in order", k)),
			same(fmt.Sprintf("k = %d: then Receive, Receive, Send, TryReceive, Err", k), strings.Repeat(`CC(4001, "bye", remote), `, 4)+`CC(4001, "bye", remote)`),
		)
	}
	return append(want, same("400 of 4 KiB, received as they arrive", "400 in order"), same("then Receive", `CC(4001, "bye", remote)`))
}

func runLate(r *row) {
	for _, k := range lateCounts {
		conn := r.dial(nil, "/burst", "n", k, "close", 4001, "message", "bye")
		r.waitDone(conn)
		n, err := r.receiveNumbered(conn)
		r.see(fmt.Sprintf("k = %d: received", k), n)
		all := []string{Describe(err), r.receive(conn), Describe(conn.Send(r.ctx, ws.Text("late")))}
		_, _, err = conn.TryReceive()
		all = append(all, Describe(err), Describe(conn.Err()))
		r.see(fmt.Sprintf("k = %d: then Receive, Receive, Send, TryReceive, Err", k), quote(all))
	}
	conn := r.dial(nil, "/burst", "n", 400, "size", 4<<10, "close", 4001, "message", "bye")
	n, err := r.receiveNumbered(conn)
	r.see("400 of 4 KiB, received as they arrive", n)
	r.see("then Receive", Describe(err))
}

// receiveNumbered receives until an error and reports how many messages of the
// peer's sequence arrived.
func (r *row) receiveNumbered(conn *ws.Conn) (string, error) {
	for n := 0; ; n++ {
		m, err := conn.Receive(r.ctx)
		if err != nil {
			return strconv.Itoa(n) + " in order", err
		}
		if text := strings.TrimRight(m.String(), "-"); m.Kind != ws.KindText || text != strconv.Itoa(n) {
			return fmt.Sprintf("%d in order, then %s %.20q", n, m.Kind, text), nil
		}
	}
}

var peerReasons = []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999}

func wantPeerReasons() []Expectation {
	var want []Expectation
	for _, c := range peerReasons {
		want = append(want,
			same(strconv.Itoa(c), fmt.Sprintf(`CC(%d, "because é", remote)`, c)),
			same(fmt.Sprintf("%d without a message", c), fmt.Sprintf(`CC(%d, "", remote)`, c)),
		)
	}
	return want
}

func runPeerReasons(r *row) {
	want := wantPeerReasons()
	for i, got := range each(len(want), func(i int) string {
		message := ""
		if i%2 == 0 {
			message = "because é"
		}
		conn, err := r.dialURL(r.url("/close", "code", peerReasons[i/2], "message", message), nil)
		if err != nil {
			return Describe(err)
		}
		return r.receive(conn)
	}) {
		r.see(want[i].Key, got)
	}
}

func runNoStatus(r *row) {
	id := r.newID()
	conn := r.dial(nil, "/close", "id", id, "code", 1005)
	r.see("Receive", r.receive(conn))
	r.see("the peer saw", first(r.events(id)))
}

var drops = []struct{ name, how, half string }{
	{"FIN", "fin", ""},
	{"FIN in the middle of a frame", "fin", "1"},
	{"RST", "rst", ""},
	{"RST in the middle of a frame", "rst", "1"},
	{"process killed", "killed", ""},
}

func wantDrops() []Expectation {
	var want []Expectation
	for _, d := range drops {
		want = append(want, same(d.name+": received", "3 in order"), same(d.name+": then Receive, Receive, Send", strings.Repeat("CC(1006, …, local), ", 2)+"CC(1006, …, local)"))
	}
	return append(want, same("FIN right behind the handshake", "3 in order, then CC(1006, …, local)"))
}

func runDrops(r *row) {
	for _, d := range drops {
		conn := r.dial(nil, "/drop", "how", d.how, "n", 3, "half", d.half)
		var n string
		var err error
		if d.how == "fin" {
			r.letDrop(conn)
			r.waitDone(conn) // the app receives only after that
			n, err = r.receiveNumbered(conn)
		} else {
			n, err = r.receiveThenSend(conn, 3)
		}
		r.see(d.name+": received", n)
		r.see(d.name+": then Receive, Receive, Send", quote([]string{
			describeReason(err), describeReason(r.receiveError(conn)), describeReason(conn.Send(r.ctx, ws.Text("late"))),
		}))
	}

	conn, err := r.dialURL(r.url("/drop", "how", "fin", "n", 3, "at", "once"), nil)
	got := Describe(err)
	if err == nil {
		r.waitDone(conn)
		n, err := r.receiveNumbered(conn)
		got = n + ", then " + describeReason(err)
	}
	r.see("FIN right behind the handshake", got)
}

// letDrop tells the peer of conn, which is /drop, that the connection is open.
func (r *row) letDrop(conn *ws.Conn) {
	r.t.Helper()
	if err := conn.Send(r.ctx, ws.Text("open")); err != nil {
		r.t.Fatalf("Send: %v", err)
	}
}

// receiveThenSend receives n messages of the peer's sequence, informs it, and
// returns the next error.
func (r *row) receiveThenSend(conn *ws.Conn, n int) (string, error) {
	for i := range n {
		m, err := conn.Receive(r.ctx)
		if err != nil || m.String() != strconv.Itoa(i) {
			return fmt.Sprintf("%d in order, then %s", i, DescribeMessage(m)), err
		}
	}
	if err := conn.Send(r.ctx, ws.Text("got them")); err != nil {
		return "Send", err
	}
	return fmt.Sprintf("%d in order", n), r.receiveError(conn)
}

func runLocalClose(r *row) {
	id := r.newID()
	conn := r.dial(nil, "/echo", "id", id)
	r.see("Close", Describe(conn.Close(errors.NormalClosure, "done")))
	r.see("Receive", r.receive(conn))
	_, _, err := conn.TryReceive()
	r.see("TryReceive", Describe(err))
	r.see("Send", Describe(conn.Send(r.ctx, ws.Text("late"))))
	r.see("Err", Describe(conn.Err()))
	select {
	case <-conn.Done():
		r.see("Done", "closed")
	default:
		r.see("Done", "open")
	}
	r.see("the peer saw", first(r.events(id)))

	const saw = "the library's server saw"
	if !r.target.Server.Library {
		r.see(saw, notRun+"the server has no library endpoints")
		return
	}
	id = r.newID()
	conn = r.dial(nil, "/library/end", "id", id)
	_ = conn.Close(errors.NormalClosure, "done")
	r.see(saw, first(r.events(id)))
}

var localReasons = []errors.CloseReason{
	1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3900, 3915, 3999, 4000, 4999,
}

func wantLocalReasons() []Expectation {
	var want []Expectation
	for _, c := range localReasons {
		want = append(want, same(strconv.Itoa(int(c)), fmt.Sprintf(`nil; the server saw CC(%d, "é %d", remote)`, c, c)))
	}
	return want
}

func runLocalReasons(r *row) {
	want := wantLocalReasons()
	if !r.target.Server.Library {
		for _, w := range want {
			r.see(w.Key, notRun+"the server has no library endpoints")
		}
		return
	}
	ids := make([]string, len(localReasons))
	closed := each(len(localReasons), func(i int) string {
		ids[i] = r.newID()
		conn, err := r.dialURL(r.url("/library/end", "id", ids[i]), nil)
		if err != nil {
			return Describe(err)
		}
		return Describe(conn.Close(localReasons[i], fmt.Sprintf("é %d", localReasons[i])))
	})
	for i, w := range want {
		r.see(w.Key, closed[i]+"; the server saw "+first(r.events(ids[i])))
	}
}

func runInvalidReasons(r *row) {
	id := r.newID()
	conn := r.dial(nil, "/echo", "id", id)
	var wrong []string
	for i := range 1 << 16 {
		valid := i >= 1000 && i <= 1003 || i >= 1007 && i <= 1014 || i >= 3000 && i <= 3900 || i >= 3915 && i <= 4999
		if valid {
			continue
		}
		if err := conn.Close(errors.CloseReason(i), "no"); !errors.Is(err, errors.ErrInvalidCloseReason) {
			wrong = append(wrong, fmt.Sprintf("%d: %s", i, Describe(err)))
		}
	}
	r.seeIf("Close with each of 0-999, 1004-1006, 1015-2999, 3901-3914, 5000-65535", len(wrong) == 0,
		"ErrInvalidCloseReason", "%d wrong, such as %s", len(wrong), first(wrong))
	r.see("Err", Describe(conn.Err()))
	r.see("afterwards", r.echoes(conn))
	_ = conn.Close(errors.NormalClosure, "the only close")
	events := r.events(id)
	r.see("the peer saw no close", yesNo(len(events) == 2 && events[1] == `close 1000 "the only close"`))
}

var closeMessages = []struct{ name, message, want string }{
	{"empty", "", ""},
	{"123 bytes", strings.Repeat("x", 123), strings.Repeat("x", 123)},
	{"124 bytes", strings.Repeat("x", 124), strings.Repeat("x", 123)},
	{"1000 bytes", strings.Repeat("x", 1000), strings.Repeat("x", 123)},
	{"a rune of 2 bytes over the edge", strings.Repeat("x", 122) + "é", strings.Repeat("x", 122)},
	{"a rune of 4 bytes over the edge", strings.Repeat("x", 120) + "𝄞", strings.Repeat("x", 120)},
	{"a rune of 3 bytes up to the edge", strings.Repeat("x", 120) + "€€", strings.Repeat("x", 120) + "€"},
	{"invalid UTF-8", "caf\xe9 \xff\xfe!", "caf\uFFFD \uFFFD!"},
	{"invalid UTF-8, longer once replaced", strings.Repeat("\xff.", 61), strings.Repeat("\uFFFD.", 30) + "\uFFFD"},
	{"NUL and quotes", "a\x00\"b'", "a\x00\"b'"},
}

func wantCloseMessages() []Expectation {
	var want []Expectation
	for _, m := range closeMessages {
		want = append(want, same(m.name, fmt.Sprintf("nil; the peer saw close 4000 %q", m.want)))
	}
	return append(want, same("the local cause has the message that was sent", "yes"))
}

func runCloseMessages(r *row) {
	local := true
	for _, m := range closeMessages {
		id := r.newID()
		conn := r.dial(nil, "/echo", "id", id)
		err := conn.Close(4000, m.message)
		r.see(m.name, Describe(err)+"; the peer saw "+first(r.events(id)))
		closed, ok := errors.AsType[*errors.ConnectionClosed](conn.Err())
		local = local && ok && closed.Message == m.want
	}
	r.see("the local cause has the message that was sent", yesNo(local))
}

func runCloseAgain(r *row) {
	twice := func(conn *ws.Conn) string {
		return Describe(conn.Close(errors.NormalClosure, "first")) + ", " + Describe(conn.Close(4002, "second"))
	}
	conn := r.dial(nil, "/echo")
	r.see("Close twice", twice(conn))
	r.see("then Receive", r.receive(conn))

	conn = r.dial(nil, "/echo")
	var wg sync.WaitGroup
	all := make([]string, 16)
	for i := range all {
		wg.Go(func() { all[i] = Describe(conn.Close(errors.CloseReason(4100+i), "mine")) })
	}
	wg.Wait()
	wrong := slices.DeleteFunc(all, func(s string) bool { return s == "nil" })
	r.seeIf("Close from 16 goroutines", len(wrong) == 0, "nil each time", "%s", first(wrong))
	closed, ok := errors.AsType[*errors.ConnectionClosed](r.receiveError(conn))
	r.see("then Receive, the cause is one of theirs", yesNo(ok && closed.Message == "mine" && closed.Reason >= 4100 && closed.Reason < 4116 && !closed.Remote))

	conn = r.dial(nil, "/close", "code", 4001, "message", "peer")
	r.waitDone(conn)
	r.see("Close after the peer's close", twice(conn))
	r.see("then the cause", r.receive(conn))

	conn = r.dial(nil, "/drop", "how", "fin")
	r.letDrop(conn)
	r.waitDone(conn)
	r.see("Close after the connection was lost", twice(conn))
	r.see("then the cause, after the loss", describeReason(r.receiveError(conn)))
}

// slack is how far a busy machine may exceed a time limit before a case reports
// it.
const slack = 4 * time.Second

// ample is slack for a limit that no other one is near to.
const ample = 15 * time.Second

// within reports whether a wait lasted for d.
func within(start time.Time, d time.Duration) string {
	took := time.Since(start)
	// Timers of browsers may fire a moment early.
	if took < d-50*time.Millisecond || took > d+slack {
		return "no, " + took.Round(time.Millisecond).String()
	}
	return "yes"
}

func runSilentPeer(r *row) {
	id := r.newID()
	conn := r.dial(&Options{CloseTimeout: 300 * time.Millisecond}, "/silent", "id", id, "hold", 20*time.Second)
	patient := r.dial(nil, "/silent", "hold", 20*time.Second)
	type end struct {
		err  string
		took string
	}
	ended := make(chan end, 1)
	go func() {
		start := time.Now()
		err := patient.Close(errors.NormalClosure, "waiting")
		ended <- end{describeReason(err), within(start, 5*time.Second)}
	}()
	start := time.Now()
	err := conn.Close(errors.NormalClosure, "waiting")
	took := within(start, 300*time.Millisecond)
	r.see("Close, CloseTimeout 300 ms", describeReason(err))
	r.see("it waited for CloseTimeout", took)
	r.see("Receive", r.receive(conn))
	r.see("Send", Describe(conn.Send(r.ctx, ws.Text("late"))))
	r.see("a second Close", describeReason(conn.Close(errors.NormalClosure, "again")))
	e := <-ended
	r.see("Close, CloseTimeout not set", e.err)
	r.see("it waited for 5 s", e.took)
	r.see("the peer saw", first(r.eventsUntil(id, `close 1000 "waiting"`)))
}

func runBothClose(r *row) {
	id := r.newID()
	conn := r.dial(nil, "/cross", "id", id, "code", 4100, "message", "theirs")
	r.see("close frames cross: Close", Describe(conn.Close(4200, "mine")))
	r.see("close frames cross: Receive", r.receive(conn))
	r.see("close frames cross: the peer saw", first(r.events(id)))

	const races = "20 races with the library's server"
	if !r.target.Server.Library {
		r.see(races, notRun+"the server has no library endpoints")
		return
	}
	says := "each side reports its own cause or the other's, and ends"
	for range 20 {
		id := r.newID()
		conn := r.dial(nil, "/library/cross", "id", id, "code", 4100, "message", "theirs")
		if err := conn.Send(r.ctx, ws.Text("now")); err != nil {
			says = "Send: " + Describe(err)
			break
		}
		closed := conn.Close(4200, "mine")
		client, server := r.receive(conn), quote(r.events(id))
		if closed != nil ||
			client != `CC(4200, "mine", local)` && client != `CC(4100, "theirs", remote)` ||
			server != `CC(4100, "theirs", local)` && server != `CC(4200, "mine", remote)` {
			says = fmt.Sprintf("Close: %s; this side: %s; the server: %s", Describe(closed), client, server)
			break
		}
	}
	r.see(races, says)
}

func runUnread(r *row) {
	conn := r.dial(nil, "/burst", "n", 50)
	r.see("the first of 50", r.receive(conn))
	r.see("Close", Describe(conn.Close(errors.NormalClosure, "enough")))
	r.see("Receive", r.receive(conn))
	_, _, err := conn.TryReceive()
	r.see("TryReceive", Describe(err))
}
