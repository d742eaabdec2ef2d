package wstest

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

func receiveCases() []Case {
	return []Case{
		{
			ID:      "P16",
			Event:   "ctx ends during Receive (cancel, deadline), including in the middle of a large message",
			Outcome: "errors.Is(err, ctx.Err()); connection open; the next Receive returns the message, once",
			Why:     "a context bounds the wait, never the connection",
			Want: []Expectation{
				same("deadline", "context.DeadlineExceeded"),
				same("cancel", "context.Canceled"),
				same("cancel with a cause: errors.Is finds it", "yes"),
				same("afterwards", usable),
				same("three deadlines in the middle of a message of 16 MiB", "context.DeadlineExceeded, context.DeadlineExceeded, context.DeadlineExceeded"),
				same("then the message", DescribeMessage(ws.Binary(Pattern(16<<20)))),
				same("afterwards, nothing arrived twice", usable),
			},
			run: runReceiveContext,
		},
		{
			ID:      "P17",
			Event:   "ctx ended before Receive",
			Outcome: "returns a message that has already arrived, else ctx's error",
			Why:     "a context bounds the wait, and a message that has arrived needs none",
			Want: []Expectation{
				same("nothing arrived, cancelled", "context.Canceled"),
				same("nothing arrived, deadline exceeded", "context.DeadlineExceeded"),
				same("afterwards", usable),
				same("a message arrives while every call has an ended ctx", `text "0"`),
				same("all arrived: Receive four times", `text "0", text "1", text "2", CC(4001, "bye", remote)`),
			},
			run: runEndedContext,
		},
		{
			ID:      "P18",
			Event:   "TryReceive in a loop with no other call",
			Outcome: "finds every message eventually; never blocks",
			Why:     "a program with its own loop, such as a game, polls once a frame and must not wait",
			Want: []Expectation{
				same("nothing arrived, 1,000 times", "nothing"),
				same("100 messages and a close", `100 in order, then CC(4001, "bye", remote)`),
				same("a message of 1 MiB", DescribeMessage(ws.Text("0"+dashes(1<<20-1)))),
			},
			run: runTryReceive,
		},
		{
			ID:      "P19",
			Event:   "1,000 Receives that time out after 1 ms each, while the peer sends 1,000 messages",
			Outcome: "all 1,000 messages, in order, none twice",
			Why:     "a wait that ends loses no data, even in the middle of a frame",
			Want: []Expectation{
				same("messages", "1000 in order"),
				same("Receives that timed out", "1000 or more"),
				same("afterwards", usable),
			},
			run: runReceiveTimeouts,
		},
	}
}

func dashes(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '-'
	}
	return string(b)
}

func runReceiveContext(r *row) {
	conn := r.dial(nil, "/echo")
	ctx, cancel := context.WithTimeout(r.ctx, 20*time.Millisecond)
	_, err := conn.Receive(ctx)
	cancel()
	r.see("deadline", Describe(err))

	ctx, cancel = context.WithCancel(r.ctx)
	timer := time.AfterFunc(20*time.Millisecond, cancel)
	_, err = conn.Receive(ctx)
	timer.Stop()
	cancel()
	r.see("cancel", Describe(err))

	cause := errors.New("the user left")
	ctx, cancelWith := context.WithCancelCause(r.ctx)
	timer = time.AfterFunc(20*time.Millisecond, func() { cancelWith(cause) })
	_, err = conn.Receive(ctx)
	timer.Stop()
	cancelWith(nil)
	r.see("cancel with a cause: errors.Is finds it", yesNo(errors.Is(err, cause) && errors.Is(err, context.Canceled)))
	r.see("afterwards", r.echoes(conn))

	id := r.newID()
	conn = r.dial(&Options{MaxMessageSize: 16 << 20}, "/large", "id", id, "size", 16<<20)
	r.eventsUntil(id, "half sent")
	var ends []string
	for i := range 3 {
		ctx, cancel := context.WithTimeout(r.ctx, 50*time.Millisecond)
		var err error
		if i == 1 { // a buffer that the caller reuses after the error
			_, err = conn.ReceiveInto(ctx, make([]byte, 0, 1<<16))
		} else {
			_, err = conn.Receive(ctx)
		}
		cancel()
		ends = append(ends, Describe(err))
	}
	r.see("three deadlines in the middle of a message of 16 MiB", quote(ends))
	r.tell(id)
	r.see("then the message", r.receive(conn))
	r.see("afterwards, nothing arrived twice", r.echoes(conn))
}

func runEndedContext(r *row) {
	canceled, cancel := context.WithCancel(r.ctx)
	cancel()
	late, cancel := context.WithDeadline(r.ctx, time.Now().Add(-time.Second))
	defer cancel()

	conn := r.dial(nil, "/echo")
	_, err := conn.Receive(canceled)
	r.see("nothing arrived, cancelled", Describe(err))
	_, err = conn.Receive(late)
	r.see("nothing arrived, deadline exceeded", Describe(err))
	r.see("afterwards", r.echoes(conn))

	conn = r.dial(nil, "/burst", "n", 1)
	for {
		m, err := conn.Receive(canceled)
		if errors.Is(err, context.Canceled) && r.ctx.Err() == nil {
			time.Sleep(time.Millisecond) // for the browser's event loop; the length does not matter
			continue
		}
		if err != nil {
			r.see("a message arrives while every call has an ended ctx", Describe(err))
		} else {
			r.see("a message arrives while every call has an ended ctx", DescribeMessage(m))
		}
		break
	}

	// Messages that arrived before the end are available once the end is visible.
	conn = r.dial(nil, "/burst", "n", 3, "close", 4001, "message", "bye")
	r.waitDone(conn)
	var got []string
	for range 4 {
		m, err := conn.Receive(canceled)
		if err != nil {
			got = append(got, Describe(err))
		} else {
			got = append(got, DescribeMessage(m))
		}
	}
	r.see("all arrived: Receive four times", quote(got))
}

func runTryReceive(r *row) {
	conn := r.dial(nil, "/echo")
	got := "nothing"
	for range 1000 {
		if m, ok, err := conn.TryReceive(); ok || err != nil {
			got = DescribeMessage(m) + ", " + Describe(err)
		}
	}
	r.see("nothing arrived, 1,000 times", got)

	conn = r.dial(nil, "/burst", "n", 100, "close", 4001, "message", "bye")
	n := 0
	for {
		m, err := r.poll(conn)
		if err != nil {
			got = fmt.Sprintf("%d in order, then %s", n, Describe(err))
			break
		}
		if m.String() != strconv.Itoa(n) {
			got = fmt.Sprintf("%d in order, then %s", n, DescribeMessage(m))
			break
		}
		n++
	}
	r.see("100 messages and a close", got)

	conn = r.dial(nil, "/burst", "n", 1, "size", 1<<20)
	m, err := r.poll(conn)
	if err != nil {
		r.see("a message of 1 MiB", Describe(err))
	} else {
		r.see("a message of 1 MiB", DescribeMessage(m))
	}
}

// poll calls TryReceive until it returns a message or an error.
func (r *row) poll(conn *ws.Conn) (ws.Message, error) {
	for r.ctx.Err() == nil {
		m, ok, err := conn.TryReceive()
		if ok || err != nil {
			return m, err
		}
		if r.target.Class == Browser {
			time.Sleep(time.Millisecond) // a goroutine that never blocks would stop the browser's event loop
		} else {
			runtime.Gosched()
		}
	}
	return ws.Message{}, r.ctx.Err()
}

func runReceiveTimeouts(r *row) {
	conn := r.dial(nil, "/trickle", "n", 1000)
	received, timeouts := 0, 0
	got := ""
	for got == "" && (received < 1000 || timeouts < 1000) {
		ctx, cancel := context.WithTimeout(r.ctx, time.Millisecond)
		m, err := conn.Receive(ctx)
		cancel()
		switch {
		case r.ctx.Err() != nil:
			got = fmt.Sprintf("%d in order, then none for long", received)
		case errors.Is(err, context.DeadlineExceeded):
			timeouts++
		case err != nil:
			got = fmt.Sprintf("%d in order, then %s", received, Describe(err))
		case m.String() != strconv.Itoa(received):
			got = fmt.Sprintf("%d in order, then %s", received, DescribeMessage(m))
		default:
			received++
		}
	}
	if got == "" {
		got = fmt.Sprintf("%d in order", received)
	}
	r.see("messages", got)
	r.seeIf("Receives that timed out", timeouts >= 1000, "1000 or more", "%d", timeouts)
	r.see("afterwards", r.echoes(conn))
}
