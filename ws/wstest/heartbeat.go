package wstest

import (
	"context"
	"fmt"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

func heartbeatCases() []Case {
	return []Case{
		{
			ID:      "P38",
			Event:   "the peer stops sending, and the app has a Heartbeat",
			Outcome: `CC(1008, "Ping/Pong timeout", local) within Every + Timeout, however the app receives, and whatever it sends`,
			Why:     "only a request tells a dead peer from a quiet one; a program that polls or only sends must notice a dead peer, too",
			Want: []Expectation{
				same("Receive", `CC(1008, "Ping/Pong timeout", local)`),
				same("TryReceive every 16 ms", `CC(1008, "Ping/Pong timeout", local)`),
				same("no call at all", `CC(1008, "Ping/Pong timeout", local)`),
				same("a short Send every 3 ms", `CC(1008, "Ping/Pong timeout", local)`),
				same("each within Every + Timeout", "yes"),
			},
			run: runDeadPeer,
		},
		{
			ID:      "P39",
			Event:   "the app only sends, more than the peer reads, and the peer sends nothing",
			Outcome: "stays open while the peer reads; CC(1008, …, local) when it stops reading",
			Why:     "a peer that reads is alive; it can answer a heartbeat only after it has read all earlier data",
			Want: []Expectation{
				same("the peer reads 2 MB/s", "open after Every + Timeout"),
				same("the peer reads nothing", `CC(1008, "Ping/Pong timeout", local)`),
			},
			run: runOneWay,
		},
		{
			ID:      "P40",
			Event:   "messages arrive all the time, and the app has a Heartbeat",
			Outcome: "the latency is measured, by one heartbeat in Every",
			Why:     "a busy connection has a latency, too",
			Want: []Expectation{
				same("Latency", "measured"),
				same("heartbeats", "one in Every at most"),
			},
			run: runLatency,
		},
	}
}

func runDeadPeer(r *row) {
	const every, timeout = 300 * time.Millisecond, 400 * time.Millisecond
	late := "yes"
	for _, program := range []struct {
		how string
		run func(conn *ws.Conn) error
	}{
		{"Receive", r.receiveError},
		{"TryReceive every 16 ms", func(conn *ws.Conn) error {
			for {
				if _, _, err := conn.TryReceive(); err != nil || r.ctx.Err() != nil {
					return err
				}
				time.Sleep(16 * time.Millisecond)
			}
		}},
		{"no call at all", func(conn *ws.Conn) error {
			r.waitDone(conn)
			return conn.Err()
		}},
		{"a short Send every 3 ms", func(conn *ws.Conn) error { // sent data is not a sign of life
			for {
				if err := conn.Send(r.ctx, ws.Text("waiting")); err != nil {
					return err
				}
				time.Sleep(3 * time.Millisecond)
			}
		}},
	} {
		conn := r.dial(&Options{Heartbeat: &ws.Heartbeat{Every: every, Timeout: timeout}, CloseTimeout: time.Second}, "/mute")
		start := time.Now()
		r.see(program.how, Describe(program.run(conn)))
		if took := time.Since(start); took > every+timeout+ample {
			late = fmt.Sprintf("no, %s took %v", program.how, took)
		}
	}
	r.see("each within Every + Timeout", late)
}

func runOneWay(r *row) {
	const every, timeout = time.Second, 2 * time.Second
	for _, peer := range []struct {
		how, path string
		rate      int
	}{{"the peer reads 2 MB/s", "/sip", 2_000_000}, {"the peer reads nothing", "/stall", 0}} {
		id := r.newID()
		conn := r.dial(&Options{
			Heartbeat: &ws.Heartbeat{Every: every, Timeout: timeout}, CloseTimeout: 100 * time.Millisecond,
		}, peer.path, "id", id, "rate", peer.rate)
		limit := every + timeout + time.Second
		if peer.rate == 0 {
			limit += ample
		}
		ctx, cancel := context.WithTimeout(r.ctx, limit)
		var err error
		for err == nil {
			err = conn.Send(ctx, ws.Binary(make([]byte, 64<<10)))
		}
		got := Describe(err)
		if ctx.Err() != nil && conn.Err() == nil {
			got = "open after Every + Timeout"
		}
		cancel()
		r.see(peer.how, got)
		_ = conn.CloseNow(errors.NormalClosure, "")
		if peer.rate == 0 {
			r.tell(id)
		}
	}
}

func runLatency(r *row) {
	const every = 200 * time.Millisecond
	id := r.newID()
	conn := r.dial(&Options{Heartbeat: &ws.Heartbeat{Every: every, Timeout: 30 * time.Second}}, "/ticker", "id", id, "every", 5*time.Millisecond)
	start := time.Now()
	got := "not measured"
	for conn.Latency() == 0 || time.Since(start) < 4*every {
		if m, err := conn.Receive(r.ctx); err != nil || m.String() != "tick" {
			got = DescribeMessage(m) + ", " + Describe(err)
			break
		}
	}
	if conn.Latency() > 0 {
		got = "measured"
	}
	r.see("Latency", got)
	_ = conn.Close(errors.NormalClosure, "")
	took := time.Since(start)
	heartbeats := 0
	for _, event := range r.events(id) {
		if event == "heartbeat" {
			heartbeats++
		}
	}
	// A heartbeat may be sent up to half of Every early, because timers are not exact.
	r.seeIf("heartbeats", heartbeats >= 1 && time.Duration(heartbeats) <= 2*took/every+1, "one in Every at most", "%d in %v", heartbeats, took)
}
