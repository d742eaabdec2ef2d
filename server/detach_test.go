//go:build !js

package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

type userKey struct{}

// pooled is a context of a framework that reuses it for another request once
// the handler has returned.
type pooled struct {
	context.Context
	user string
}

func (p *pooled) Value(key any) any {
	if key == (userKey{}) {
		return p.user
	}
	return p.Context.Value(key)
}

// TestServeHTTPReturnsWithTheFunction: the code of a middleware after the handler runs
// after the connection, unless Options.Detach is set. The function never sees the values of
// another request.
func TestServeHTTPReturnsWithTheFunction(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		detach   bool
		returned bool   // while the function runs
		user     string // as the function sees it
	}{
		{"by default", false, false, "alice"},
		{"detached", true, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			returned, proceed := make(chan struct{}), make(chan struct{})
			users := make(chan string, 2)
			user := func(ctx context.Context) string {
				s, _ := ctx.Value(userKey{}).(string)
				return s
			}
			e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
				users <- user(ctx)
				<-proceed
				users <- user(ctx)
				if ctx.Value(http.ServerContextKey) == nil {
					t.Error("ctx has no http.Server")
				}
				_, err := conn.Receive(ctx)
				return err
			}, &server.Options{Detach: test.detach})
			s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ctx := &pooled{Context: r.Context(), user: "alice"}
				e.ServeHTTP(w, r.WithContext(ctx))
				ctx.user = "mallory"
				close(returned)
			}))
			t.Cleanup(func() { mustShutdown(t, e) })
			conn := dial(t, s, nil)
			if got := <-users; got != test.user {
				t.Errorf("the function sees %q, want %q", got, test.user)
			}
			if test.returned {
				<-returned
			}
			select {
			case <-returned:
				if !test.returned {
					t.Error("ServeHTTP returned while the function runs")
				}
			default:
			}
			close(proceed)
			if got := <-users; got != test.user {
				t.Errorf("later, the function sees %q, want %q", got, test.user)
			}
			conn.Close(errors.NormalClosure, "")
			select {
			case <-returned:
			case <-time.After(20 * time.Second):
				t.Error("ServeHTTP did not return after the connection")
			}
		})
	}
}

// TestPanicKeepsTheServer: a panic of the function ends only its connection, on any
// goroutine.
func TestPanicKeepsTheServer(t *testing.T) {
	t.Parallel()
	for name, detach := range map[string]bool{"by default": false, "detached": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logged := &logBuffer{}
			_, s := startEndpoint(t, func(_ context.Context, conn *server.Conn) error {
				if conn.URL().Path == "/panic" {
					panic("boom")
				}
				return echo(t.Context(), conn)
			}, &server.Options{Detach: detach, Logger: logged.logger()})
			s.URL += "/panic"
			assertEnd(t, dial(t, s, nil), errors.InternalError, "internal error")
			s.URL = s.URL[:len(s.URL)-len("/panic")]
			conn := dial(t, s, nil)
			if err := conn.Send(timeout(t), ws.Text("hello")); err != nil {
				t.Fatal(err)
			}
			if m, err := conn.Receive(timeout(t)); err != nil || m.String() != "hello" {
				t.Errorf("Receive = %q, %v", m, err)
			}
			if n := strings.Count(logged.String(), "boom"); n != 1 {
				t.Errorf("the panic was logged %d times", n)
			}
		})
	}
}
