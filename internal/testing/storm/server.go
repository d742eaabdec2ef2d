//go:build !js

package storm

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/testing/faultproxy"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// Server is a running server of the package. Its methods may be called from many goroutines.
type Server struct {
	http      http.Server
	address   string
	endpoints []*server.Endpoint
	proxy     *faultproxy.Proxy
	serving   sync.WaitGroup

	mu      sync.Mutex
	clients map[string]*client
}

// client holds the connections of one client.
type client struct {
	connections [][]string // the messages of each
	expired     bool
}

// Start returns a server on loopback ports. The caller must close it.
func Start() (*Server, error) {
	s := &Server{clients: make(map[string]*client)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("storm: %w", err)
	}
	s.address = listener.Addr().String()
	if s.proxy, err = faultproxy.Start(s.address); err != nil {
		listener.Close()
		return nil, fmt.Errorf("storm: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/echo", s.endpoint(s.echo, nil))
	mux.Handle("/control", s.endpoint(s.control, nil))
	mux.Handle("/mirror", s.endpoint(mirror, nil))
	mux.Handle("/leave", s.endpoint(leave, nil))
	mux.Handle("/expire", s.endpoint(leave, s.authorize))
	s.http.Handler = mux
	s.serving.Go(func() { s.http.Serve(listener) })
	return s, nil
}

// URL returns the ws URL of the endpoints behind the proxy, without a path.
func (s *Server) URL() string { return "ws://" + s.proxy.Address() }

// Direct returns the ws URL of the endpoints without the proxy, without a path.
func (s *Server) Direct() string { return "ws://" + s.address }

// Close closes all connections and returns when the server's goroutines have ended.
func (s *Server) Close() {
	s.proxy.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, e := range s.endpoints {
		e.Shutdown(ctx)
	}
	s.http.Close()
	s.serving.Wait()
}

func (s *Server) endpoint(serve func(context.Context, *server.Conn) error, authorize func(*http.Request) (any, error)) *server.Endpoint {
	e := server.Handler(serve, &server.Options{
		OriginPatterns: []string{"*"},
		Authorize:      authorize,
		MaxMessageSize: 16 << 20,
		CloseTimeout:   time.Second,
	})
	s.endpoints = append(s.endpoints, e)
	return e
}

// client returns the client id. The caller holds s.mu.
func (s *Server) client(id string) *client {
	c := s.clients[id]
	if c == nil {
		c = &client{}
		s.clients[id] = c
	}
	return c
}

func (s *Server) echo(ctx context.Context, conn *server.Conn) error {
	s.mu.Lock()
	c := s.client(conn.URL().Query().Get("client"))
	index := len(c.connections)
	c.connections = append(c.connections, []string{})
	s.mu.Unlock()
	for m, err := range conn.Messages(ctx) {
		if err != nil {
			return err
		}
		s.mu.Lock()
		c.connections[index] = append(c.connections[index], m.String())
		s.mu.Unlock()
		if err := conn.Send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// mirror echoes, and records nothing.
func mirror(ctx context.Context, conn *server.Conn) error {
	for m, err := range conn.Messages(ctx) {
		if err == nil && m.String() == "leave" {
			err = errors.GoingAway
		}
		if err == nil {
			err = conn.Send(ctx, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leave closes a connection after its first message.
func leave(ctx context.Context, conn *server.Conn) error {
	if _, err := conn.Receive(ctx); err != nil {
		return err
	}
	return errors.GoingAway
}

// authorize accepts each client once; after that, its token has expired.
func (s *Server) authorize(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.client(r.URL.Query().Get("client"))
	if c.expired {
		return nil, &errors.ConnectionError{StatusCode: http.StatusUnauthorized, Body: []byte("The token has expired.")}
	}
	c.expired = true
	return nil, nil
}

func (s *Server) control(ctx context.Context, conn *server.Conn) error {
	for m, err := range conn.Messages(ctx) {
		if err != nil {
			return err
		}
		answer, err := s.command(strings.Fields(m.String()))
		if err != nil {
			answer = err.Error()
		}
		if err := conn.Send(ctx, ws.Text(answer)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) command(words []string) (string, error) {
	switch {
	case len(words) == 3 && words[0] == "fault":
		fault, err := faultproxy.ParseFault(words[1])
		if err != nil {
			return "", err
		}
		latency, err := time.ParseDuration(words[2])
		if err != nil {
			return "", fmt.Errorf("storm: %w", err)
		}
		return "ok", s.proxy.Set(fault, latency)
	case len(words) == 2 && words[0] == "arrived":
		s.mu.Lock()
		defer s.mu.Unlock()
		all, err := json.Marshal(s.client(words[1]).connections)
		return string(all), err
	}
	return "", fmt.Errorf("storm: %q is not a command; the commands are \"fault NAME LATENCY\" and \"arrived ID\"", words)
}
