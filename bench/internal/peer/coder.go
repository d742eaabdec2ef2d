package peer

import (
	"context"
	"io"
	"net"
	"net/http"

	"github.com/coder/websocket"

	"github.com/isosocket/isosocket/bench/internal/process"
	"github.com/isosocket/isosocket/bench/internal/wire"
)

// Coder follows its echo example, except that it reads into a reused buffer: Reader and Write
// give "zero alloc reads and writes".
var Coder = Peer{
	Name:   "coder",
	Module: "github.com/coder/websocket",
	Serve: func(l net.Listener, t *process.Task, serve func(Conn)) error {
		return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: coderMode(t.Compression)})
			if err != nil {
				return
			}
			defer conn.CloseNow()
			c, cancel := newCoderConn(conn, t)
			defer cancel()
			serve(c)
		}))
	},
	Broadcast: func(_ *process.Task, conns []Conn, data []byte) error {
		for _, c := range conns {
			if err := c.Send(data); err != nil {
				return err
			}
		}
		return nil
	},
	Dial: func(t *process.Task) (Conn, error) {
		conn, _, err := websocket.Dial(context.Background(), "ws://"+t.Address, nil)
		if err != nil {
			return nil, err
		}
		c, _ := newCoderConn(conn, t)
		return c, nil
	},
	Lacks: func(*process.Task) string { return "" },
}

func coderMode(c wire.Compression) websocket.CompressionMode {
	switch c {
	case wire.Isolated:
		return websocket.CompressionNoContextTakeover
	case wire.Takeover:
		return websocket.CompressionContextTakeover
	}
	return websocket.CompressionDisabled
}

type coderConn struct {
	conn *websocket.Conn
	ctx  context.Context
	task *process.Task
	kind websocket.MessageType
	buf  []byte
}

func newCoderConn(conn *websocket.Conn, t *process.Task) (*coderConn, context.CancelFunc) {
	conn.SetReadLimit(int64(max(t.Size, 1<<20) + 1))
	if t.Role == process.Sink {
		conn.SetReadLimit(-1)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &coderConn{conn: conn, ctx: ctx, task: t, kind: websocket.MessageBinary}
	if t.Text {
		c.kind = websocket.MessageText
	}
	return c, cancel
}

func (c *coderConn) Send(data []byte) error { return c.conn.Write(c.ctx, c.kind, data) }

func (c *coderConn) Receive() ([]byte, error) {
	ctx := c.ctx
	if c.task.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.task.Limit)
		defer cancel()
	}
	_, r, err := c.conn.Reader(ctx)
	if err != nil {
		return nil, err
	}
	if c.task.Fresh {
		return io.ReadAll(r)
	}
	if c.buf == nil {
		c.buf = make([]byte, 0, c.task.Size+1)
	}
	c.buf, err = readInto(r, c.buf)
	return c.buf, err
}

func (c *coderConn) SendStream(size int64, piece []byte) error {
	w, err := c.conn.Writer(c.ctx, c.kind)
	if err != nil {
		return err
	}
	return copyPieces(w, size, piece)
}

func (c *coderConn) ReceiveStream(buf []byte) (int64, error) {
	_, r, err := c.conn.Reader(c.ctx)
	if err != nil {
		return 0, err
	}
	return drain(r, buf)
}
