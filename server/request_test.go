//go:build !js

package server_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// The details of the request and the connection remain available, with and without Detach,
// and also after the end.
func TestRequest(t *testing.T) {
	for name, detach := range map[string]bool{"attached": false, "detached": true} {
		t.Run(name, func(t *testing.T) {
			conns := make(chan *server.Conn, 1)
			e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
				conns <- conn
				<-ctx.Done()
				return nil
			}, &server.Options{Detach: detach, Compression: &ws.Compression{}})
			mux := http.NewServeMux()
			mux.Handle("GET /rooms/{room}/{path...}", e)
			s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mux.ServeHTTP(w, r)
				clear(r.Header) // as a server that reuses the header does
			}))
			t.Cleanup(func() { mustShutdown(t, e) })
			client, err := isosocket.Dial(timeout(t), s.URL+"/rooms/the%20kitchen%0A:{x}/a/b?user=eve&empty", &isosocket.DialOptions{
				Compression: &ws.Compression{},
				Header: http.Header{
					"Cookie":        {"session=s1"},
					"Authorization": {"Basic ZXZlOnB3"},
					"Accept":        {"one", "two"},
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			conn := <-conns
			check := func() {
				t.Helper()
				r := conn.Request()
				if got := r.PathValue("room"); got != "the kitchen\n:{x}" {
					t.Errorf("PathValue(room) = %q", got)
				}
				if got := r.PathValue("path"); got != "a/b" {
					t.Errorf("PathValue(path) = %q", got)
				}
				if cookie, err := r.Cookie("session"); err != nil || cookie.Value != "s1" {
					t.Errorf("Cookie = %v, %v", cookie, err)
				}
				if user, password, ok := r.BasicAuth(); user != "eve" || password != "pw" || !ok {
					t.Errorf("BasicAuth = %q, %q, %v", user, password, ok)
				}
				if got := r.FormValue("user"); got != "eve" {
					t.Errorf("FormValue = %q", got)
				}
				if len(r.Header["Accept"]) != 2 || r.Header.Get("Sec-WebSocket-Key") != "" || len(conn.Header()) != len(r.Header) {
					t.Errorf("header %v", r.Header)
				}
				for name := range r.Header {
					if name[0] == '{' {
						t.Errorf("the header has %q", name)
					}
				}
				if r.Method != "GET" || r.Host != conn.Host() || r.RemoteAddr != conn.RemoteAddr() || r.TLS != nil || r.Context().Err() != nil {
					t.Errorf("%s %s from %s", r.Method, r.Host, r.RemoteAddr)
				}
				if r.RequestURI != "/rooms/the%20kitchen%0A:%7Bx%7D/a/b?user=eve&empty" {
					t.Errorf("RequestURI = %q", r.RequestURI)
				}
				r.URL.Path, r.Header["Cookie"] = "/changed", nil // of a copy
				n := conn.Native()
				if n.LocalAddr().String() != s.Listener.Addr().String() || n.RemoteAddr().String() != conn.RemoteAddr() {
					t.Errorf("%v <- %v", n.LocalAddr(), n.RemoteAddr())
				}
				if n.Response() != nil || n.TLS() != nil {
					t.Errorf("Response %v, TLS %v", n.Response(), n.TLS())
				}
				if conn.Extensions() == "" || conn.Extensions() != client.Extensions() {
					t.Errorf("Extensions = %q, and the client's %q", conn.Extensions(), client.Extensions())
				}
			}
			check()
			if _, err := conn.Native().Ping(timeout(t)); err != nil {
				t.Error(err)
			}
			client.Close(errors.NormalClosure, "")
			<-conn.Done()
			check()
		})
	}
}
