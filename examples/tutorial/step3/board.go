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

// maxStrokes bounds the board, so that it fits into one message.
const maxStrokes = 5000

// board keeps the strokes and sends each new one to all connections.
type board struct {
	mu      sync.Mutex
	conns   map[*server.Conn]bool
	strokes []Stroke
}

func (b *board) serve(ctx context.Context, conn *server.Conn) error {
	b.join(conn)
	defer b.leave(conn)
	for s, err := range wsjson.Messages[Stroke](ctx, conn) {
		if err != nil {
			return err
		}
		b.draw(s)
	}
	return nil
}

// join sends the board so far. The lock makes new strokes wait for that.
func (b *board) join(conn *server.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conns[conn] = true
	send(conn, encode(Update{Reset: true, Strokes: b.strokes}))
}

func (b *board) leave(conn *server.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, conn)
}

func (b *board) draw(s Stroke) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.strokes = append(b.strokes, s)
	if len(b.strokes) > maxStrokes {
		b.strokes = b.strokes[1:]
	}
	u := encode(Update{Strokes: []Stroke{s}})
	for conn := range b.conns {
		send(conn, u)
	}
}

// encode encodes an update once for all connections.
func encode(u Update) *ws.Prepared {
	data, err := json.Marshal(u)
	if err != nil {
		panic(err) // an Update can always be encoded
	}
	return ws.Prepare(ws.Message{Kind: ws.KindText, Data: data})
}

// send never waits. A connection that is too slow is closed; its client connects
// again and gets the whole board.
func send(conn *server.Conn, u *ws.Prepared) {
	if err := conn.TrySendPrepared(u); errors.Is(err, errors.ErrWouldBlock) {
		go conn.Close(errors.TryAgainLater, "too slow")
	}
}
