package peer

import (
	"context"
	"net"
	"net/http"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/server"
	_ "github.com/isosocket/isosocket/server/http2" // for the networks with HTTP/2
	"github.com/isosocket/isosocket/ws"

	"github.com/isosocket/isosocket/bench/internal/process"
	"github.com/isosocket/isosocket/bench/internal/wire"
)

// Isosocket is this library in typical use: a Handler, a context that can be cancelled in every
// call, and a reused buffer.
var Isosocket = Peer{
	Name:   "isosocket",
	Module: "github.com/isosocket/isosocket",
	Serve: func(l net.Listener, t *process.Task, serve func(Conn)) error {
		if t.ByMessage { // an echo is all that it is measured with
			return http.Serve(l, server.Messages(func(ctx context.Context, conn *server.Conn, m ws.Message) error {
				return conn.Send(ctx, m)
			}, &server.Options{Detach: true, ReuseMessages: t.Reuse, MaxMessageSize: max(t.Size, 1<<20)}))
		}
		return http.Serve(l, server.Handler(func(ctx context.Context, conn *server.Conn) error {
			serve(newIsosocketConn(ctx, conn.Conn, t))
			return nil
		}, &server.Options{
			Detach:         !t.Attached, // row g measures it; the safe default keeps the memory of net/http
			MaxMessageSize: max(t.Size, 1<<20),
			MaxStreamSize:  -1,
			Compression:    isosocketCompression(t.Compression),
		}))
	},
	Broadcast: func(t *process.Task, conns []Conn, data []byte) error {
		m := ws.Message{Kind: ws.KindBinary, Data: data}
		if t.Text {
			m.Kind = ws.KindText
		}
		prepared := ws.Prepare(m)
		for _, c := range conns {
			c := c.(*isosocketConn)
			if err := c.conn.SendPrepared(c.ctx, prepared); err != nil {
				return err
			}
		}
		return nil
	},
	Topics: isosocketTopics,
	Dial: func(t *process.Task) (Conn, error) {
		// The connections last until the process ends; nothing else cancels them.
		ctx, cancel := context.WithCancel(context.Background())
		conn, err := isosocket.Dial(ctx, "ws://"+t.Address, nil)
		if err != nil {
			cancel()
			return nil, err
		}
		c := newIsosocketConn(ctx, conn, t)
		c.cancel = cancel
		return c, nil
	},
	Lacks: func(*process.Task) string { return "" },
}

func isosocketCompression(c wire.Compression) *ws.Compression {
	if c == wire.None {
		return nil
	}
	return &ws.Compression{ContextTakeover: c == wire.Takeover}
}

type isosocketConn struct {
	conn   *ws.Conn
	ctx    context.Context
	cancel context.CancelFunc
	task   *process.Task
	kind   ws.Kind
	buf    []byte
}

func newIsosocketConn(ctx context.Context, conn *ws.Conn, t *process.Task) *isosocketConn {
	c := &isosocketConn{conn: conn, ctx: ctx, task: t, kind: ws.KindBinary}
	if t.Text {
		c.kind = ws.KindText
	}
	return c
}

func (c *isosocketConn) Send(data []byte) error {
	return c.conn.Send(c.ctx, ws.Message{Kind: c.kind, Data: data})
}

func (c *isosocketConn) Receive() ([]byte, error) {
	ctx := c.ctx
	if c.task.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.task.Limit)
		defer cancel()
	}
	if c.task.Fresh {
		m, err := c.conn.Receive(ctx)
		return m.Data, err
	}
	if c.buf == nil {
		c.buf = make([]byte, 0, c.task.Size)
	}
	m, err := c.conn.ReceiveInto(ctx, c.buf)
	if err != nil {
		return nil, err
	}
	c.buf = m.Data
	return m.Data, nil
}

func (c *isosocketConn) SendStream(size int64, piece []byte) error {
	w, err := c.conn.NextWriter(c.ctx, c.kind)
	if err != nil {
		return err
	}
	return copyPieces(w, size, piece)
}

func (c *isosocketConn) ReceiveStream(buf []byte) (int64, error) {
	_, r, err := c.conn.NextReader(c.ctx)
	if err != nil {
		return 0, err
	}
	return drain(r, buf)
}
