package peer

import (
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/isosocket/isosocket/bench/internal/process"
	"github.com/isosocket/isosocket/bench/internal/wire"
)

// Gorilla follows the section on buffers in its documentation: sizes that fit the messages, and
// a pool for writing. As in its chat example, the handler returns, which frees net/http's
// memory. It reads through NextReader into a reused buffer, and broadcasts a PreparedMessage.
var Gorilla = Peer{
	Name:   "gorilla",
	Module: "github.com/gorilla/websocket",
	Serve: func(l net.Listener, t *process.Task, serve func(Conn)) error {
		upgrader := websocket.Upgrader{
			ReadBufferSize:    bufferSize(t),
			WriteBufferSize:   bufferSize(t),
			WriteBufferPool:   new(sync.Pool),
			EnableCompression: t.Compression != wire.None,
		}
		return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(newGorillaConn(conn, t))
			}()
		}))
	},
	Broadcast: func(t *process.Task, conns []Conn, data []byte) error {
		m, err := websocket.NewPreparedMessage(gorillaKind(t), data)
		if err != nil {
			return err
		}
		for _, c := range conns {
			if err := c.(*gorillaConn).conn.WritePreparedMessage(m); err != nil {
				return err
			}
		}
		return nil
	},
	Dial: func(t *process.Task) (Conn, error) {
		dialer := websocket.Dialer{ReadBufferSize: max(bufferSize(t), 4096), WriteBufferSize: bufferSize(t)}
		conn, _, err := dialer.Dial("ws://"+t.Address, nil)
		if err != nil {
			return nil, err
		}
		return newGorillaConn(conn, t), nil
	},
	Lacks: func(t *process.Task) string {
		if t.Compression == wire.Takeover {
			return "gorilla has no context takeover"
		}
		return ""
	},
}

func gorillaKind(t *process.Task) int {
	if t.Text {
		return websocket.TextMessage
	}
	return websocket.BinaryMessage
}

type gorillaConn struct {
	conn *websocket.Conn
	task *process.Task
	kind int
	buf  []byte
}

func newGorillaConn(conn *websocket.Conn, t *process.Task) *gorillaConn {
	return &gorillaConn{conn: conn, task: t, kind: gorillaKind(t)}
}

func (c *gorillaConn) Send(data []byte) error { return c.conn.WriteMessage(c.kind, data) }

func (c *gorillaConn) Receive() ([]byte, error) {
	if c.task.Limit > 0 {
		if err := c.conn.SetReadDeadline(time.Now().Add(c.task.Limit)); err != nil {
			return nil, err
		}
	}
	if c.task.Fresh {
		_, data, err := c.conn.ReadMessage()
		return data, err
	}
	_, r, err := c.conn.NextReader()
	if err != nil {
		return nil, err
	}
	if c.buf == nil {
		c.buf = make([]byte, 0, c.task.Size+1)
	}
	c.buf, err = readInto(r, c.buf)
	return c.buf, err
}

func (c *gorillaConn) SendStream(size int64, piece []byte) error {
	w, err := c.conn.NextWriter(c.kind)
	if err != nil {
		return err
	}
	return copyPieces(w, size, piece)
}

func (c *gorillaConn) ReceiveStream(buf []byte) (int64, error) {
	_, r, err := c.conn.NextReader()
	if err != nil {
		return 0, err
	}
	return drain(r, buf)
}
