//go:build !js

package main

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/wsjson"
)

// board sends each stroke of one connection to all others.
type board struct {
	mu    sync.Mutex
	conns map[*server.Conn]bool
}

func (b *board) serve(ctx context.Context, conn *server.Conn) error {
	b.join(conn)
	defer b.leave(conn)
	for s, err := range wsjson.Messages[Stroke](ctx, conn) {
		if err != nil {
			return err
		}
		b.draw(conn, s)
	}
	return nil
}

func (b *board) join(conn *server.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conns[conn] = true
}

func (b *board) leave(conn *server.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, conn)
}

// draw encodes a stroke once, and never waits for a connection that is slow.
func (b *board) draw(from *server.Conn, s Stroke) {
	data, err := json.Marshal(s)
	if err != nil {
		return // a Stroke can always be encoded
	}
	m := ws.Prepare(ws.Message{Kind: ws.KindText, Data: data})
	b.mu.Lock()
	defer b.mu.Unlock()
	for conn := range b.conns {
		if conn == from {
			continue
		}
		if err := conn.TrySendPrepared(m); errors.Is(err, errors.ErrWouldBlock) {
			go conn.Close(errors.TryAgainLater, "too slow")
		}
	}
}
