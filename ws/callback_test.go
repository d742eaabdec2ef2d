package ws_test

import (
	"context"
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
