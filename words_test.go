package isosocket

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

func TestNamesOfPhasesAndPolicies(t *testing.T) {
	for got, want := range map[string]string{
		Connecting.String():   "connecting",
		Connected.String():    "connected",
		Waiting.String():      "waiting",
		Closed.String():       "closed",
		Phase(9).String():     "invalid phase 9",
		RefuseNewest.String(): "refuse newest",
		DropOldest.String():   "drop oldest",
		Overflow(9).String():  "invalid overflow policy 9",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestErrorsSayWhy(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{errNoHeartbeat, "websocket: confirm: DialOptions.Heartbeat is not set: unsupported operation"},
		{&lossError{errors.ErrUnconfirmed, errors.GoingAway}, errors.ErrUnconfirmed.Error() + ": " + errors.GoingAway.Error()},
		{timeoutError(3 * time.Second), "no connection within the HandshakeTimeout of 3s"},
		{&downError{op: "send", err: context.Canceled, cause: errors.New("shutdown"), state: State{Phase: Waiting, Err: errors.New("refused")}},
			"websocket: send: context canceled: shutdown while waiting, because: refused"},
		{&downError{op: "flush", err: context.DeadlineExceeded, cause: context.DeadlineExceeded, state: State{Phase: Connected}, unread: 70, limit: 64},
			"websocket: flush: context deadline exceeded while 70 bytes wait for Receive, and nothing more is read"},
		{&downError{op: "flush", err: context.DeadlineExceeded, state: State{Phase: Connected}, unread: 1, limit: 64},
			"websocket: flush: context deadline exceeded"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// Errors of waits tell a deadline from other ends, as net.Error does.
func TestErrorsOfDeadlinesAreTimeouts(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{timeoutError(time.Second), true},
		{&downError{err: context.DeadlineExceeded}, true},
		{&downError{err: context.Canceled}, false},
	} {
		timeout, ok := errors.AsType[interface {
			error
			Timeout() bool
		}](tt.err)
		if !ok || timeout.Timeout() != tt.want {
			t.Errorf("%v: a timeout is %v, want %v", tt.err, !tt.want, tt.want)
		}
	}
}

func TestNegativeHandshakeTimeoutIsNone(t *testing.T) {
	ctx, cancel := (&DialOptions{HandshakeTimeout: -1}).withHandshakeTimeout(t.Context())
	defer cancel()
	if deadline, ok := ctx.Deadline(); ok {
		t.Errorf("the context has a deadline, %v", deadline)
	}
}

// A message of the outbox that waits for space when the Client ends is lost with those behind it,
// in order.
func TestMessageThatWaitsForSpaceIsAccountedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, lost := newNetwork(t), &record{}
		n.serve = func(_ int, server *ws.Conn) { <-server.Done() } // reads nothing
		ctx, cancel := context.WithCancel(t.Context())
		dial := &DialOptions{SendBuffer: 64}
		o := ClientOptions{Outbox: &Outbox{}, Reconnect: &ReconnectOptions{Dial: dial}, OnLost: func(m ws.Message, why error) {
			if !errors.Is(why, errors.ErrNotSent) {
				lost.add("unconfirmed")
				return
			}
			lost.add(m.String()[:1])
		}}
		c := newClient(ctx, n.redialer(o.Reconnect), o)
		for _, text := range []string{"a", "b", "c", "d"} {
			sendText(t, c, strings.Repeat(text, 64))
		}
		time.Sleep(time.Second)
		cancel()
		<-c.Done()
		synctest.Wait()
		lost.check(t, "b", "c", "d")
	})
}
