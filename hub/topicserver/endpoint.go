//go:build !js

package topicserver

import (
	"context"
	"log/slog"
	"net/http"
	"sync"

	"golang.org/x/time/rate"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/internal/topicwire"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// Endpoint is an http.Handler that serves the topics of a Hub. [New] makes one. All
// methods may be called by many goroutines at the same time. Those of the server.Endpoint,
// such as Shutdown, Drain and Stats, end and count its connections; the Hub stays open.
type Endpoint struct {
	*server.Endpoint
	hub      *hub.Hub
	access   Access
	options  Options
	logger   *slog.Logger
	format   *hub.Format
	node     string // distinguishes this Endpoint from others
	refusals *rate.Limiter

	mu      sync.Mutex
	members int
	users   map[string]map[*Member]struct{}
	control context.CancelFunc // ends the membership in controlTopic; nil without members
}

// New returns an Endpoint for the topics of h. The error names an invalid option.
func New(h *hub.Hub, a Access, o *Options) (*Endpoint, error) {
	if h == nil {
		return nil, &optionError{"the Hub is nil"}
	}
	d, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	e := &Endpoint{
		hub: h, access: a, options: d, logger: d.Server.Logger, node: newNode(),
		refusals: rate.NewLimiter(refusalRate, refusalRate),
		users:    make(map[string]map[*Member]struct{}),
		format: &hub.Format{
			Entry: func(topic string, e *hub.Entry) ws.Message {
				return topicwire.Make(e.Message, "msg", topic, e.Position.String(), e.Key)
			},
			Gap: func(topic string, g *hub.Gap) ws.Message { return gapMessage(topic, g.After, g.Until) },
		},
	}
	d.Server.Authorize = e.connect
	d.Server.Observer = e.observer(d.Server.Observer)
	e.Endpoint = server.Messages(e.handle, d.Server)
	return e, nil
}

func gapMessage(topic string, after, until hub.Position) ws.Message {
	return topicwire.Make(ws.Message{}, "gap", topic, after.String(), until.String())
}

// observer returns o with a ConnectionStart that registers the connection.
func (e *Endpoint) observer(o *server.Observer) *server.Observer {
	var d server.Observer
	if o != nil {
		d = *o
	}
	next := d.ConnectionStart
	d.ConnectionStart = func(ctx context.Context, r *http.Request, conn *server.Conn) context.Context {
		m := conn.Principal().(*Member)
		m.Conn = conn
		e.register(m)
		if conn.Subprotocol() != topicwire.Subprotocol {
			conn.CloseNow(errors.PolicyViolation, "the client must offer the subprotocol "+topicwire.Subprotocol)
		}
		if next != nil {
			return next(ctx, r, conn)
		}
		return nil
	}
	return &d
}

// register begins to serve m.
func (e *Endpoint) register(m *Member) {
	m.begin(e)
	e.mu.Lock()
	if e.members++; e.members == 1 {
		ctx, cancel := context.WithCancel(context.Background())
		e.control = cancel
		go e.obey(ctx)
	}
	if user := m.Who.User; user != "" {
		if e.users[user] == nil {
			e.users[user] = make(map[*Member]struct{})
		}
		e.users[user][m] = struct{}{}
	}
	e.mu.Unlock()
	m.AfterEnd(func() {
		m.end()
		e.unregister(m)
	})
}

func (e *Endpoint) unregister(m *Member) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.members--; e.members == 0 {
		e.control()
		e.control = nil
	}
	if user := m.Who.User; user != "" {
		delete(e.users[user], m)
		if len(e.users[user]) == 0 {
			delete(e.users, user)
		}
	}
}

// of returns the connections of a user here.
func (e *Endpoint) of(user string) []*Member {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]*Member, 0, len(e.users[user]))
	for m := range e.users[user] {
		all = append(all, m)
	}
	return all
}

// log logs what a client is not told.
func (e *Endpoint) log(m *Member, what string, topic string, err error) {
	if e.logger != nil {
		e.logger.Warn("topics: "+what, "error", err, "topic", topic, "user", m.Who.User, "remote", m.RemoteAddr())
	}
}
