//go:build !js

package topics

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/hub/topicserver"
	"github.com/isosocket/isosocket/internal/testing/faultproxy"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// Commands is the topic to which commands are published, one a message:
//
//	flood TOPIC N  publishes the texts 0 to N-1
//	down MS        resets connections, and refuses new ones for a time
//	kick           disconnects the user with 4403
//	end TOPIC      ends the subscriptions of the user to a topic
const Commands = "$commands"

// Server is a server of topics behind a proxy.
type Server struct {
	hub      *hub.Hub
	endpoint *topicserver.Endpoint
	http     *http.Server
	proxy    *faultproxy.Proxy
	direct   string
}

// Start starts a server. A topic whose name begins with "short" keeps 5 messages, any other
// 100,000. The topic "secret" is refused, and "later" at first.
func Start() (*Server, error) {
	h, err := hub.New(&hub.Options{
		Rules: func(topic string) hub.Rules {
			if strings.HasPrefix(topic, "short") {
				return hub.Rules{History: 5}
			}
			return hub.Rules{History: 100_000}
		},
		Limits: hub.Limits{Recovery: 100_000},
		Grace:  time.Second,
	})
	if err != nil {
		return nil, err
	}
	s := &Server{hub: h}
	began := time.Now()
	s.endpoint, err = topicserver.New(h, topicserver.Access{
		Connect: func(r *http.Request) (topicserver.Who, error) {
			q := r.URL.Query()
			who := topicserver.Who{User: q.Get("user"), Info: []byte("info of " + q.Get("user"))}
			if ms, err := strconv.Atoi(q.Get("expires")); err == nil {
				who.Expires = time.Now().Add(time.Duration(ms) * time.Millisecond)
			}
			return who, nil
		},
		Subscribe: func(_ context.Context, _ *topicserver.Member, topic string) (topicserver.Grant, error) {
			switch {
			case topic == "secret":
				return topicserver.Grant{}, &topicserver.Refusal{Text: "it is secret"}
			case topic == "later" && time.Since(began) < 500*time.Millisecond:
				return topicserver.Grant{}, &topicserver.Refusal{Text: "not yet", Later: true}
			}
			return topicserver.Grant{History: true, Present: true, Watch: topic != "private"}, nil
		},
		Publish: func(ctx context.Context, m *topicserver.Member, topic string, msg ws.Message) (ws.Message, error) {
			switch topic {
			case Commands:
				return msg, s.obey(ctx, m.Who.User, strings.Fields(msg.String()))
			case "secret":
				return msg, &topicserver.Refusal{Text: "it is secret"}
			}
			return msg, nil
		},
	}, &topicserver.Options{PublishRate: -1, SubscribeRate: -1, Server: &server.Options{OriginPatterns: []string{"*"}}})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.direct = "ws://" + l.Addr().String() + "/"
	if s.proxy, err = faultproxy.Start(l.Addr().String()); err != nil {
		l.Close()
		return nil, err
	}
	s.http = &http.Server{Handler: s.endpoint}
	go s.http.Serve(l)
	return s, nil
}

// URL returns the URL of the server behind the proxy, and Direct the one without it.
func (s *Server) URL() string { return "ws://" + s.proxy.Address() + "/" }

// Direct returns the URL without the proxy.
func (s *Server) Direct() string { return s.direct }

// Close stops the server.
func (s *Server) Close() {
	s.proxy.Close()
	s.endpoint.Shutdown(context.Background())
	s.http.Close()
	s.hub.Close(context.Background())
}

// obey carries out a command.
func (s *Server) obey(ctx context.Context, user string, words []string) error {
	number := func() int {
		n, _ := strconv.Atoi(words[len(words)-1])
		return n
	}
	switch words[0] {
	case "flood":
		for i := range number() {
			if _, err := s.hub.Publish(ctx, words[1], ws.Text(strconv.Itoa(i)), nil); err != nil {
				return err
			}
		}
		return nil
	case "down":
		if err := s.proxy.Set(faultproxy.Refuse, 0); err != nil {
			return err
		}
		time.AfterFunc(time.Duration(number())*time.Millisecond, func() { s.proxy.Set(faultproxy.Pass, 0) })
		return nil
	case "kick":
		return s.endpoint.Disconnect(ctx, words[1], 4403, "kicked")
	case "end":
		return s.endpoint.Unsubscribe(ctx, words[1], words[2])
	}
	return &topicserver.Refusal{Text: "unknown command from " + user}
}
