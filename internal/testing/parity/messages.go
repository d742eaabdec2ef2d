//go:build !js

package parity

import (
	"context"
	"fmt"
	"net/http"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/wstest/peer"
)

// StartMessagesServer is like StartServer, but accepts each connection by an endpoint of its own
// that server.Messages made, so that connections without messages are parked.
func StartMessagesServer() (*peer.Server, error) {
	return peer.Start(&peer.Config{Accept: acceptMessages})
}

// handledConn makes the messages that a handler gets available to Receive.
type handledConn struct {
	conn    *server.Conn
	handled chan ws.Message
	ended   chan struct{} // closed when the handler will get no more
}

func acceptMessages(w http.ResponseWriter, r *http.Request, a peer.Acceptance) (peer.Conn, error) {
	c := &handledConn{handled: make(chan ws.Message), ended: make(chan struct{})}
	o := options(a)
	o.Detach = true
	status := 0
	o.Observer = &server.Observer{
		HandshakeEnd: func(_ *http.Request, result server.HandshakeResult) { status = result.Status },
		ConnectionStart: func(_ context.Context, _ *http.Request, conn *server.Conn) context.Context {
			c.conn = conn
			return nil
		},
		ConnectionEnd: func(context.Context, *server.Conn, server.ConnectionResult) { close(c.ended) },
	}
	server.Messages(func(ctx context.Context, _ *server.Conn, m ws.Message) error {
		select {
		case c.handled <- m:
		case <-ctx.Done():
		}
		return nil
	}, o).ServeHTTP(w, r)
	if c.conn == nil {
		return nil, fmt.Errorf("the handshake was answered with %d", status)
	}
	return c, nil
}

func (c *handledConn) Send(ctx context.Context, m ws.Message) error { return c.conn.Send(ctx, m) }

func (c *handledConn) Receive(ctx context.Context) (ws.Message, error) {
	select {
	case m := <-c.handled:
		return m, nil
	case <-c.ended:
		return ws.Message{}, c.conn.Err()
	case <-ctx.Done():
		return ws.Message{}, ctx.Err()
	}
}

func (c *handledConn) Close(reason errors.CloseReason, message string) error {
	return c.conn.Close(reason, message)
}
