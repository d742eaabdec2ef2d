package wstest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/isosocket/isosocket/ws"
)

// Difference is something that cannot be the same in a browser.
type Difference struct {
	// ID is the name by which expectations refer to it.
	ID string
	// Subject says what differs; Native and Browser say how.
	Subject, Native, Browser string
}

// Differences returns all differences, in order. Each is shown
// by at least one expectation of Cases, and no other expectation differs. The
// caller owns the slice.
func Differences() []Difference {
	return []Difference{
		{
			ID:      "B1",
			Subject: "A protocol violation by the peer: bad UTF-8, reserved bits, a bad opcode",
			Native:  "`ConnectionClosed` with 1007 or 1002, local",
			Browser: "`ConnectionClosed` with 1006, local, for all of them",
		},
		{
			ID:      "B2",
			Subject: "Request headers, TLS settings, proxies",
			Native:  "`DialOptions.Header` and `DialOptions.Native`",
			Browser: "`Header` makes `Dial` fail with an error that is `errors.ErrUnsupported` and names the field; the fields of `Native` do not compile",
		},
		{
			ID:      "B3",
			Subject: "Receive flow control",
			Native:  "reading stops, and TCP slows the peer down",
			Browser: "messages queue up to `ReceiveBuffer` (16 MiB unless set), then `ConnectionClosed` with 1008, \"receive buffer full\", local",
		},
		{
			ID:      "B4",
			Subject: "A message over `MaxMessageSize`",
			Native:  "refused when the frame header arrives, before the payload is read",
			Browser: "refused once it has arrived whole: a browser delivers only whole messages",
		},
		{
			ID:      "B5",
			Subject: "Protocol pings",
			Native:  "`PingInterval` and `PingTimeout`: a peer that does not answer is `ConnectionClosed` with 1008, \"Ping/Pong timeout\", local",
			Browser: "cannot be sent: setting them makes `Dial` fail with an error that is `errors.ErrUnsupported` and names the field",
		},
		{
			ID:      "B6",
			Subject: "Frames after the peer's close frame",
			Native:  "ignored: `ConnectionClosed` with the peer's reason, remote",
			Browser: "the same, or `ConnectionClosed` with 1006, local (Chromium)",
		},
	}
}

// DifferencesTable returns Differences as a Markdown table, with the cases
// that show each.
func DifferencesTable() string {
	var b strings.Builder
	b.WriteString("| what | native | browser | shown by |\n| --- | --- | --- | --- |\n")
	for _, d := range Differences() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", d.Subject, d.Native, d.Browser, strings.Join(shownBy(d.ID), ", "))
	}
	return b.String()
}

// shownBy returns the ids of the cases that show a difference.
func shownBy(difference string) []string {
	var ids []string
	for _, c := range Cases() {
		if slices.ContainsFunc(c.Want, func(e Expectation) bool { return e.Difference == difference }) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// violations are the ways in which /violate breaks the protocol, and the
// reason that RFC 6455 gives each.
var violations = []struct {
	what   string
	reason int
}{
	{"text that is not UTF-8", 1007},
	{"a rune cut by the end of the message", 1007},
	{"a reserved bit", 1002},
	{"an unknown opcode", 1002},
	{"an unknown control opcode", 1002},
	{"a masked frame", 1002},
	{"a fragmented ping", 1002},
	{"a ping of 126 bytes", 1002},
	{"a continuation of nothing", 1002},
	{"a message within a message", 1002},
	{"a close payload of one byte", 1002},
	{"a close reason 1006", 1002},
	{"a close reason 999", 1002},
	{"a close reason 1004", 1002},
	{"a close reason 1015", 1002},
	{"a close reason 1016", 1002},
	{"a close reason 2999", 1002},
	{"a close reason 5000", 1002},
	{"a close message that is not UTF-8", 1007},
}

func differenceCases() []Case {
	return []Case{
		{
			ID:      "D01",
			Event:   "the peer breaks the protocol",
			Outcome: "native: CC(1007 or 1002, …, local); browser: CC(1006, …, local)",
			Why:     "RFC 6455, sections 5 and 8.1; a browser does not report the violation",
			Want:    wantViolations(),
			run:     runViolations,
		},
		{
			ID:      "D02",
			Event:   "Dial with a request header",
			Outcome: "native: sent; browser: ErrUnsupported, which names the field",
			Why:     "the WHATWG WebSocket constructor takes no headers; an option is never silently ignored",
			Want: []Expectation{
				differs("B2", "Header", "the server saw abc", "ConnectionError{0} that is ErrUnsupported"),
				differs("B2", "the error names the field", "no error", "Header"),
			},
			run: runHeader,
		},
		{
			ID:      "D03",
			Event:   "the peer stops answering pings (client side)",
			Outcome: `native: CC(1008, "Ping/Pong timeout", local); browser: ErrUnsupported, which names the field`,
			Why:     "RFC 6455, section 5.5.2; WHATWG has no way to send a ping",
			Want: []Expectation{
				differs("B5", "a peer that does not answer", `CC(1008, "Ping/Pong timeout", local)`, "ConnectionError{0} that is ErrUnsupported"),
				differs("B5", "the error names the field", "no error", "PingInterval"),
				differs("B5", "PingTimeout alone", usable, "ConnectionError{0} that is ErrUnsupported"),
				differs("B5", "TryReceive every 16 ms", `CC(1008, "Ping/Pong timeout", local)`, "ConnectionError{0} that is ErrUnsupported"),
				differs("B5", "no call at all", `CC(1008, "Ping/Pong timeout", local)`, "ConnectionError{0} that is ErrUnsupported"),
			},
			run: runClientPings,
		},
		{
			ID:      "D04",
			Event:   "the peer sends frames after its close frame",
			Outcome: "native: CC(4000, bye, remote); browser: the same, or CC(1006, …, local); earlier messages arrive",
			Why:     "RFC 6455, section 5.5.1, forbids frames after a close frame, but does not say what the receiver does; Chromium reports a violation as the cause",
			Want:    wantAfterClose(),
			run:     runAfterClose,
		},
	}
}

func wantViolations() []Expectation {
	var want []Expectation
	for _, v := range violations {
		want = append(want, differs("B1", v.what, fmt.Sprintf("CC(%d, …, local)", v.reason), "CC(1006, …, local)"))
	}
	return want
}

func runViolations(r *row) {
	got := each(len(violations), func(i int) string {
		conn, err := r.dialURL(r.url("/violate", "what", violations[i].what), nil)
		if err == nil {
			err = conn.Send(r.ctx, ws.Text("open"))
		}
		if err != nil {
			return Describe(err)
		}
		return describeReason(r.receiveError(conn))
	})
	for i, v := range violations {
		r.see(v.what, got[i])
	}
}

var afterClose = []string{"a text", "a fragment", "a ping", "a close frame", "bytes that are no frame"}

const (
	peersReason     = "text \"before\", then CC(4000, \"bye\", remote)"
	peersReasonOr06 = peersReason + " or CC(1006, …, local)"
)

func wantAfterClose() []Expectation {
	var want []Expectation
	for _, what := range afterClose {
		want = append(want, differs("B6", what, peersReason, peersReasonOr06))
	}
	return want
}

func runAfterClose(r *row) {
	got := each(len(afterClose), func(i int) string {
		conn, err := r.dialURL(r.url("/after", "code", 4000, "what", afterClose[i]), nil)
		if err != nil {
			return Describe(err)
		}
		first := r.receive(conn)
		err = r.receiveError(conn)
		got := first + ", then " + Describe(err)
		if r.target.Class == Browser && (got == peersReason || first+", then "+describeReason(err) == "text \"before\", then CC(1006, …, local)") {
			return peersReasonOr06
		}
		return got
	})
	for i, what := range afterClose {
		r.see(what, got[i])
	}
}

// namedField returns which of the fields an error of Dial names.
func namedField(err error, fields ...string) string {
	if err == nil {
		return "no error"
	}
	for _, f := range fields {
		if strings.Contains(err.Error(), f) {
			return f
		}
	}
	return fmt.Sprintf("none of %q: %v", fields, err)
}

func runHeader(r *row) {
	conn, err := r.dialURL(r.url("/request"), &Options{Header: map[string][]string{"X-Wstest": {"abc"}}})
	got := Describe(err)
	if err == nil {
		m, err := conn.Receive(r.ctx)
		if err != nil {
			got = Describe(err)
		} else if strings.Contains(m.String(), `"X-Wstest":["abc"]`) {
			got = "the server saw abc"
		} else {
			got = "the server did not see it"
		}
	}
	r.see("Header", got)
	r.see("the error names the field", namedField(err, "Header"))
}

func runClientPings(r *row) {
	conn, err := r.dialURL(r.url("/mute"), &Options{PingInterval: 100 * time.Millisecond, PingTimeout: 200 * time.Millisecond})
	got := Describe(err)
	if err == nil {
		got = r.receive(conn)
	}
	r.see("a peer that does not answer", got)
	r.see("the error names the field", namedField(err, "PingInterval"))

	conn, err = r.dialURL(r.url("/echo"), &Options{PingTimeout: time.Second})
	got = Describe(err)
	if err == nil {
		got = r.echoes(conn)
	}
	r.see("PingTimeout alone", got)

	pings := &Options{PingInterval: 100 * time.Millisecond, PingTimeout: 200 * time.Millisecond, CloseTimeout: time.Second}
	conn, err = r.dialURL(r.url("/mute"), pings)
	for err == nil && r.ctx.Err() == nil {
		time.Sleep(16 * time.Millisecond)
		_, _, err = conn.TryReceive()
	}
	r.see("TryReceive every 16 ms", Describe(err))
	if conn, err = r.dialURL(r.url("/mute"), pings); err == nil {
		r.waitDone(conn)
		err = conn.Err()
	}
	r.see("no call at all", Describe(err))
}
