package wstest

import (
	"context"
	"fmt"
	"strings"
	"sync"
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
				same("Done, and Err", `closed, CC(4008, "kicked", local)`),
				same("then Close", "nil"),
				same("at once", "yes"),
				same("a Receive that waits", `CC(4008, "kicked", local)`),
				same("Send", `CC(4008, "kicked", local)`),
				same("the peer saw", `text "before", close 4008 "kicked"`),
				same("while a Close waits: CloseNow", "nil"),
				same("the Close returns", "CC(1006, …, local)"),
				same("at once, after CloseNow", "yes"),
				same("the first cause is kept", `CC(1000, "waiting", local)`),
				same("with a reason that may not be sent", "ErrInvalidCloseReason, still open"),
			},
			run: runCloseNow,
		},
		{
			ID:      "P42",
			Event:   "TrySend",
			Outcome: "sends below the high-water mark, in order with Send; at the mark it returns ErrWouldBlock, sends no part of the message, and the connection stays open",
			Why:     "an update that would be stale once it can be sent is better dropped, and a JavaScript callback must not wait",
			Want: []Expectation{
				same("TrySend and Send in turn, 100 messages", "unchanged, in order"),
				same("while the peer does not read, in the end", "ErrWouldBlock"),
				same("Buffered is at most the mark and one message", "yes"),
				same("Err", "nil"),
				same("the peer reads: Send, Flush", "nil, nil"),
				same("the peer received", "exactly the accepted messages, in order"),
				same("TrySend again", usable),
				same("text that is not UTF-8", "ErrInvalidUTF8"),
				same("over MaxMessageSize", "ErrMessageTooBig"),
				same("after the end", `CC(4001, "bye", remote)`),
			},
			run: runTrySend,
		},
		{
			ID:      "P43",
			Event:   "ctx ended before Send",
			Outcome: "queued below the high-water mark; else ctx's error, and no part of the message is sent",
			Why:     "a context bounds the wait, and below the high-water mark Send does not wait",
			Want: []Expectation{
				same("buffer not full, cancelled", "unchanged, in order"),
				same("buffer not full, deadline exceeded", "unchanged, in order"),
				same("buffer full, cancelled", "context.Canceled"),
				same("buffer full, deadline exceeded", "context.DeadlineExceeded"),
				same("Err", "nil"),
				same("the peer reads: Send, Flush", "nil, nil"),
				same("the peer received", "exactly the accepted messages, in order"),
				same("invalid message as well: its error", "ErrInvalidUTF8"),
				same("after the end", `CC(4001, "bye", remote)`),
			},
			run: runSendEndedContext,
		},
		{
			ID:      "P44",
			Event:   "Messages until the end",
			Outcome: "ends without an error after 1000 by either side; every other end is yielded once, as the last",
			Why:     "a loop that completes without an error has seen every message of the peer",
			Want: []Expectation{
				same("the peer closes with 1000", "3 in order, no error"),
				same("this side closes with 1000", "1 in order, no error"),
				same("the peer closes with 1001", `3 in order, CC(1001, "bye", remote)`),
				same("this side closes with 4000", `1 in order, CC(4000, "bye", local)`),
				same("the peer closes without a status", `0 in order, CC(1005, "", remote)`),
				same("the connection is lost", "3 in order, CC(1006, …, local)"),
				same("again, after 1000", "0 in order, no error"),
				same("ctx ends", "1 in order, context.Canceled"),
				same("then", usable),
				same("break out of the loop, then", usable),
			},
			run: runMessages,
		},
		{
			ID:      "P45",
			Event:   "CloseNow while the peer reads",
			Outcome: "the connection has ended when CloseNow returns; the peer receives every earlier message, then the close frame",
			Why:     "the peer must see a close, not a lost connection, even if this side cannot wait",
			Want: []Expectation{
				same("CloseNow", "nil"),
				same("Done, and Err", `closed, CC(4008, "kicked", local)`),
				same("Receive, unread messages are dropped", `CC(4008, "kicked", local)`),
				same("the peer saw", `text "0", text "1", text "2", close 4008 "kicked"`),
				same("a message over 123 bytes is cut as for Close", "yes"),
				same("from 16 goroutines", "nil each time"),
				same("after the peer's close", "nil"),
				same("then the cause", `CC(4001, "peer", remote)`),
			},
			run: runCloseNowReads,
		},
	}
}

// doneNow describes whether conn has ended, and why.
func doneNow(conn *ws.Conn) string {
	select {
	case <-conn.Done():
		return "closed, " + Describe(conn.Err())
	default:
		return "open, " + Describe(conn.Err())
	}
}

func runCloseNow(r *row) {
	id := r.newID()
	conn := r.dial(&Options{CloseTimeout: caseTimeout}, "/silent", "id", id, "hold", 100*time.Millisecond, "record", 1)
	if err := conn.Send(r.ctx, ws.Text("before")); err != nil {
		r.t.Fatal(err)
	}
	received := make(chan error, 1)
	go func() { received <- r.receiveError(conn) }()
	start := time.Now()
	r.see("CloseNow", Describe(conn.CloseNow(4008, "kicked")))
	r.see("Done, and Err", doneNow(conn))
	r.see("then Close", Describe(conn.Close(errors.NormalClosure, "")))
	r.seeIf("at once", time.Since(start) < slack, "yes", "no, after %v", time.Since(start))
	r.see("a Receive that waits", Describe(<-received))
	r.see("Send", Describe(conn.Send(r.ctx, ws.Text("x"))))
	events := r.events(id)
	r.see("the peer saw", quote(events[:min(len(events), 2)]))

	conn = r.dial(&Options{CloseTimeout: caseTimeout}, "/silent", "hold", 100*time.Millisecond+slack)
	closed := make(chan error, 1)
	go func() { closed <- conn.Close(errors.NormalClosure, "waiting") }()
	r.waitDone(conn) // the Close is under way
	start = time.Now()
	r.see("while a Close waits: CloseNow", Describe(conn.CloseNow(4008, "kicked")))
	r.see("the Close returns", describeReason(<-closed))
	r.seeIf("at once, after CloseNow", time.Since(start) < slack, "yes", "no, after %v", time.Since(start))
	r.see("the first cause is kept", Describe(conn.Err()))

	conn = r.dial(nil, "/echo")
	got := Describe(conn.CloseNow(errors.AbnormalClosure, ""))
	if conn.Err() == nil {
		got += ", still open"
	}
	r.see("with a reason that may not be sent", got)
}

func runCloseNowReads(r *row) {
	id := r.newID()
	conn := r.dial(nil, "/echo", "id", id)
	for i := range 3 {
		if err := conn.Send(r.ctx, ws.Text(fmt.Sprint(i))); err != nil {
			r.t.Fatalf("Send: %v", err)
		}
	}
	r.see("CloseNow", Describe(conn.CloseNow(4008, "kicked")))
	r.see("Done, and Err", doneNow(conn))
	r.see("Receive, unread messages are dropped", r.receive(conn))
	r.see("the peer saw", quote(r.events(id)))

	id = r.newID()
	conn = r.dial(nil, "/echo", "id", id)
	_ = conn.CloseNow(4008, strings.Repeat("é", 100))
	saw := first(r.events(id))
	r.seeIf("a message over 123 bytes is cut as for Close", saw == fmt.Sprintf("close 4008 %q", strings.Repeat("é", 61)), "yes", "%s", saw)

	conn = r.dial(nil, "/echo")
	wrong := make([]error, 16)
	var wg sync.WaitGroup
	for i := range wrong {
		wg.Go(func() { wrong[i] = conn.CloseNow(errors.CloseReason(4100+i), "mine") })
	}
	wg.Wait()
	r.seeIf("from 16 goroutines", errors.Join(wrong...) == nil, "nil each time", "%v", errors.Join(wrong...))

	conn = r.dial(nil, "/close", "code", 4001, "message", "peer")
	r.waitDone(conn)
	r.see("after the peer's close", Describe(conn.CloseNow(4008, "kicked")))
	r.see("then the cause", Describe(conn.Err()))
}

// Messages that fill a send buffer.
const (
	fillSize = 32 << 10
	fillMark = 128 << 10
	fillMost = 64 << 20 // more than every system buffers
)

// fill calls put with numbered messages, for a connection whose peer does not read, until put
// has returned errors for a second. Within that second, the system may still accept data. WebKit
// accepts everything, so fill stops at fillMost bytes. It returns how many messages put accepted,
// and the error.
func (r *row) fill(put func(m ws.Message) error) (accepted int, err error) {
	message := Pattern(fillSize)
	var refused time.Time
	for r.ctx.Err() == nil && accepted < fillMost/fillSize {
		copy(message, fmt.Sprintf("%08d", accepted))
		if err = put(ws.Binary(message)); err == nil {
			accepted++
			refused = time.Time{}
			continue
		}
		if refused.IsZero() {
			refused = time.Now()
		}
		if time.Since(refused) > time.Second {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	return accepted, err
}

// drain makes the peer of a filled connection read, and records that exactly the
// accepted messages arrive.
func (r *row) drain(conn *ws.Conn, id string, accepted int) {
	r.tell(id)
	// The peer echoes, so this side must receive, or the peer stops reading.
	received := make(chan string, 1)
	go func() { received <- r.receiveStalled(conn, accepted) }()
	sent := Describe(conn.Send(r.ctx, ws.Text("all")))
	r.see("the peer reads: Send, Flush", sent+", "+Describe(conn.Flush(r.ctx)))
	r.see("the peer received", <-received)
}

func runTrySend(r *row) {
	conn := r.dial(nil, "/echo")
	var all []ws.Message
	got := ""
	for i := range 100 {
		m := ws.Text(fmt.Sprintf("%d %s", i, Pattern(i*37)))
		all = append(all, m)
		var err error
		if i%2 == 0 {
			err = conn.TrySend(m)
		} else {
			err = conn.Send(r.ctx, m)
		}
		if err != nil {
			got = fmt.Sprintf("message %d: %s", i, Describe(err))
			break
		}
	}
	if got == "" {
		got = r.receiveAll(conn, all)
	}
	r.see("TrySend and Send in turn, 100 messages", got)

	id := r.newID()
	conn = r.dial(&Options{SendBuffer: fillMark}, "/stall", "id", id)
	accepted, err := r.fill(conn.TrySend)
	r.see("while the peer does not read, in the end", Describe(err))
	buffered := conn.Buffered()
	r.seeIf("Buffered is at most the mark and one message", buffered <= fillMark+fillSize+64, "yes", "%d B", buffered)
	r.see("Err", Describe(conn.Err()))
	r.drain(conn, id, accepted)
	again := ws.Text("again")
	if err := conn.TrySend(again); err != nil {
		got = "TrySend: " + Describe(err)
	} else if got = r.receive(conn); got == DescribeMessage(again) {
		got = usable
	}
	r.see("TrySend again", got)
	r.see("text that is not UTF-8", Describe(conn.TrySend(ws.Text("caf\xe9"))))
	r.see("over MaxMessageSize", Describe(conn.TrySend(ws.Binary(Pattern(defaultLimit+1)))))
	conn = r.dial(nil, "/close", "code", 4001, "message", "bye")
	r.waitDone(conn)
	r.see("after the end", Describe(conn.TrySend(again)))
}

func runSendEndedContext(r *row) {
	canceled, cancel := context.WithCancel(r.ctx)
	cancel()
	late, cancel := context.WithDeadline(r.ctx, time.Now().Add(-time.Second))
	defer cancel()

	conn := r.dial(nil, "/echo")
	all := []ws.Message{ws.Text(""), ws.Text("one"), ws.Binary(Pattern(70000))}
	for _, ended := range []struct {
		key string
		ctx context.Context
	}{{"buffer not full, cancelled", canceled}, {"buffer not full, deadline exceeded", late}} {
		got := ""
		for _, m := range all {
			if err := conn.Send(ended.ctx, m); err != nil {
				got = "Send: " + Describe(err)
			}
		}
		if got == "" {
			got = r.receiveAll(conn, all)
		}
		r.see(ended.key, got)
	}

	id := r.newID()
	conn = r.dial(&Options{SendBuffer: fillMark}, "/stall", "id", id)
	accepted, err := r.fill(func(m ws.Message) error { return conn.Send(canceled, m) })
	r.see("buffer full, cancelled", Describe(err))
	r.see("buffer full, deadline exceeded", Describe(conn.Send(late, ws.Binary(Pattern(fillSize)))))
	r.see("Err", Describe(conn.Err()))
	r.drain(conn, id, accepted)
	r.see("invalid message as well: its error", Describe(conn.Send(canceled, ws.Text("caf\xe9"))))
	conn = r.dial(nil, "/close", "code", 4001, "message", "bye")
	r.waitDone(conn)
	r.see("after the end", Describe(conn.Send(canceled, ws.Text("late"))))
}

func runMessages(r *row) {
	// loop describes what a loop over Messages saw: the messages of the peer's
	// sequence, and how it ended. use, if not nil, is called for each.
	loop := func(ctx context.Context, conn *ws.Conn, describe func(error) string, use func()) string {
		n := 0
		end := "no error"
		for m, err := range conn.Messages(ctx) {
			switch {
			case end != "no error":
				return "something follows the error: " + DescribeMessage(m) + ", " + Describe(err)
			case err != nil:
				end = describe(err)
				continue
			case m.String() != fmt.Sprint(n):
				return fmt.Sprintf("%d in order, then %s", n, DescribeMessage(m))
			}
			n++
			if use != nil {
				use()
			}
		}
		return fmt.Sprintf("%d in order, %s", n, end)
	}
	conn := r.dial(nil, "/burst", "n", 3, "close", 1000, "message", "bye")
	r.see("the peer closes with 1000", loop(r.ctx, conn, Describe, nil))
	closed := conn
	conn = r.dial(nil, "/burst", "n", 1)
	r.see("this side closes with 1000", loop(r.ctx, conn, Describe, func() { _ = conn.Close(errors.NormalClosure, "bye") }))
	conn = r.dial(nil, "/burst", "n", 3, "close", 1001, "message", "bye")
	r.see("the peer closes with 1001", loop(r.ctx, conn, Describe, nil))
	conn = r.dial(nil, "/burst", "n", 1)
	r.see("this side closes with 4000", loop(r.ctx, conn, Describe, func() { _ = conn.Close(4000, "bye") }))
	conn = r.dial(nil, "/close", "code", 1005)
	r.see("the peer closes without a status", loop(r.ctx, conn, Describe, nil))
	conn = r.dial(nil, "/drop", "how", "fin", "n", 3)
	r.letDrop(conn)
	r.see("the connection is lost", loop(r.ctx, conn, describeReason, nil))
	r.see("again, after 1000", loop(r.ctx, closed, Describe, nil))

	conn = r.dial(nil, "/burst", "n", 1)
	ctx, cancel := context.WithCancel(r.ctx)
	r.see("ctx ends", loop(ctx, conn, Describe, cancel))
	cancel()
	r.see("then", r.echoes(conn))
	conn = r.dial(nil, "/burst", "n", 1)
	for range conn.Messages(r.ctx) {
		break
	}
	r.see("break out of the loop, then", r.echoes(conn))
}
