//go:build !js

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/internal/chat"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

const serveExplanation = `Endpoints: / the page, /ws the chat, /echo sends every message back, /healthz.
Ctrl-C closes every connection with 1001 (going away); the exit status is 0 then,
and 1 if nothing could be served. Connections keep the goroutine and the buffers
of net/http (server.Options.Detach is off): some 19 KiB each while idle.
`

// shutdownTimeout bounds how long the server waits for its peers when it stops.
// It is longer than the close timeout of a connection.
const shutdownTimeout = 8 * time.Second

// serve runs the demo server until ctx ends.
func serve(ctx context.Context, args []string, t terminal) int {
	f := newFlags("serve", "[flags]", serveExplanation)
	var (
		addr       = f.String("addr", "127.0.0.1:8080", "listen at `HOST:PORT`; port 0 takes a free one")
		compress   = f.Bool("compress", false, "accept permessage-deflate")
		maxMessage = size(64 << 20)
		origins    list
	)
	f.Var(&maxMessage, "max-message", "the largest message that /echo takes, a `SIZE` such as 65536 or 1MiB")
	f.Var(&origins, "origin", "let pages of the hosts that match `PATTERN` connect, beside those of this server, such as *.example.com or localhost:*; may be repeated, or be a list with commas; * for all")
	rest, status, ok := t.parse(f, args)
	if !ok {
		return status
	}
	if len(rest) > 0 {
		return t.fail("serve", "unexpected argument "+quote(rest[0])+"; isosocket help serve lists the flags")
	}
	if err := checkAddr(*addr); err != nil {
		return t.fail("serve", err.Error())
	}
	for _, pattern := range origins {
		if _, err := path.Match(pattern, ""); err != nil {
			return t.fail("serve", "the origin pattern "+quote(pattern)+" is none, for its brackets or backslashes; example.com, *.example.com and localhost:* are")
		}
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return t.fail("serve", "cannot listen: "+err.Error()+"; -addr, or ADDR with make run, chooses another address")
	}

	logger := slog.New(slog.NewTextHandler(t.err, nil))
	d := newDemo(demoOptions{maxMessage: int(maxMessage), origins: origins, compress: *compress, logger: logger})
	server := &http.Server{
		Handler:           d,
		ConnContext:       withNetConn,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelError),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	host := reachable(listener.Addr())
	fmt.Fprintf(t.out, "isosocket is serving\n  page  http://%s/\n  chat  ws://%s/ws\n  echo  ws://%s/echo\nCtrl-C stops it\n", host, host, host)
	if !d.page.built() {
		fmt.Fprintln(t.err, "isosocket serve: built without the wasm client, so the page has no chat; make build builds it in")
	}

	select {
	case err := <-served:
		return t.fail("serve", "cannot serve: "+err.Error())
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := d.shutdown(ctx, server); err != nil {
		fmt.Fprintln(t.err, "isosocket serve: "+err.Error())
	}
	return exitDone
}

// checkAddr describes the problem with an address more clearly than net.Listen.
func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("the address %q is not HOST:PORT, such as 127.0.0.1:8080", addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("the port %q of the address is not a number from 0 to 65535", port)
	}
	return nil
}

// reachable returns the form of addr that a browser on this machine can use.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	return addr.String()
}

// netConnKey is the key of the network connection in a request's context.
type netConnKey struct{}

func withNetConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, netConnKey{}, conn)
}

// cut breaks the connection of a request like a network failure: without a close frame, and with
// a TCP reset.
func cut(ctx context.Context) {
	conn, ok := ctx.Value(netConnKey{}).(net.Conn)
	if !ok {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

type demoOptions struct {
	maxMessage int
	origins    []string
	compress   bool
	logger     *slog.Logger
}

// demo is the demo server's http.Handler.
type demo struct {
	*http.ServeMux
	page       *page
	chat, echo *server.Endpoint
	stopping   atomic.Bool
}

func newDemo(o demoOptions) *demo {
	var compression *ws.Compression
	if o.compress {
		compression = &ws.Compression{ContextTakeover: true}
	}
	talk := newRoom()
	d := &demo{ServeMux: http.NewServeMux(), page: newPage(built)}
	d.chat = server.Handler(func(ctx context.Context, conn *server.Conn) error {
		return talk.serve(ctx, conn.Conn, visitor{name: conn.URL().Query().Get("name"), cut: func() { cut(ctx) }})
	}, &server.Options{
		Subprotocols:   []string{chat.Subprotocol},
		OriginPatterns: o.origins,
		MaxMessageSize: chat.MaxMessageSize,
		Compression:    compression,
		Logger:         o.logger,
	})
	d.echo = server.Handler(echo, &server.Options{
		OriginPatterns: o.origins,
		MaxMessageSize: o.maxMessage,
		Compression:    compression,
		Logger:         o.logger,
	})
	d.Handle("/", d.page)
	d.Handle("/ws", d.chat)
	d.Handle("/echo", d.echo)
	d.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if d.stopping.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "stopping\n")
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	return d
}

// shutdown closes all WebSocket connections with 1001 and stops s at the same
// time. It waits at most until ctx ends.
func (d *demo) shutdown(ctx context.Context, s *http.Server) error {
	d.stopping.Store(true)
	results := make(chan error)
	stops := []func(context.Context) error{s.Shutdown, d.chat.Shutdown, d.echo.Shutdown}
	for _, stop := range stops {
		go func() { results <- stop(ctx) }()
	}
	var first error
	for range stops {
		if err := <-results; err != nil && first == nil {
			first = err
		}
	}
	return first
}
