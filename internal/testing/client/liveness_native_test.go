//go:build !js

package client_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// TestDialPingsByDefault checks that a client without options pings every server, and ends the
// connection to a silent one.
func TestDialPingsByDefault(t *testing.T) {
	for _, tt := range []struct {
		name     string
		interval time.Duration
		answer   bool
		pings    []time.Duration // in the first minute
		end      time.Duration   // 0: none
	}{
		{"default", 0, true, []time.Duration{25 * time.Second, 50 * time.Second}, 0},
		{"default, and no answer", 0, false, []time.Duration{25 * time.Second}, 45 * time.Second},
		{"off", -1, false, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, peer := net.Pipe()
				began := time.Now()
				var pings []time.Duration
				served := make(chan struct{})
				go func() {
					defer close(served)
					defer peer.Close()
					reader := bufio.NewReader(peer)
					request, err := http.ReadRequest(reader)
					if err != nil {
						t.Error(err)
						return
					}
					io.WriteString(peer, switching(acceptOf(request)))
					for {
						var frame [14]byte // these pings have 8 bytes of payload
						if _, err := io.ReadFull(reader, frame[:]); err != nil {
							return
						}
						if frame[0] != 0x89 || frame[1] != 0x88 {
							return // a close frame
						}
						pings = append(pings, time.Since(began))
						if tt.answer {
							peer.Write([]byte{0x8a, 0})
						}
					}
				}()
				conn, err := isosocket.Dial(t.Context(), "ws://example.com/", &isosocket.DialOptions{
					PingInterval: tt.interval,
					CloseTimeout: time.Second,
					Native: &isosocket.NativeOptions{
						DialContext: func(context.Context, string, string) (net.Conn, error) { return client, nil },
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err = conn.Receive(ctx)
				took := time.Since(began)
				closed, _ := errors.AsType[*errors.ConnectionClosed](err)
				switch {
				case tt.end == 0 && !errors.Is(err, context.DeadlineExceeded):
					t.Errorf("Receive = %v, want no end", err)
				case tt.end != 0 && (closed == nil || closed.Message != ws.PingTimeoutMessage || took < tt.end-time.Second || took > tt.end+time.Second):
					t.Errorf("Receive = %v after %v, want the end after %v", err, took, tt.end)
				}
				conn.CloseNow(errors.NormalClosure, "")
				<-served
				if len(pings) != len(tt.pings) {
					t.Fatalf("pings came after %v, want %v", pings, tt.pings)
				}
				for i, want := range tt.pings {
					if got := pings[i]; got < want-time.Second || got > want+time.Second {
						t.Errorf("pings came after %v, want %v", pings, tt.pings)
					}
				}
				time.Sleep(time.Minute) // the goroutines of the handshake end
			})
		})
	}
}

// heartbeatServer serves connections with o. It returns its URL and a channel with the messages
// that its function received.
func heartbeatServer(t *testing.T, receives bool, o *server.Options) (url string, received <-chan string) {
	t.Helper()
	texts := make(chan string, 16)
	e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		if !receives {
			<-ctx.Done()
			return nil
		}
		for m, err := range conn.Messages(ctx) {
			if err != nil {
				return err
			}
			texts <- m.String()
		}
		return nil
	}, o)
	s := httptest.NewServer(e)
	t.Cleanup(func() {
		e.Shutdown(context.Background())
		s.Close()
	})
	return strings.Replace(s.URL, "http", "ws", 1), texts
}

// TestServerAnswersHeartbeats checks that a server answers heartbeats unless its options turn
// that off, even while its function only sends or waits.
func TestServerAnswersHeartbeats(t *testing.T) {
	t.Parallel()
	const interval = 50 * time.Millisecond
	dial := func(t *testing.T, url string, timeout time.Duration) *ws.Conn {
		conn, err := isosocket.Dial(bounded(t), url, &isosocket.DialOptions{Heartbeat: &ws.Heartbeat{Every: interval, Timeout: timeout}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.CloseNow(errors.NormalClosure, "") })
		return conn
	}
	for name, receives := range map[string]bool{"receiving": true, "not receiving": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, received := heartbeatServer(t, receives, nil)
			const timeout = 4 * time.Second
			conn := dial(t, url, timeout)
			go conn.Receive(context.Background())
			if err := conn.Confirm(bounded(t)); err != nil {
				t.Errorf("Confirm = %v", err)
			}
			time.Sleep(interval + timeout + time.Second)
			if err := conn.Err(); err != nil {
				t.Errorf("the connection ended: %v", err)
			}
			if len(received) > 0 {
				t.Errorf("the function received %q", <-received)
			}
		})
	}
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		url, received := heartbeatServer(t, true, &server.Options{DisableHeartbeatAnswer: true})
		conn := dial(t, url, 300*time.Millisecond)
		_, err := conn.Receive(bounded(t))
		closed, ok := errors.AsType[*errors.ConnectionClosed](err)
		if !ok || closed.Message != ws.PingTimeoutMessage || closed.Err == nil || !strings.Contains(err.Error(), "the peer answered no heartbeat") {
			t.Errorf("Receive = %v, want a miss that says that no heartbeat was ever answered", err)
		}
		if got := <-received; got != "\x05" {
			t.Errorf("the function received %q, want the heartbeat", got)
		}
	})
}

// fragments returns an unmasked text message of n empty frames.
func fragments(n int) string {
	return "\x01\x00" + strings.Repeat("\x00\x00", n-2) + "\x80\x00"
}

func TestDialMaxFragments(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		max  int
		sent int
		ok   bool
	}{
		{"the default", 0, 100_000, true},
		{"over the default", 0, 100_001, false},
		{"a bound", 3, 3, true},
		{"over a bound", 3, 4, false},
		{"no bound", -1, 200_000, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := rawServer(t, func(accept string) string { return switching(accept) + fragments(tt.sent) })
			conn, err := isosocket.Dial(bounded(t), url, &isosocket.DialOptions{
				CloseTimeout: time.Millisecond,
				Native:       &isosocket.NativeOptions{MaxFragments: tt.max},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.CloseNow(errors.NormalClosure, "")
			_, err = conn.Receive(bounded(t))
			if tt.ok && err != nil || !tt.ok && !errors.Is(err, errors.PolicyViolation) {
				t.Errorf("Receive = %v, want it to succeed: %v", err, tt.ok)
			}
		})
	}
}
