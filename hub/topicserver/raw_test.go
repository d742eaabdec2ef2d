//go:build !js

package topicserver_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/hub/topicserver"
	"github.com/isosocket/isosocket/ws"
)

// raw is a client that sends and receives messages of the subprotocol as text.
type raw struct {
	*testing.T
	conn *ws.Conn
}

// all accepts everything. The user is the query of the URL.
var all = topicserver.Access{
	Connect: func(r *http.Request) (topicserver.Who, error) {
		return topicserver.Who{User: r.URL.RawQuery, Info: []byte("info of " + r.URL.RawQuery)}, nil
	},
	Subscribe: func(ctx context.Context, m *topicserver.Member, topic string) (topicserver.Grant, error) {
		return topicserver.Grant{History: true, Present: true, Watch: true}, nil
	},
	Publish: func(ctx context.Context, m *topicserver.Member, topic string, msg ws.Message) (ws.Message, error) {
		return msg, nil
	},
}

func newHub(t *testing.T, o *hub.Options) *hub.Hub {
	t.Helper()
	h, err := hub.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close(context.Background()) })
	return h
}

// serve returns an endpoint, and its URL.
func serve(t *testing.T, h *hub.Hub, a topicserver.Access, o *topicserver.Options) (*topicserver.Endpoint, string) {
	t.Helper()
	e, err := topicserver.New(h, a, o)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(e)
	t.Cleanup(func() {
		e.Shutdown(context.Background())
		s.Close()
	})
	return e, s.URL
}

func dial(t *testing.T, url string) *raw {
	t.Helper()
	conn, err := isosocket.Dial(t.Context(), url, &isosocket.DialOptions{Subprotocols: []string{"topics.isosocket.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow(errors.NormalClosure, "") })
	return &raw{t, conn}
}

func (r *raw) send(texts ...string) {
	r.Helper()
	for _, text := range texts {
		if err := r.conn.Send(r.Context(), ws.Text(text)); err != nil {
			r.Fatal(err)
		}
	}
}

var position = regexp.MustCompile(`\b[0-9a-z]{5,}-[0-9a-z]+\b`)

// receive returns the next message, with P for each position.
func (r *raw) receive() string {
	r.Helper()
	return position.ReplaceAllString(r.receiveExactly(), "P")
}

func (r *raw) receiveExactly() string {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	m, err := r.conn.Receive(ctx)
	if err != nil {
		r.Fatal(err)
	}
	return m.String()
}

// expect fails the test unless these are the next messages.
func (r *raw) expect(want ...string) {
	r.Helper()
	for _, w := range want {
		if got := r.receive(); got != w {
			r.Fatalf("received %q, want %q", got, w)
		}
	}
}

// ask sends a request and returns the answer.
func (r *raw) ask(request string) string {
	r.Helper()
	r.send(request)
	return r.receive()
}

// answered returns the position in an answer to a request.
func (r *raw) answered(request string) string {
	r.Helper()
	r.send(request)
	fields := strings.Fields(r.receiveExactly())
	if len(fields) != 3 || fields[0] != "ok" {
		r.Fatalf("the answer is %q", fields)
	}
	return fields[2]
}

// ends fails the test unless the connection ends like this.
func (r *raw) ends(reason errors.CloseReason, message string) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	for {
		_, err := r.conn.Receive(ctx)
		if err == nil {
			continue
		}
		closed, ok := errors.AsType[*errors.ConnectionClosed](err)
		if !ok || closed.Reason != reason || !strings.Contains(closed.Message, message) || !closed.Remote {
			r.Fatalf("it ended with %v, want %v %q", err, reason, message)
		}
		return
	}
}
