package stream

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// A peer that does not answer, or does not even read, does not delay CloseNow. The
// connection is released in the background.
func TestCloseNowNeverWaits(t *testing.T) {
	for name, test := range map[string]struct {
		reads   bool // whether the peer reads
		answers bool // whether it also answers the close, as this library does
		queued  bool // whether more is queued than the system takes
	}{
		"a peer that answers":               {true, true, false},
		"a peer that reads and is silent":   {true, false, false},
		"a peer that reads nothing":         {false, false, false},
		"a peer that has left a full queue": {false, false, true},
	} {
		// A long timeout shows that no call waits for it, and a short one that the release does.
		for _, closeTimeout := range []time.Duration{10 * time.Minute, 300 * ms} {
			t.Run(name+", "+closeTimeout.String(), func(t *testing.T) {
				onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
					transport := New(s, Options{Role: rfc6455.Server, Config: ws.Config{CloseTimeout: closeTimeout, SendBuffer: 64 << 10}})
					conn := ws.NewConn(transport, nil)
					if test.queued {
						for conn.TrySend(ws.Binary(make([]byte, 64<<10))) == nil {
						}
					}
					peer := make(chan error, 1)
					switch {
					case test.answers:
						client := connect(t, rfc6455.Client, c, Options{})
						go func() {
							_, err := client.Receive(context.Background())
							peer <- err
						}()
					case test.reads:
						go io.Copy(io.Discard, c)
					}
					received := make(chan error, 1)
					go func() {
						_, err := conn.Receive(context.Background())
						received <- err
					}()
					time.Sleep(5 * ms)
					start := time.Now()
					if err := conn.CloseNow(4008, "kicked"); err != nil {
						t.Errorf("CloseNow = %v", err)
					}
					if err := conn.Close(errors.NormalClosure, ""); err != nil {
						t.Errorf("Close after it = %v", err)
					}
					if d := time.Since(start); closeTimeout > time.Minute && d > time.Minute {
						t.Errorf("CloseNow and Close took %v", d)
					}
					if err := <-received; !errors.Is(err, errors.CloseReason(4008)) {
						t.Errorf("Receive = %v", err)
					}
					if test.answers {
						err := <-peer
						if closed, ok := errors.AsType[*errors.ConnectionClosed](err); !ok || closed.Reason != 4008 || closed.Message != "kicked" || !closed.Remote {
							t.Errorf("the peer got %v", err)
						}
					}
					if closeTimeout > time.Minute {
						c.Close() // the release does not have to wait then
					}
					transport.closed.Wait()
					if d := time.Since(start); closeTimeout < time.Minute && d > closeTimeout+slack {
						t.Errorf("released after %v", d)
					}
				})
			})
		}
	}
}

// CloseNow makes a waiting Close return.
func TestCloseNowBesideClose(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		go io.Copy(io.Discard, c)
		conn := ws.NewConn(New(s, Options{Role: rfc6455.Server, Config: ws.Config{CloseTimeout: 10 * time.Minute}}), nil)
		closed := make(chan error, 1)
		start := time.Now()
		go func() { closed <- conn.Close(errors.GoingAway, "bye") }()
		for conn.Err() == nil {
			time.Sleep(ms)
		}
		if err := conn.CloseNow(4008, "kicked"); err != nil {
			t.Errorf("CloseNow = %v", err)
		}
		if err := <-closed; err != nil && !errors.Is(err, errors.AbnormalClosure) {
			t.Errorf("Close = %v", err)
		}
		if d := time.Since(start); d > slack {
			t.Errorf("Close took %v", d)
		}
		if !errors.Is(conn.Err(), errors.GoingAway) {
			t.Errorf("Err = %v", conn.Err())
		}
	})
}
