//go:build !js

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/chat"
	"github.com/isosocket/isosocket/ws"
)

const dialExplanation = `Each line typed is sent as a message; each message that comes is printed.
At the end of input it closes with 1000, at Ctrl-C with 1001.

Exit status: 0 the connection ended with 1000, 1001 or 1005; 1 bad usage or no connection;
2 it was lost without a close frame (1006); 3 it was closed for any other reason.
`

// dial connects to a server and exchanges lines with it.
func dial(ctx context.Context, args []string, t terminal) int {
	f := newFlags("dial", "[flags] URL", dialExplanation)
	var (
		subprotocols list
		headers      = header{}
		binary       = f.Bool("binary", false, "send each line as a binary message")
		compress     = f.Bool("compress", false, "offer permessage-deflate")
		maxMessage   = size(64 << 20)
		timeout      = span{Duration: 30 * time.Second}
		linger       = span{Duration: 500 * time.Millisecond, allowNegative: true}
		ping         = span{Duration: isosocket.DefaultPingInterval}
	)
	f.Var(&subprotocols, "subprotocol", "offer the subprotocol `NAME`; may be repeated, or be a list with commas, the dearest first")
	f.Var(headers, "header", "send the header `\"Name: value\"` with the handshake; may be repeated")
	f.Var(&maxMessage, "max-message", "the largest message to accept or send, a `SIZE` such as 65536 or 1MiB")
	f.Var(&timeout, "timeout", "how long connecting may take, a `DURATION` such as 10s; 0 for no limit")
	f.Var(&linger, "linger", "after the end of input, wait until nothing has come for this `DURATION`; negative: until the peer closes")
	f.Var(&ping, "ping", "ping the peer every `DURATION`, and give up when it does not answer; 0 for never")
	rest, status, ok := t.parse(f, args)
	if !ok {
		return status
	}
	if len(rest) != 1 {
		return t.fail("dial", "one URL is needed, not "+strconv.Itoa(len(rest))+"; for example: isosocket dial ws://127.0.0.1:8080/echo")
	}
	o := &isosocket.DialOptions{
		Subprotocols:     subprotocols,
		Header:           headers,
		MaxMessageSize:   int(maxMessage),
		HandshakeTimeout: timeout.Duration,
		PingInterval:     ping.Duration,
	}
	if timeout.Duration == 0 {
		o.HandshakeTimeout = -1
	}
	if ping.Duration == 0 {
		o.PingInterval = -1
	}
	if *compress {
		o.Compression = &ws.Compression{ContextTakeover: true}
	}
	conn, err := isosocket.Dial(ctx, rest[0], o)
	if err != nil {
		return t.fail("dial", explainDial(err))
	}
	connected := "connected to " + rest[0]
	if p := conn.Subprotocol(); p != "" {
		connected += ", subprotocol " + p
	}
	fmt.Fprintln(t.err, connected)
	d := &dialogue{terminal: t, conn: conn, binary: *binary, maxMessage: int(maxMessage), linger: linger.Duration, raw: !isTerminal(t.out)}
	return d.run(ctx)
}

// explainDial describes in one line why there is no connection, with the server's answer.
func explainDial(err error) string {
	what := strings.TrimPrefix(err.Error(), "websocket: ")
	if refused, ok := errors.AsType[*errors.ConnectionError](err); ok {
		if body := strings.Join(strings.Fields(chat.Printable(string(refused.Body))), " "); !strings.Contains(what, body) {
			what += "; the server says: " + body
		}
	}
	return what
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// dialogue exchanges lines over one connection.
type dialogue struct {
	terminal
	conn       *ws.Conn
	binary     bool
	maxMessage int
	linger     time.Duration
	raw        bool // print messages as they are, not made safe for a terminal
}

// run runs until the connection, the input or ctx ends.
func (d *dialogue) run(ctx context.Context) int {
	came := make(chan struct{}, 1)
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- d.print(came)
	}()
	input := make(chan error, 1)
	// This goroutine cannot be stopped while it reads a line; it ends with the input or the
	// process.
	go func() { input <- d.send(ctx) }()

	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		return d.close(errors.GoingAway, ended)
	case err := <-input:
		if err != nil && d.conn.Err() == nil && ctx.Err() == nil {
			fmt.Fprintln(d.err, "isosocket dial: "+err.Error())
			d.close(errors.NormalClosure, ended)
			return exitFailed
		}
		return d.finish(ctx, came, ended)
	}
	return d.report(err)
}

// finish waits for answers after the last line of input.
func (d *dialogue) finish(ctx context.Context, came <-chan struct{}, ended <-chan error) int {
	var quiet <-chan time.Time
	for {
		if d.linger >= 0 {
			quiet = time.After(d.linger)
		}
		select {
		case err := <-ended:
			return d.report(err)
		case <-ctx.Done():
			return d.close(errors.GoingAway, ended)
		case <-quiet:
			return d.close(errors.NormalClosure, ended)
		case <-came:
		}
	}
}

// close ends the connection, unless it has ended, and returns the exit status.
func (d *dialogue) close(reason errors.CloseReason, ended <-chan error) int {
	err := d.conn.Close(reason, "")
	if err == nil {
		err = d.conn.Err()
	}
	// Print the messages that arrived before, unless the output has failed.
	select {
	case <-ended:
	case <-time.After(time.Second):
	}
	return d.report(err)
}

// report prints how the connection ended, and returns the exit status for it.
func (d *dialogue) report(err error) int {
	closed, ok := errors.AsType[*errors.ConnectionClosed](err)
	if !ok {
		fmt.Fprintln(d.err, "isosocket dial: "+err.Error())
		return exitFailed
	}
	fmt.Fprintln(d.err, chat.Printable(strings.TrimPrefix(closed.Error(), "websocket: ")))
	switch {
	case closed.Reason.Normal():
		return exitDone
	case closed.Reason == errors.AbnormalClosure:
		return exitLost
	}
	return exitClosed
}

// print writes messages until the connection ends, and returns why it ended.
func (d *dialogue) print(came chan<- struct{}) error {
	out := bufio.NewWriter(d.out)
	for {
		m, ok, err := d.conn.TryReceive()
		if !ok && err == nil {
			// No more messages for now: show the buffered ones.
			if err := out.Flush(); err != nil {
				return d.outputFailed(err)
			}
			m, err = d.conn.Receive(context.Background())
		}
		if err != nil {
			_ = out.Flush()
			return err
		}
		select {
		case came <- struct{}{}:
		default:
		}
		if _, err := out.WriteString(d.line(m) + "\n"); err != nil {
			return d.outputFailed(err)
		}
	}
}

// outputFailed closes the connection after the output has failed.
func (d *dialogue) outputFailed(err error) error {
	_ = d.conn.Close(errors.GoingAway, "")
	return fmt.Errorf("cannot write the messages: %w", err)
}

func (d *dialogue) line(m ws.Message) string {
	switch {
	case m.Kind == ws.KindBinary:
		return "binary, " + strconv.Itoa(len(m.Data)) + " bytes: " + hex.EncodeToString(m.Data)
	case d.raw:
		return m.String()
	}
	return chat.Printable(m.String())
}

// send sends the lines of the input, until it ends.
func (d *dialogue) send(ctx context.Context) error {
	in := bufio.NewReader(d.in)
	for {
		line, err := readLine(in, d.maxMessage)
		if err != nil && err != io.EOF {
			return fmt.Errorf("cannot read the input: %w", err)
		}
		if err == io.EOF && len(line) == 0 {
			return d.conn.Flush(ctx)
		}
		m := ws.Message{Kind: ws.KindText, Data: line}
		if d.binary {
			m.Kind = ws.KindBinary
		} else if !utf8.Valid(line) {
			return errors.New("a line is not UTF-8; -binary sends any bytes")
		}
		if err := d.conn.Send(ctx, m); err != nil {
			return err
		}
	}
}

// readLine reads up to a line break, which it leaves out.
func readLine(in *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > limit+2:
			return nil, errors.New("a line is longer than -max-message allows, " + strconv.Itoa(limit) + " bytes")
		case err == bufio.ErrBufferFull:
			continue
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), err
	}
}
