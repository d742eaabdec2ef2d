package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

const (
	fragmentSize = 4096
	// patience bounds a visit on a machine that may be busy.
	patience = 20 * time.Second
)

// row has the result of each column: nil is good.
type row map[string]error

func (r row) add(column string, err error) {
	if old, ok := r[column]; !ok || old == nil {
		r[column] = err
	}
}

// asClient visits a server at url with this library's client.
func asClient(ctx context.Context, url string) row {
	r := row{}
	for i, v := range visits() {
		r.add(v.column, func() error {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			conn, err := isosocket.Dial(ctx, fmt.Sprintf("%s/?i=%d", url, i), &isosocket.DialOptions{
				Subprotocols: []string{subprotocol}, Compression: v.compression, FragmentSize: fragmentSize, MaxMessageSize: 4 << 20,
			})
			if err != nil {
				return err
			}
			defer conn.CloseNow(errors.NormalClosure, "")
			return v.run(ctx, conn)
		}())
	}
	return r
}

// handler is this library's server for clients: the query's i is the number of the visit. done is called
// with each result.
func handler(done func(i int, err error)) http.Handler {
	var all []http.Handler
	for i, v := range visits() {
		all = append(all, server.Handler(func(ctx context.Context, conn *server.Conn) error {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			done(i, v.run(ctx, conn.Conn))
			return nil
		}, &server.Options{Subprotocols: []string{subprotocol}, Compression: v.compression, FragmentSize: fragmentSize, MaxMessageSize: 4 << 20, OriginPatterns: []string{"*"}}))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i, err := strconv.Atoi(r.URL.Query().Get("i"))
		if err != nil || i < 0 || i >= len(all) {
			http.NotFound(w, r)
			return
		}
		all[i].ServeHTTP(w, r)
	})
}

// asServer lets a client visit this library's server.
func asServer(ctx context.Context, visit func(ctx context.Context, url string, count int) error) row {
	var mu sync.Mutex
	results := map[int]error{}
	s := httptest.NewServer(handler(func(i int, err error) {
		mu.Lock()
		defer mu.Unlock()
		results[i] = err
	}))
	defer s.CloseClientConnections()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	failed := visit(ctx, "ws"+s.URL[len("http"):], len(visits()))
	// The client has seen the end of its last visit, and the server may still be about to.
	for end := time.Now().Add(patience); failed == nil && time.Now().Before(end); time.Sleep(time.Millisecond) {
		mu.Lock()
		n := len(results)
		mu.Unlock()
		if n == len(visits()) {
			break
		}
	}
	mu.Lock()
	defer mu.Unlock()
	r := row{}
	for i, v := range visits() {
		err, ok := results[i]
		if !ok {
			err = fmt.Errorf("no connection came; the client says: %v", failed)
		}
		r.add(v.column, err)
	}
	return r
}

// echoServer is this library's own echo, behind a proxy.
func echoServer() http.Handler {
	all := map[string]http.Handler{}
	for i, v := range visits() {
		all[strconv.Itoa(i)] = server.Handler(func(ctx context.Context, conn *server.Conn) error {
			return obey(ctx, conn.Conn)
		}, &server.Options{Subprotocols: []string{subprotocol}, Compression: v.compression, MaxMessageSize: 4 << 20})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { all[r.URL.Query().Get("i")].ServeHTTP(w, r) })
}

// obey is a peer's part.
func obey(ctx context.Context, conn *ws.Conn) error {
	for m, err := range conn.Messages(ctx) {
		if err != nil {
			return err
		}
		if code, reason, ok := command(m.Kind == ws.KindText, m.Data); ok {
			return conn.Close(errors.CloseReason(code), reason)
		}
		if err := conn.Send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// command parses "close CODE REASON".
func command(text bool, data []byte) (code int, reason string, ok bool) {
	if !text || len(data) > 100 {
		return 0, "", false
	}
	n, err := fmt.Sscanf(string(data), "close %d %s", &code, &reason)
	return code, reason, n == 2 && err == nil
}

func listen() (net.Listener, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	return l, "ws://" + l.Addr().String(), nil
}
