package wstest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

func sendCases() []Case {
	return []Case{
		{
			ID:    "P20",
			Event: "Send while the peer does not read",
			Outcome: "waits above the high-water mark (1 MiB unless set); when ctx ends during the wait, no part of the message is sent and " +
				"the connection stays open; when the peer reads again, sending continues",
			Why: "an unbounded queue is a leak; WHATWG bufferedAmount gives its length",
			Want: append(wantStall("SendBuffer 128 KiB"), append(wantStall("SendBuffer not set"),
				same("Flush with an ended ctx while the peer does not read", "context.Canceled"))...),
			run: runStall,
		},
		{
			ID:      "P21",
			Event:   "Send from 16 goroutines",
			Outcome: "messages arrive whole; those of one goroutine arrive in order",
			Why:     "RFC 6455, section 5.4: fragments of messages do not interleave",
			Want:    []Expectation{same("16 goroutines, 40 messages of 1 B to 70 KB each", "all whole, in order for each goroutine")},
			run:     runManySenders,
		},
		{
			ID:      "P22",
			Event:   "Send text that is not UTF-8",
			Outcome: "ErrInvalidUTF8; nothing sent; connection open",
			Why:     "RFC 6455, section 8.1",
			Want: []Expectation{
				same("Send", "ErrInvalidUTF8, ErrInvalidUTF8, ErrInvalidUTF8, ErrInvalidUTF8"),
				same("the same as Binary", "unchanged"),
				same("the peer saw nothing else", "yes"),
			},
			run: runInvalidUTF8,
		},
		{
			ID:      "P23",
			Event:   "a message over MaxMessageSize (1 MiB unless set) arrives",
			Outcome: "CC(1009, names the limit, local); the peer sees 1009; natively refused when the frame header arrives, before the payload is read",
			Why:     "RFC 6455, section 7.4.1: 1009; a browser delivers only whole messages",
			Want: []Expectation{
				same("1 MiB + 1 B, limit not set", `CC(1009, "message of 1048577 bytes: the limit is 1048576 bytes", local)`),
				same("again", `CC(1009, "message of 1048577 bytes: the limit is 1048576 bytes", local)`),
				same("the library's server saw", `CC(1009, "message of 1048577 bytes: the limit is 1048576 bytes", remote)`),
				same("101 B, limit 100", `CC(1009, "message of 101 bytes: the limit is 100 bytes", local)`),
				same("100 B, limit 100", DescribeMessage(ws.Binary(Pattern(100)))),
				same("messages before it arrive", `text "0", CC(1009, "message of 2 bytes: the limit is 1 bytes", local)`),
				same("no limit, 5 MiB", DescribeMessage(ws.Binary(Pattern(5<<20)))),
				differs("B4", "refused from the header, before the payload was sent", "yes", "no"),
				same("then", `CC(1009, "message of 1048577 bytes: the limit is 1048576 bytes", local)`),
			},
			run: runTooBig,
		},
		{
			ID:      "P24",
			Event:   "Send over this side's own MaxMessageSize",
			Outcome: "ErrMessageTooBig, nothing sent, connection open",
			Why:     "both sides share a limit in most programs; an error from Send is better than a closed connection",
			Want: []Expectation{
				same("1 MiB + 1 B, limit not set", "ErrMessageTooBig"),
				same("101 B, limit 100", "ErrMessageTooBig"),
				same("the error names size and limit", "yes"),
				same("100 B, limit 100", "unchanged"),
				same("the peer saw nothing else", "yes"),
			},
			run: runSendTooBig,
		},
	}
}

func wantStall(with string) []Expectation {
	return []Expectation{
		same(with+": Send in the end", "context.DeadlineExceeded"),
		same(with+": Buffered is at least the mark", "yes"),
		same(with+": Send with an ended ctx", "context.Canceled"),
		same(with+": Err", "nil"),
		same(with+": the peer reads: Send, Flush", "nil, nil"),
		same(with+": the peer received", "exactly the accepted messages, in order"),
		same(with+": Buffered", "0"),
	}
}

func runStall(r *row) {
	r.stall("SendBuffer 128 KiB", 128<<10)
	r.stall("SendBuffer not set", 0)

	id := r.newID()
	// The echo may all arrive before this side receives.
	conn := r.dial(&Options{SendBuffer: 32 << 20, ReceiveBuffer: 32 << 20}, "/stall", "id", id)
	for range 24 { // more than the system buffers
		if err := conn.Send(r.ctx, ws.Binary(Pattern(1<<20))); err != nil {
			r.t.Fatalf("Send: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(r.ctx, 50*time.Millisecond)
	err := conn.Flush(ctx)
	cancel()
	if errors.Is(err, context.DeadlineExceeded) {
		ctx, cancel = context.WithCancel(r.ctx)
		cancel()
		err = conn.Flush(ctx)
	}
	r.see("Flush with an ended ctx while the peer does not read", Describe(err))
	r.tell(id)
	for range 24 {
		if _, err := conn.Receive(r.ctx); err != nil {
			r.t.Fatalf("Receive: %v", err)
		}
	}
}

// stall sends to a peer that reads nothing.
func (r *row) stall(with string, sendBuffer int) {
	id := r.newID()
	conn := r.dial(&Options{SendBuffer: sendBuffer}, "/stall", "id", id)
	const size = 32 << 10
	message := Pattern(size)
	put := func(ctx context.Context, i int) error {
		copy(message, fmt.Sprintf("%08d", i))
		return conn.Send(ctx, ws.Binary(message))
	}
	accepted := 0
	var err error
	for accepted < fillMost/size {
		// Long enough for a busy machine to fill its buffers: the buffer must still be full for
		// the next calls.
		ctx, cancel := context.WithTimeout(r.ctx, time.Second)
		err = put(ctx, accepted)
		cancel()
		if err != nil {
			break
		}
		accepted++
	}
	r.see(with+": Send in the end", Describe(err))
	mark := sendBuffer
	if mark == 0 {
		mark = ws.DefaultSendBuffer
	}
	buffered := conn.Buffered()
	// Buffered may be larger if the transport knows how much the system has not sent.
	r.seeIf(with+": Buffered is at least the mark", buffered >= mark, "yes", "%d B", buffered)
	ended, cancel := context.WithCancel(r.ctx)
	cancel()
	r.see(with+": Send with an ended ctx", Describe(put(ended, accepted)))
	r.see(with+": Err", Describe(conn.Err()))

	r.tell(id)
	// The peer echoes, so this side must receive, or the peer stops reading.
	received := make(chan string, 1)
	go func() { received <- r.receiveStalled(conn, accepted) }()
	sent := Describe(conn.Send(r.ctx, ws.Text("all")))
	r.see(with+": the peer reads: Send, Flush", sent+", "+Describe(conn.Flush(r.ctx)))
	r.see(with+": the peer received", <-received)
	r.see(with+": Buffered", strconv.Itoa(conn.Buffered()))
}

func (r *row) receiveStalled(conn *ws.Conn, accepted int) string {
	for i := 0; ; i++ {
		m, err := conn.Receive(r.ctx)
		if err != nil {
			return Describe(err)
		}
		if m.Kind == ws.KindText {
			if i != accepted {
				return fmt.Sprintf("%d of %d", i, accepted)
			}
			return "exactly the accepted messages, in order"
		}
		if want := fmt.Sprintf("%08d", i); len(m.Data) < 8 || string(m.Data[:8]) != want {
			return fmt.Sprintf("%.8s in place of %s; %d were accepted", m.Data, want, accepted)
		}
	}
}

func runManySenders(r *row) {
	const goroutines, messages = 16, 40
	conn := r.dial(nil, "/echo")
	var wg sync.WaitGroup
	failed := make([]error, goroutines)
	for g := range goroutines {
		wg.Go(func() {
			for i := range messages {
				body := Pattern((g*messages + i) * 997 % 70000)
				if err := conn.Send(r.ctx, ws.Text(fmt.Sprintf("%d %d %s", g, i, body))); err != nil {
					failed[g] = err
					return
				}
			}
		})
	}
	got := "all whole, in order for each goroutine"
	var next [goroutines]int
	for range goroutines * messages {
		m, err := conn.Receive(r.ctx)
		if err != nil {
			got = Describe(err)
			break
		}
		var g, i int
		parts := strings.SplitN(m.String(), " ", 3)
		if len(parts) != 3 {
			got = "a message in pieces"
			break
		}
		g, _ = strconv.Atoi(parts[0])
		i, _ = strconv.Atoi(parts[1])
		if g < 0 || g >= goroutines || i != next[g] || parts[2] != string(Pattern((g*messages+i)*997%70000)) {
			got = fmt.Sprintf("message %d of goroutine %d, %d B, where %d was next", i, g, len(parts[2]), next[g])
			break
		}
		next[g]++
	}
	wg.Wait()
	if err := errors.Join(failed...); err != nil {
		got = "Send: " + Describe(err)
	}
	r.see("16 goroutines, 40 messages of 1 B to 70 KB each", got)
}

func runInvalidUTF8(r *row) {
	id := r.newID()
	conn := r.dial(nil, "/echo", "id", id)
	var sent []string
	for _, text := range []string{"caf\xe9", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80"} {
		sent = append(sent, Describe(conn.Send(r.ctx, ws.Message{Kind: ws.KindText, Data: []byte(text)})))
	}
	r.see("Send", quote(sent))
	binary := ws.Binary([]byte("caf\xe9"))
	r.see("the same as Binary", strings.TrimSuffix(r.echoAll(conn, []ws.Message{binary}), ", in order"))
	_ = conn.Close(errors.NormalClosure, "")
	events := r.events(id)
	r.seeIf("the peer saw nothing else", len(events) == 2 && events[0] == DescribeMessage(binary), "yes", "%q", events)
}

func runTooBig(r *row) {
	id := r.newID()
	path, tooBig := "/library/send", defaultLimit+1
	if !r.target.Server.Library {
		path = "/announce"
	}
	conn := r.dial(nil, path, "id", id, "size", tooBig)
	if !r.target.Server.Library {
		_ = conn.Send(r.ctx, ws.Text("more"))
	}
	r.see("1 MiB + 1 B, limit not set", Describe(r.receiveError(conn)))
	r.see("again", Describe(r.receiveError(conn)))
	const saw = "the library's server saw"
	if r.target.Server.Library {
		r.see(saw, last(r.events(id)))
	} else {
		r.see(saw, notRun+"the server has no library endpoints")
	}

	conn = r.dial(&Options{MaxMessageSize: 100}, "/burst", "n", 1, "size", 101)
	r.see("101 B, limit 100", Describe(r.receiveError(conn)))
	conn = r.dial(&Options{MaxMessageSize: 100}, "/announce", "size", 100)
	if err := conn.Send(r.ctx, ws.Text("more")); err != nil {
		r.t.Fatalf("Send: %v", err)
	}
	r.see("100 B, limit 100", r.receive(conn))

	conn = r.dial(&Options{MaxMessageSize: 1}, "/burst", "n", 11) // 10 has two digits
	got := []string{r.receive(conn)}
	for range 9 {
		_, _ = conn.Receive(r.ctx)
	}
	r.see("messages before it arrive", quote(append(got, Describe(r.receiveError(conn)))))

	conn = r.dial(&Options{MaxMessageSize: -1}, "/announce", "size", 5<<20)
	if err := conn.Send(r.ctx, ws.Text("more")); err != nil {
		r.t.Fatalf("Send: %v", err)
	}
	r.see("no limit, 5 MiB", r.receive(conn))

	// Only the header arrives until this side asks for more.
	conn = r.dial(nil, "/announce", "size", tooBig)
	wait := 10 * time.Second
	if r.target.Class == Browser {
		wait = 200 * time.Millisecond // nothing will come
	}
	ctx, cancel := context.WithTimeout(r.ctx, wait)
	_, err := conn.Receive(ctx)
	cancel()
	fromHeader := errors.Is(err, errors.MessageTooBig)
	r.see("refused from the header, before the payload was sent", yesNo(fromHeader))
	if !fromHeader {
		if err := conn.Send(r.ctx, ws.Text("more")); err != nil {
			r.t.Fatalf("Send: %v", err)
		}
		err = r.receiveError(conn)
	}
	r.see("then", Describe(err))
}

// defaultLimit is the required default of MaxMessageSize.
const defaultLimit = 1 << 20

func runSendTooBig(r *row) {
	conn := r.dial(nil, "/echo")
	r.see("1 MiB + 1 B, limit not set", Describe(conn.Send(r.ctx, ws.Binary(Pattern(defaultLimit+1)))))
	id := r.newID()
	conn = r.dial(&Options{MaxMessageSize: 100}, "/echo", "id", id)
	err := conn.Send(r.ctx, ws.Binary(Pattern(101)))
	r.see("101 B, limit 100", Describe(err))
	r.see("the error names size and limit", yesNo(err != nil && strings.Contains(err.Error(), "101") && strings.Contains(err.Error(), "100")))
	fits := ws.Binary(Pattern(100))
	r.see("100 B, limit 100", strings.TrimSuffix(r.echoAll(conn, []ws.Message{fits}), ", in order"))
	_ = conn.Close(errors.NormalClosure, "")
	events := r.events(id)
	r.seeIf("the peer saw nothing else", len(events) == 2 && events[0] == DescribeMessage(fits), "yes", "%q", events)
}
