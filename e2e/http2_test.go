//go:build !js

package e2e

import (
	"context"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/testing/browser"
	"github.com/isosocket/isosocket/server"
	_ "github.com/isosocket/isosocket/server/http2"
	"github.com/isosocket/isosocket/ws"
)

// http2Page opens WebSockets as soon as it is loaded, and collects their events.
const http2Page = `<!doctype html><title>HTTP/2</title><script>
const events = [];
function open(path, protocols, act) {
	return new Promise((resolve) => {
		const socket = new WebSocket("wss://" + location.host + path, protocols);
		socket.onopen = () => { events.push(path + " open " + socket.protocol + " " + socket.extensions.split(";")[0]); act(socket); };
		socket.onmessage = (e) => { events.push(path + " message " + e.data.length); if (path !== "/kicked") socket.close(4001, "bye"); };
		socket.onclose = (e) => { events.push(path + " close " + e.code + " " + e.reason + " " + e.wasClean); resolve(); };
	});
}
async function run() {
	await Promise.all([1, 2, 3].map((i) => open("/echo?" + i, ["b", "a"], (s) => s.send("x".repeat(100000 * i)))));
	await open("/kicked", [], (s) => s.send("hello"));
	await open("/refused", [], () => {});
	return true;
}
let done = false;
run().then(() => { done = true; });
</script>`

// http2Server counts its TCP connections.
type http2Server struct {
	*httptest.Server
	mu       sync.Mutex
	pages    []string // addresses of the clients that loaded the page
	sockets  []string // those of WebSockets, with the version of HTTP
	accepted int      // TCP connections since a page was loaded last
}

func startHTTP2Server(t *testing.T) *http2Server {
	t.Helper()
	s := &http2Server{}
	connected := func(conn *server.Conn) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sockets = append(s.sockets, fmt.Sprint(conn.RemoteAddr(), " HTTP/", conn.Request().ProtoMajor))
	}
	endpoint := func(serve func(context.Context, *server.Conn) error, o *server.Options) http.Handler {
		e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
			connected(conn)
			return serve(ctx, conn)
		}, o)
		t.Cleanup(func() {
			if err := e.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		})
		return e
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.pages, s.accepted = append(s.pages, r.RemoteAddr), 0
		s.mu.Unlock()
		fmt.Fprint(w, http2Page)
	})
	mux.Handle("/echo", endpoint(func(ctx context.Context, conn *server.Conn) error {
		m, err := conn.Receive(ctx)
		if err == nil {
			err = conn.Send(ctx, m)
		}
		if err == nil {
			_, err = conn.Receive(ctx)
		}
		return err
	}, &server.Options{Subprotocols: []string{"a"}, Compression: &ws.Compression{}}))
	mux.Handle("/kicked", endpoint(func(ctx context.Context, conn *server.Conn) error {
		m, err := conn.Receive(ctx)
		if err == nil {
			err = conn.Send(ctx, m)
		}
		if err == nil {
			err = fmt.Errorf("kicked: %w", errors.CloseReason(4003))
		}
		return err
	}, nil))
	mux.Handle("/refused", server.Handler(nil, &server.Options{Authorize: func(*http.Request) (any, error) {
		return nil, &errors.ConnectionError{StatusCode: 401}
	}}))
	s.Server = httptest.NewUnstartedServer(mux)
	s.EnableHTTP2 = true
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			s.accepted++
			s.mu.Unlock()
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// TestHTTP2 opens WebSockets from a page that was loaded over HTTP/2. They use its connection.
func TestHTTP2(t *testing.T) {
	s := startHTTP2Server(t)
	o := &browser.Options{
		Trust:   string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})),
		TrustAt: s.Listener.Addr().String(),
	}
	places := []venue{{browser.Chromium, browser.InPage}, {browser.Firefox, browser.InPage}}
	eachVenue(t, places, o, func(t *testing.T, b *browser.Browser, v venue) {
		s.mu.Lock()
		s.pages, s.sockets = nil, nil
		s.mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		page := b.NewPage(t)
		if err := page.Navigate(ctx, s.URL+"/"); err != nil {
			t.Fatal(err)
		}
		for done := false; !done; {
			if err := page.Evaluate(ctx, "done", &done); err != nil {
				t.Fatal(err)
			}
		}
		var events []string
		if err := page.Evaluate(ctx, "events", &events); err != nil {
			t.Fatal(err)
		}
		var want []string
		for i := range 3 {
			path := fmt.Sprintf("/echo?%d", i+1)
			want = append(want, path+" open a permessage-deflate", path+fmt.Sprintf(" message %d", (i+1)*100_000), path+" close 4001  true")
		}
		want = append(want, "/kicked open  ", "/kicked message 5", "/kicked close 4003 kicked true", "/refused close 1006  false")
		for _, event := range events {
			if !slices.Contains(want, event) {
				t.Errorf("unexpected: %s", event)
			}
		}
		if len(events) != len(want) {
			t.Errorf("the events are\n%s\nwant\n%s", strings.Join(events, "\n"), strings.Join(want, "\n"))
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.pages) != 1 || len(s.sockets) != 4 {
			t.Fatalf("the page was loaded by %q, and WebSockets came from %q", s.pages, s.sockets)
		}
		for _, socket := range s.sockets {
			if socket != s.pages[0]+" HTTP/2" {
				t.Errorf("a WebSocket came from %s, the page from %s", socket, s.pages[0])
			}
		}
		if s.accepted != 0 {
			t.Errorf("%d TCP connections were opened after the page was loaded", s.accepted)
		}
	})
}
