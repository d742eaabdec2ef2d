package ws_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/driver"
)

// inCallback is a transport whose caller must not wait, as in a callback of a browser.
type inCallback struct {
	fakeTransport
	refused []string
}

func (c *inCallback) MayWait(call, _ string) error {
	c.refused = append(c.refused, call)
	return errors.ErrWouldBlock
}

// TestCallsThatMustNotWait checks that no call waits where the transport does not allow it.
func TestCallsThatMustNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		transport := &inCallback{fakeTransport: fakeTransport{
			send:  func(context.Context, driver.Message) error { return nil },
			close: func(context.Context, errors.CloseReason, string) error { <-release; return nil },
		}}
		transport.receive = func(ctx context.Context) (driver.Message, error) {
			<-transport.ending.Done()
			return driver.Message{}, errors.ErrWouldBlock
		}
		conn := ws.NewConn(transport, &ws.Config{Heartbeat: &ws.Heartbeat{Every: time.Hour}})
		w, err := conn.NextWriter(t.Context(), ws.KindText)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.NextWriter(t.Context(), ws.KindText); !errors.Is(err, errors.ErrWouldBlock) {
			t.Errorf("NextWriter = %v", err)
		}
		if err := conn.Send(t.Context(), ws.Text("x")); !errors.Is(err, errors.ErrWouldBlock) {
			t.Errorf("Send = %v", err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if err := conn.Confirm(t.Context()); !errors.Is(err, errors.ErrWouldBlock) {
			t.Errorf("Confirm = %v", err)
		}
		go conn.Close(errors.NormalClosure, "")
		synctest.Wait()
		if err := conn.Close(errors.NormalClosure, ""); !errors.Is(err, errors.ErrWouldBlock) {
			t.Errorf("Close during another = %v", err)
		}
		close(release)
		synctest.Wait()
		for i, want := range []string{"NextWriter", "Send", "Confirm", "Close"} {
			if i >= len(transport.refused) || transport.refused[i] != want {
				t.Errorf("asked for %q, want %q", transport.refused, want)
				break
			}
		}
	})
}

// TestCloseMustNotWaitForACloseThatCloseNowHurries: a CloseNow has ended the wait of another Close,
// but that Close has not returned yet.
func TestCloseMustNotWaitForACloseThatCloseNowHurries(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	conn := ws.NewConn(&inCallback{fakeTransport: fakeTransport{
		close: func(context.Context, errors.CloseReason, string) error { close(entered); <-release; return nil },
	}}, nil)
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- conn.Close(errors.NormalClosure, "") }()
	<-entered
	if err := conn.CloseNow(errors.GoingAway, ""); err != nil {
		t.Errorf("CloseNow = %v", err)
	}
	go func() { second <- conn.Close(errors.NormalClosure, "") }()
	select {
	case err := <-second:
		if !errors.Is(err, errors.ErrWouldBlock) {
			t.Errorf("Close before the other has returned = %v, want ErrWouldBlock", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("Close waits for the other")
	}
	close(release)
	if err := <-first; err != nil {
		t.Errorf("the other Close = %v", err)
	}
}

// preparer is a transport that refuses prepared messages.
type preparer struct {
	fakeTransport
	err error
}

func (p *preparer) SendPrepared(context.Context, *driver.Prepared) error { return p.err }
func (p *preparer) TrySendPrepared(*driver.Prepared) error               { return p.err }

// TestPreparedMessagesThatCannotBeSent checks what SendPrepared makes of the transport's error.
func TestPreparedMessagesThatCannotBeSent(t *testing.T) {
	broken := errors.New("broken")
	p := &preparer{err: broken}
	conn := ws.NewConn(p, &ws.Config{MaxMessageSize: 4})
	long := ws.Prepare(ws.Text("longer"))
	if err := conn.SendPrepared(t.Context(), long); !errors.Is(err, errors.ErrMessageTooBig) {
		t.Errorf("SendPrepared = %v, want ErrMessageTooBig", err)
	}
	if err := conn.TrySendPrepared(long); !errors.Is(err, errors.ErrMessageTooBig) {
		t.Errorf("TrySendPrepared = %v, want ErrMessageTooBig", err)
	}
	if err := conn.SendPrepared(t.Context(), ws.Prepare(ws.Text("x"))); !errors.Is(err, errors.AbnormalClosure) || !errors.Is(err, broken) {
		t.Errorf("SendPrepared = %v, want the end of the connection", err)
	}
}

// inParts is a transport that sends messages in parts, by its functions.
type inParts struct {
	fakeTransport
	begin, write, end error
	abandoned         bool
}

func (p *inParts) NextWriter(context.Context, driver.Kind, int) (driver.MessageWriter, error) {
	if p.begin != nil {
		return nil, p.begin
	}
	return &partWriter{p}, nil
}

type partWriter struct{ p *inParts }

func (w *partWriter) Write(_ context.Context, b []byte) (int, error) {
	if w.p.write != nil {
		return 0, w.p.write
	}
	return len(b), nil
}
func (w *partWriter) Close(context.Context) error { return w.p.end }
func (w *partWriter) Abandon()                    { w.p.abandoned = true }

// TestWritersOfTransportsThatFail checks what becomes of a transport's errors.
func TestWritersOfTransportsThatFail(t *testing.T) {
	broken := errors.New("broken")
	begin := func(p *inParts) (*ws.Conn, io.WriteCloser) {
		t.Helper()
		p.close = func(context.Context, errors.CloseReason, string) error { return nil }
		conn := ws.NewConn(p, nil)
		w, err := conn.NextWriter(t.Context(), ws.KindBinary)
		if err != nil {
			t.Fatal(err)
		}
		return conn, w
	}

	conn := ws.NewConn(&inParts{begin: errors.ErrUnsupported}, nil)
	if _, err := conn.NextWriter(t.Context(), ws.KindBinary); !errors.Is(err, errors.ErrUnsupported) || conn.Err() != nil {
		t.Errorf("NextWriter = %v, and the connection has %v", err, conn.Err())
	}
	conn = ws.NewConn(&inParts{begin: broken}, nil)
	if _, err := conn.NextWriter(t.Context(), ws.KindBinary); !errors.Is(err, errors.AbnormalClosure) || !errors.Is(err, broken) {
		t.Errorf("NextWriter = %v", err)
	}

	p := &inParts{write: broken}
	_, w := begin(p)
	if _, err := w.Write([]byte("x")); !errors.Is(err, errors.AbnormalClosure) || !errors.Is(err, broken) || !p.abandoned {
		t.Errorf("Write = %v, abandoned %v", err, p.abandoned)
	}

	p = &inParts{end: errors.ErrWouldBlock}
	conn, w = begin(p)
	if err := w.Close(); !errors.Is(err, errors.ErrWouldBlock) || conn.Err() != nil {
		t.Errorf("Close = %v, and the connection has %v", err, conn.Err())
	}
	p.end = nil
	if err := w.Close(); err != nil {
		t.Errorf("the second Close = %v", err)
	}

	p = &inParts{end: errors.ErrUnsupported}
	conn, w = begin(p)
	if err := w.Close(); !errors.Is(err, errors.ErrMessageAbandoned) || !errors.Is(err, errors.ErrUnsupported) || conn.Err() != nil || !p.abandoned {
		t.Errorf("Close = %v, and the connection has %v", err, conn.Err())
	}
}

// TestNothingIsReadOfAMessageAfterClose checks a Read that was waiting.
func TestNothingIsReadOfAMessageAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &partReceiver{come: make(chan []byte)}
		p.close = func(context.Context, errors.CloseReason, string) error { return nil }
		conn := ws.NewConn(p, nil)
		_, r, err := conn.NextReader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		result := make(chan error)
		go func() {
			n, err := r.Read(make([]byte, 8))
			if n != 0 {
				t.Errorf("Read %d bytes", n)
			}
			result <- err
		}()
		synctest.Wait()
		conn.Close(errors.GoingAway, "")
		p.come <- []byte("late")
		if err := <-result; !errors.Is(err, errors.GoingAway) {
			t.Errorf("Read = %v", err)
		}
	})
}

// partReceiver is a transport whose only message arrives in parts.
type partReceiver struct {
	fakeTransport
	come chan []byte
}

func (p *partReceiver) NextReader(context.Context) (driver.MessageReader, error) { return p, nil }
func (p *partReceiver) Kind() driver.Kind                                        { return driver.KindBinary }
func (p *partReceiver) Read(_ context.Context, b []byte) (int, error)            { return copy(b, <-p.come), nil }

// TestReasonOfAnEndedConnection: Close sends the reason of an end on this side that has not sent its
// close frame yet, and the caller's in all other cases.
func TestReasonOfAnEndedConnection(t *testing.T) {
	for _, test := range []struct {
		name  string
		cause *errors.ConnectionClosed
		want  errors.CloseReason
	}{
		{"open", nil, errors.GoingAway},
		{"ended here", &errors.ConnectionClosed{Reason: errors.PolicyViolation}, errors.PolicyViolation},
		{"lost", &errors.ConnectionClosed{Reason: errors.AbnormalClosure}, errors.GoingAway},
		{"ended by the peer", &errors.ConnectionClosed{Reason: errors.PolicyViolation, Remote: true}, errors.GoingAway},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got errors.CloseReason
			f := &fakeTransport{close: func(_ context.Context, reason errors.CloseReason, _ string) error { got = reason; return nil }}
			conn := ws.NewConn(f, nil)
			if test.cause != nil {
				f.ending.Set(test.cause)
			}
			conn.Close(errors.GoingAway, "")
			if got != test.want {
				t.Errorf("the transport got %v, want %v", got, test.want)
			}
		})
	}
}

// TestHeartbeatsOfOneByte: a heartbeat as short as the default one is not replaced by it.
func TestHeartbeatsOfOneByte(t *testing.T) {
	a, b := ws.Pipe(nil, &ws.Config{AnswerHeartbeat: &ws.Heartbeat{Message: ws.Text("?"), Answer: ws.Text("!")}})
	for _, text := range []string{"?", "\x05"} {
		if err := a.Send(t.Context(), ws.Text(text)); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := b.Receive(t.Context()); err != nil || m.String() != "\x05" {
		t.Errorf("received %q, %v, want the message that is no heartbeat here", m, err)
	}
	if m, err := a.Receive(t.Context()); err != nil || m.String() != "!" {
		t.Errorf("the answer is %q, %v", m, err)
	}
	a.Close(errors.NormalClosure, "")
}

func TestWhatWasAgreed(t *testing.T) {
	for _, want := range []ws.Config{{}, {Subprotocol: "chat"}, {Extensions: "permessage-deflate"}, {Subprotocol: "chat", Extensions: "permessage-deflate"}} {
		conn := ws.NewConn(&fakeTransport{}, &want)
		if conn.Subprotocol() != want.Subprotocol || conn.Extensions() != want.Extensions {
			t.Errorf("%q and %q, want %q and %q", conn.Subprotocol(), conn.Extensions(), want.Subprotocol, want.Extensions)
		}
	}
}

// TestTextOfAWaitThatEnded: the cause of a context is named once.
func TestTextOfAWaitThatEnded(t *testing.T) {
	f := &fakeTransport{
		receive: func(ctx context.Context) (driver.Message, error) { return driver.Message{}, ctx.Err() },
		try:     func() (driver.Message, bool, error) { return driver.Message{}, false, nil },
	}
	conn := ws.NewConn(f, nil)
	plain, cancel := context.WithCancel(t.Context())
	cancel()
	caused, stop := context.WithCancelCause(t.Context())
	stop(errors.New("the user left"))
	for ctx, want := range map[context.Context]string{
		plain:  "websocket: receive: context canceled",
		caused: "websocket: receive: context canceled: the user left",
	} {
		if _, err := conn.Receive(ctx); err == nil || err.Error() != want {
			t.Errorf("Receive = %v, want %s", err, want)
		}
	}
}
