package wstest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

func streamCases() []Case {
	return []Case{
		{
			ID:      "P47",
			Event:   "NextWriter and NextReader",
			Outcome: "one message, the same as with Send and Receive, whatever the pieces are; io.EOF at its end alone",
			Why:     "RFC 6455, section 5.4: the fragments of a message mean nothing",
			Want: []Expectation{
				same("text of 3 MiB in pieces of 1 to 70,000 bytes", DescribeMessage(ws.Text(string(Pattern(3<<20))))),
				same("binary of 3 MiB in pieces of 64 KiB", DescribeMessage(ws.Binary(Pattern(3<<20)))),
				same("runes cut in two", `text "größe 世界 😀"`),
				same("nothing written", `text ""`),
				same("written in pieces, received whole", DescribeMessage(ws.Binary(Pattern(100_000)))),
				same("Write after Close", "0, io.ErrClosedPipe"),
				same("Read after the end", "0, io.EOF"),
				same("then", usable),
			},
			run: runStreams,
		},
		{
			ID:      "P48",
			Event:   "a message is begun with NextWriter and not completed",
			Outcome: "if nothing was written, nothing happens; else the connection ends with 1011, and the peer gets no message",
			Why:     "a peer must not take a part for the whole, and RFC 6455 has no frame that takes a part back",
			Want: []Expectation{
				same("ctx ends before a Write: Close", "context.Canceled"),
				same("ErrMessageAbandoned", "yes"),
				same("then", usable),
				same("ctx ends after a Write: Close", "context.Canceled"),
				same("Err", `CC(1011, "a message was begun and not completed", local)`),
				same("text that is not UTF-8: Write, then Close", "ErrInvalidUTF8, ErrInvalidUTF8"),
				same("Err again", `CC(1011, "a message was begun and not completed", local)`),
				same("over MaxStreamSize: Write", "ErrMessageTooBig"),
				same("Conn.Close after a Write: Write, Close", `CC(1000, "enough", local), CC(1000, "enough", local)`),
				same("the peer received", "no message"),
			},
			run: runAbandoned,
		},
		{
			ID:      "P49",
			Event:   "other calls while a message is written, or is not read to its end",
			Outcome: "Send and NextWriter wait, TrySend does not; a receive drops the rest of a message, whose reader then fails",
			Why:     "RFC 6455, section 5.4: the fragments of a message are not interleaved with another",
			Want: []Expectation{
				same("Send, NextWriter, TrySend during a message", "context.DeadlineExceeded, context.DeadlineExceeded, ErrWouldBlock"),
				same("a Send that waits", "nil"),
				same("received", `text "first", text "second"`),
				same("NextReader with an ended ctx", "context.Canceled"),
				same("Receive after a part was read", `text "after"`),
				same("the older reader", "0, ErrMessageAbandoned"),
				same("then", usable),
			},
			run: runDuringAMessage,
		},
		{
			ID:      "P50",
			Event:   "a message between MaxMessageSize and MaxStreamSize arrives",
			Outcome: "NextReader reads it; Receive, and NextReader over MaxStreamSize, end the connection with 1009",
			Why:     "what is read in pieces takes no memory, so that its limit may be another",
			Want: []Expectation{
				same("NextReader", DescribeMessage(ws.Binary(Pattern(5000)))),
				same("Receive", `CC(1009, "message of 5000 bytes: the limit is 100 bytes", local)`),
				same("NextReader over MaxStreamSize", `CC(1009, "message of 5000 bytes: the limit is 4999 bytes", local)`),
			},
			run: runStreamLimits,
		},
	}
}

// writePieces sends m in pieces.
func (r *row) writePieces(conn *ws.Conn, m ws.Message, piece func(i int) int) error {
	w, err := conn.NextWriter(r.ctx, m.Kind)
	if err != nil {
		return err
	}
	for i, rest := 0, m.Data; len(rest) > 0; i++ {
		n := min(len(rest), piece(i))
		if _, err := w.Write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		return err
	}
	return w.Close() // changes nothing
}

// readPieces describes the message that NextReader returns.
func (r *row) readPieces(conn *ws.Conn) string {
	kind, reader, err := conn.NextReader(r.ctx)
	if err != nil {
		return Describe(err)
	}
	data, err := io.ReadAll(reader)
	if err != nil {
		return Describe(err)
	}
	return DescribeMessage(ws.Message{Kind: kind, Data: data})
}

// describeCount is Describe of a Write or Read.
func describeCount(n int, err error) string {
	switch {
	case err == io.EOF:
		return fmt.Sprintf("%d, io.EOF", n)
	case errors.Is(err, io.ErrClosedPipe) && errors.Is(err, errors.ErrWebSocket):
		return fmt.Sprintf("%d, io.ErrClosedPipe", n)
	}
	return fmt.Sprintf("%d, %s", n, Describe(err))
}

func runStreams(r *row) {
	conn := r.dial(&Options{MaxMessageSize: 4 << 20}, "/echo")
	echo := func(key string, m ws.Message, piece func(i int) int) {
		sent := make(chan error, 1)
		go func() { sent <- r.writePieces(conn, m, piece) }()
		got := r.readPieces(conn)
		if err := <-sent; err != nil {
			got = Describe(err)
		}
		r.see(key, got)
	}
	fixed := func(n int) func(int) int { return func(int) int { return n } }
	echo("text of 3 MiB in pieces of 1 to 70,000 bytes", ws.Text(string(Pattern(3<<20))), func(i int) int { return 1 + i*7919%70_000 })
	echo("binary of 3 MiB in pieces of 64 KiB", ws.Binary(Pattern(3<<20)), fixed(64<<10))
	echo("runes cut in two", ws.Text("größe 世界 😀"), fixed(1))
	echo("nothing written", ws.Text(""), fixed(1))
	if err := r.writePieces(conn, ws.Binary(Pattern(100_000)), fixed(999)); err != nil {
		r.t.Fatal(err)
	}
	r.see("written in pieces, received whole", r.receive(conn))

	w, err := conn.NextWriter(r.ctx, ws.KindText)
	if err != nil {
		r.t.Fatal(err)
	}
	w.Close()
	r.see("Write after Close", describeCount(w.Write([]byte("late"))))
	_, reader, err := conn.NextReader(r.ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	io.ReadAll(reader)
	r.see("Read after the end", describeCount(reader.Read(make([]byte, 1))))
	r.see("then", r.echoes(conn))
}

func runAbandoned(r *row) {
	id := r.newID()
	conn := r.dial(nil, "/echo", "id", id)
	begin := func() (w io.WriteCloser, cancel context.CancelFunc) {
		ctx, cancel := context.WithCancel(r.ctx)
		w, err := conn.NextWriter(ctx, ws.KindText)
		if err != nil {
			r.t.Fatal(err)
		}
		return w, cancel
	}
	w, cancel := begin()
	cancel()
	err := w.Close()
	r.see("ctx ends before a Write: Close", Describe(err))
	r.see("ErrMessageAbandoned", yesNo(errors.Is(err, errors.ErrMessageAbandoned)))
	r.see("then", r.echoes(conn))

	w, cancel = begin()
	w.Write(Pattern(200_000))
	cancel()
	r.see("ctx ends after a Write: Close", Describe(w.Close()))
	r.see("Err", Describe(conn.Err()))

	again := r.newID()
	conn = r.dial(nil, "/echo", "id", again)
	w, cancel = begin()
	defer cancel()
	w.Write(Pattern(200_000))
	_, err = w.Write([]byte{0xff})
	r.see("text that is not UTF-8: Write, then Close", Describe(err)+", "+Describe(w.Close()))
	r.see("Err again", Describe(conn.Err()))

	conn = r.dial(&Options{MaxMessageSize: 100, MaxStreamSize: 200}, "/echo")
	w, cancel = begin()
	defer cancel()
	w.Write(Pattern(100))
	_, err = w.Write(Pattern(101))
	r.see("over MaxStreamSize: Write", Describe(err))

	conn = r.dial(nil, "/echo")
	w, cancel = begin()
	defer cancel()
	w.Write(Pattern(200_000))
	conn.Close(errors.NormalClosure, "enough")
	_, err = w.Write(Pattern(10))
	r.see("Conn.Close after a Write: Write, Close", Describe(err)+", "+Describe(w.Close()))

	// The test server records whole messages: one, that of "then".
	got := "no message"
	for _, events := range [][]string{r.events(id)[1:], r.events(again)} {
		for _, e := range events {
			if bytes.HasPrefix([]byte(e), []byte("text")) {
				got = e
			}
		}
	}
	r.see("the peer received", got)
}

func runDuringAMessage(r *row) {
	conn := r.dial(nil, "/echo")
	w, err := conn.NextWriter(r.ctx, ws.KindText)
	if err != nil {
		r.t.Fatal(err)
	}
	io.WriteString(w, "fir")
	soon, cancel := context.WithTimeout(r.ctx, 20*time.Millisecond)
	sent := Describe(conn.Send(soon, ws.Text("no")))
	_, err = conn.NextWriter(soon, ws.KindText)
	cancel()
	r.see("Send, NextWriter, TrySend during a message", sent+", "+Describe(err)+", "+Describe(conn.TrySend(ws.Text("no"))))
	waits := make(chan error, 1)
	go func() { waits <- conn.Send(r.ctx, ws.Text("second")) }()
	time.Sleep(5 * time.Millisecond)
	io.WriteString(w, "st")
	w.Close()
	r.see("a Send that waits", Describe(<-waits))
	r.see("received", r.receive(conn)+", "+r.receive(conn))

	ended, cancel := context.WithCancel(r.ctx)
	cancel()
	_, _, err = conn.NextReader(ended)
	r.see("NextReader with an ended ctx", Describe(err))
	for _, m := range []ws.Message{ws.Binary(Pattern(500_000)), ws.Text("after")} {
		if err := conn.Send(r.ctx, m); err != nil {
			r.t.Fatal(err)
		}
	}
	_, reader, err := conn.NextReader(r.ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	io.ReadFull(reader, make([]byte, 1000))
	r.see("Receive after a part was read", r.receive(conn))
	r.see("the older reader", describeCount(reader.Read(make([]byte, 1))))
	r.see("then", r.echoes(conn))
}

func runStreamLimits(r *row) {
	begin := func(o *Options) *ws.Conn {
		conn := r.dial(o, "/echo")
		if err := r.writePieces(conn, ws.Binary(Pattern(5000)), func(int) int { return 1000 }); err != nil {
			r.t.Fatal(err)
		}
		return conn
	}
	r.see("NextReader", r.readPieces(begin(&Options{MaxMessageSize: 100, MaxStreamSize: 5000})))
	r.see("Receive", r.receive(begin(&Options{MaxMessageSize: 100, MaxStreamSize: -1})))

	conn := r.dial(&Options{MaxMessageSize: 100, MaxStreamSize: 4999}, "/burst", "n", 1, "size", 5000)
	r.see("NextReader over MaxStreamSize", r.readPieces(conn))
}
