package peer

import (
	"io"
	"net"
	"time"

	"github.com/lxzan/gws"

	"github.com/isosocket/isosocket/bench/internal/process"
	"github.com/isosocket/isosocket/bench/internal/wire"
)

// GWS runs its own server and answers in OnMessage, as its quick start does. UTF-8 checks are
// off, which is its default ("turn off the performance will be better"). It broadcasts with its
// Broadcaster.
var GWS = Peer{
	Name:   "gws",
	Module: "github.com/lxzan/gws",
	ServeEvents: func(l net.Listener, t *process.Task, opened, message func(Conn, []byte)) error {
		server := gws.NewServer(&gwsHandler{task: t, opened: opened, message: message}, &gws.ServerOption{
			ReadBufferSize:     max(bufferSize(t), 4096),
			ReadMaxPayloadSize: max(t.Size, 1<<20),
			PermessageDeflate:  gwsDeflate(t.Compression),
			Logger:             gwsSilence{},
		})
		server.OnError = func(net.Conn, error) {}
		return server.RunListener(l)
	},
	Broadcast: func(t *process.Task, conns []Conn, data []byte) error {
		b := gws.NewBroadcaster(gwsOpcode(t), data)
		defer b.Close()
		for _, c := range conns {
			if err := b.Broadcast(c.(*gwsConn).conn); err != nil {
				return err
			}
		}
		return nil
	},
	DialEvents: func(t *process.Task, opened, message func(Conn, []byte)) (func(), error) {
		conn, _, err := gws.NewClient(&gwsHandler{task: t, opened: opened, message: message}, &gws.ClientOption{
			Addr:           "ws://" + t.Address,
			ReadBufferSize: max(bufferSize(t), 4096),
		})
		if err != nil {
			return nil, err
		}
		return conn.ReadLoop, nil
	},
	Lacks: func(t *process.Task) string {
		if t.Role == process.Swallow && !t.Fresh {
			return "gws has no receive into the caller's buffer"
		}
		return ""
	},
}

func gwsDeflate(c wire.Compression) gws.PermessageDeflate {
	return gws.PermessageDeflate{
		Enabled:               c != wire.None,
		ServerContextTakeover: c == wire.Takeover,
		ClientContextTakeover: c == wire.Takeover,
		ServerMaxWindowBits:   15,
		ClientMaxWindowBits:   15,
	}
}

func gwsOpcode(t *process.Task) gws.Opcode {
	if t.Text {
		return gws.OpcodeText
	}
	return gws.OpcodeBinary
}

type gwsHandler struct {
	gws.BuiltinEventHandler
	task            *process.Task
	opened, message func(Conn, []byte)
}

// session is the key of the handler's own connection in the session of a gws connection.
const session = "conn"

func (h *gwsHandler) OnOpen(socket *gws.Conn) {
	c := &gwsConn{conn: socket, opcode: gwsOpcode(h.task)}
	socket.Session().Store(session, c)
	h.limit(socket)
	h.opened(c, nil)
}

func (h *gwsHandler) OnMessage(socket *gws.Conn, m *gws.Message) {
	defer m.Close()
	h.limit(socket)
	if h.task.Role == process.Echo {
		// The quick start does the same, without a lookup in the session.
		_ = socket.WriteMessage(m.Opcode, m.Bytes())
		return
	}
	c, _ := socket.Session().Load(session)
	h.message(c.(*gwsConn), m.Bytes())
}

func (h *gwsHandler) limit(socket *gws.Conn) {
	if h.task.Limit > 0 {
		_ = socket.SetReadDeadline(time.Now().Add(h.task.Limit))
	}
}

type gwsConn struct {
	conn   *gws.Conn
	opcode gws.Opcode
}

func (c *gwsConn) Send(data []byte) error { return c.conn.WriteMessage(c.opcode, data) }

// Receive is never called: gws passes messages to callbacks instead.
func (c *gwsConn) Receive() ([]byte, error) { return nil, io.EOF }

// gwsSilence keeps gws from logging every connection that the load closes.
type gwsSilence struct{}

func (gwsSilence) Error(...any) {}
