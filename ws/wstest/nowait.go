package wstest

import (
	"strings"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

func noWaitCases() []Case {
	return []Case{
		{
			ID:      "P41",
			Event:   "CloseNow while the peer never answers",
			Outcome: `CloseNow and a Close after it return nil at once; later calls CC(4008, "kicked", local)`,
			Why:     "a peer that does not answer must not delay the program that ends the connection",
			Want: []Expectation{
				same("CloseNow", "nil"),
				same("then Close", "nil"),
				same("at once", "yes"),
				same("a Receive that waits", `CC(4008, "kicked", local)`),
				same("Send", `CC(4008, "kicked", local)`),
				same("the peer saw", `text "before", close 4008 "kicked"`),
				same("with a reason that may not be sent", "ErrInvalidCloseReason, still open"),
			},
			run: runCloseNow,
		},
	}
}

func runCloseNow(r *row) {
	id := r.newID()
	conn := r.dial(&Options{CloseTimeout: 2 * time.Second}, "/silent", "id", id, "hold", 100*time.Millisecond, "record", 1)
	if err := conn.Send(r.ctx, ws.Text("before")); err != nil {
		r.t.Fatal(err)
	}
	received := make(chan error, 1)
	go func() { received <- r.receiveError(conn) }()
	start := time.Now()
	r.see("CloseNow", Describe(conn.CloseNow(4008, "kicked")))
	r.see("then Close", Describe(conn.Close(errors.NormalClosure, "")))
	r.seeIf("at once", time.Since(start) < time.Second, "yes", "no, after %v", time.Since(start))
	r.see("a Receive that waits", Describe(<-received))
	r.see("Send", Describe(conn.Send(r.ctx, ws.Text("x"))))
	events := r.events(id)
	r.see("the peer saw", strings.Join(events[:min(len(events), 2)], ", "))
	conn = r.dial(nil, "/echo")
	got := Describe(conn.CloseNow(errors.AbnormalClosure, ""))
	if conn.Err() == nil {
		got += ", still open"
	}
	r.see("with a reason that may not be sent", got)
}
