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

// unanswered is a transport whose peer never answers a close. It does not implement
// Failer.
type unanswered struct {
	ending driver.Ending
	closes int
}

func (t *unanswered) Receive(ctx context.Context, _ []byte) (driver.Message, error) {
	select {
	case <-ctx.Done():
		return driver.Message{}, ctx.Err()
	case <-t.ending.Done():
		return driver.Message{}, t.ending.Cause()
	}
}

func (t *unanswered) TryReceive([]byte) (driver.Message, bool, error) {
	return driver.Message{}, false, nil
}
func (t *unanswered) Send(context.Context, driver.Message) error { return nil }
func (t *unanswered) Flush(context.Context) error                { return nil }
func (t *unanswered) Buffered() int                              { return 0 }
func (t *unanswered) Ending() *driver.Ending                     { return &t.ending }

func (t *unanswered) Close(ctx context.Context, _ errors.CloseReason, _ string) error {
	t.closes++
	<-ctx.Done()
	return ctx.Err()
}

// failing is unanswered with a Fail that ends at once.
type failing struct {
	unanswered
	failed []*errors.ConnectionClosed
}

func (t *failing) Fail(cause *errors.ConnectionClosed) {
	t.failed = append(t.failed, cause)
	t.ending.Set(cause)
}

func mustBeClosed(t *testing.T, err error, reason errors.CloseReason, message string) {
	t.Helper()
	closed, ok := errors.AsType[*errors.ConnectionClosed](err)
	if !ok || closed.Reason != reason || closed.Message != message || closed.Remote {
		t.Errorf("got %v, want %d %q, local", err, reason, message)
	}
}

func TestCloseNowNeverWaits(t *testing.T) {
	for name, transport := range map[string]func() driver.Transport{
		"Failer":    func() driver.Transport { return &failing{} },
		"no Failer": func() driver.Transport { return &unanswered{} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := ws.NewConn(transport(), nil)
				received := goReceive(conn)
				synctest.Wait()
				start := time.Now()
				if err := conn.CloseNow(4008, "kicked"); err != nil {
					t.Errorf("CloseNow = %v, want nil", err)
				}
				mustBeClosed(t, <-received, 4008, "kicked")
				mustBeClosed(t, conn.Err(), 4008, "kicked")
				<-conn.Done()
				for range 2 {
					if err := conn.CloseNow(4009, "again"); err != nil {
						t.Errorf("second CloseNow = %v, want nil", err)
					}
					if err := conn.Close(errors.NormalClosure, ""); err != nil {
						t.Errorf("Close after CloseNow = %v, want nil", err)
					}
				}
				_, err := conn.Receive(context.Background())
				mustBeClosed(t, err, 4008, "kicked")
				mustBeClosed(t, conn.Send(context.Background(), ws.Text("x")), 4008, "kicked")
				if d := time.Since(start); d != 0 {
					t.Errorf("the calls took %v, want no wait", d)
				}
			})
		})
		t.Run(name+", beside a Close", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := ws.NewConn(transport(), nil)
				closed := make(chan error, 1)
				start := time.Now()
				go func() { closed <- conn.Close(errors.GoingAway, "bye") }()
				time.Sleep(time.Second)
				if err := conn.CloseNow(4008, "kicked"); err != nil {
					t.Errorf("CloseNow = %v, want nil", err)
				}
				mustBeClosed(t, <-closed, errors.AbnormalClosure, "CloseNow ended the wait for the peer's answer")
				mustBeClosed(t, conn.Err(), errors.GoingAway, "bye")
				if d := time.Since(start); d != time.Second {
					t.Errorf("Close took %v", d)
				}
			})
		})
	}
}

func goReceive(conn *ws.Conn) <-chan error {
	received := make(chan error, 1)
	go func() {
		_, err := conn.Receive(context.Background())
		received <- err
	}()
	return received
}

func TestCloseNowInvalidReason(t *testing.T) {
	a, b := ws.Pipe(nil, nil)
	if err := a.CloseNow(errors.AbnormalClosure, ""); !errors.Is(err, errors.ErrInvalidCloseReason) {
		t.Errorf("CloseNow = %v, want ErrInvalidCloseReason", err)
	}
	if a.Err() != nil || b.Err() != nil {
		t.Errorf("the connection ended: %v, %v", a.Err(), b.Err())
	}
	a.CloseNow(errors.NormalClosure, "")
}

// The peer gets the reason, and unread messages are dropped.
func TestCloseNowOfAPipe(t *testing.T) {
	a, b := ws.Pipe(nil, nil)
	a.Send(t.Context(), ws.Text("before"))
	b.Send(t.Context(), ws.Text("unread"))
	if err := a.CloseNow(4001, string(make([]byte, 200))); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Receive(t.Context()); !errors.Is(err, errors.CloseReason(4001)) {
		t.Errorf("Receive = %v", err)
	}
	if m, err := b.Receive(t.Context()); err != nil || m.String() != "before" {
		t.Errorf("the peer received %q, %v", m, err)
	}
	_, err := b.Receive(t.Context())
	if closed, ok := errors.AsType[*errors.ConnectionClosed](err); !ok || closed.Reason != 4001 || len(closed.Message) != 123 || !closed.Remote {
		t.Errorf("the next Receive = %v, want the peer's 4001", err)
	}
	if err := b.CloseNow(4002, "late"); err != nil || !errors.Is(b.Err(), errors.CloseReason(4001)) {
		t.Errorf("CloseNow = %v, Err = %v", err, b.Err())
	}
}

// racing is a transport whose Fail lets a receiver call Close before it returns.
type racing struct {
	failing
	closing chan struct{} // closed when Close waits
}

func (t *racing) Fail(cause *errors.ConnectionClosed) {
	t.failing.Fail(cause)
	<-t.closing
}

func (t *racing) Close(ctx context.Context, reason errors.CloseReason, message string) error {
	close(t.closing)
	return t.failing.Close(ctx, reason, message)
}

// TestCloseNowLeavesTheCloseThatItCauses has a receiver that calls Close as soon as CloseNow has
// ended the connection. CloseNow must not cut that Close short: its close frame would be lost.
func TestCloseNowLeavesTheCloseThatItCauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &racing{closing: make(chan struct{})}
		conn := ws.NewConn(transport, &ws.Config{CloseTimeout: time.Minute, Supervised: true})
		start := time.Now()
		closed := make(chan time.Duration)
		go func() {
			conn.Receive(context.Background())
			conn.Close(errors.NormalClosure, "")
			closed <- time.Since(start)
		}()
		synctest.Wait()
		if err := conn.CloseNow(4403, "banned"); err != nil {
			t.Fatal(err)
		}
		if waited := <-closed; waited != time.Minute {
			t.Errorf("Close waited %v for the peer, want its CloseTimeout of a minute", waited)
		}
		mustBeClosed(t, conn.Err(), 4403, "banned")
	})
}

// A CloseNow that comes when a Close has set its reason, but does not wait yet, ends the wait, too: the
// Close was first and must not return nil, and the transport is closed.
func TestCloseNowRightAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &failing{}
		conn := ws.NewConn(transport, nil)
		conn.AfterEnd(func() { // runs in Close, when it has set its reason
			if err := conn.CloseNow(4008, "kicked"); err != nil {
				t.Errorf("CloseNow = %v, want nil", err)
			}
		})
		start := time.Now()
		mustBeClosed(t, conn.Close(errors.GoingAway, "bye"), errors.AbnormalClosure, "CloseNow ended the wait for the peer's answer")
		mustBeClosed(t, conn.Err(), errors.GoingAway, "bye")
		if d := time.Since(start); d != 0 || transport.closes != 1 {
			t.Errorf("Close took %v, and closed the transport %d times", d, transport.closes)
		}
	})
}
