package wstest

import (
	"fmt"

	"github.com/isosocket/isosocket/ws"
)

// The flood of a receive buffer: more data than any system buffers.
const (
	floodMessages = 1500
	floodSize     = 32 << 10
	floodBuffer   = 1 << 20
)

func bufferCases() []Case {
	return []Case{{
		ID:      "P37",
		Event:   "messages fill the receive buffer while the app reads nothing",
		Outcome: `native: TCP slows the peer down; browser: CC(1008, "receive buffer full", local)`,
		Why:     "TCP has flow control; a browser has none on receiving, so the only bound is to end the connection",
		Want: []Expectation{
			differs("B3", "47 MiB arrive while the app reads nothing", "the peer was slowed down", "the connection ended"),
			differs("B3", "then Receive until the end", fmt.Sprintf("all %d in order, open", floodMessages),
				`some in order, CC(1008, "receive buffer full", local)`),
			same("a flood that fits, received late", `200 in order, then CC(4001, "bye", remote)`),
		},
		run: runFlood,
	}}
}

func runFlood(r *row) {
	id := r.newID()
	conn := r.dial(&Options{ReceiveBuffer: floodBuffer}, "/flood", "id", id, "n", floodMessages, "size", floodSize)
	const came = "47 MiB arrive while the app reads nothing"
	if r.target.Class == Browser {
		r.waitDone(conn)
		r.see(came, "the connection ended")
	} else {
		switch events := r.eventsUntil(id, "slowed down"); first(events) {
		case "slowed down":
			r.see(came, "the peer was slowed down")
		default:
			r.see(came, quote(events))
		}
	}
	received, err := r.receiveFlood(conn)
	got := fmt.Sprintf("all %d in order, open", floodMessages)
	if err == nil {
		// The whole flood may have arrived before the library checked the browser's queue.
		if err = conn.Send(r.ctx, ws.Text("more")); err == nil {
			_, err = conn.Receive(r.ctx)
		}
	}
	switch {
	case err != nil && received > 0:
		got = "some in order, " + Describe(err)
	case err != nil:
		got = "none, " + Describe(err)
	}
	r.see("then Receive until the end", got)

	conn = r.dial(nil, "/burst", "n", 200, "size", 1<<10, "close", 4001, "message", "bye")
	r.waitDone(conn)
	n, err := r.receiveNumbered(conn)
	r.see("a flood that fits, received late", n+", then "+Describe(err))
}

// receiveFlood receives the whole flood, or up to an error.
func (r *row) receiveFlood(conn *ws.Conn) (int, error) {
	for i := range floodMessages {
		m, err := conn.Receive(r.ctx)
		if err != nil {
			return i, err
		}
		if want := fmt.Sprintf("%d-", i); len(m.Data) != floodSize || string(m.Data[:len(want)]) != want {
			return i, fmt.Errorf("%s in place of message %d", DescribeMessage(m), i)
		}
	}
	return floodMessages, nil
}
