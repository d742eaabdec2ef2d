package peer

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/isosocket/isosocket/bench/internal/process"
	"github.com/isosocket/isosocket/bench/internal/wire"
)

// TCP moves the same bytes as the others over bare TCP, with large reads and writes and without
// parsing them. It shows the limit of the machine and of Go's network poller.
var TCP = Peer{
	Name: "tcp",
	Serve: func(l net.Listener, t *process.Task, serve func(Conn)) error {
		all, each := frames(t)
		return acceptEach(l, func(conn net.Conn) error {
			head := make([]byte, 1024)
			if n, err := conn.Read(head); err != nil || n == 0 {
				return err
			}
			if _, err := conn.Write(wire.Response); err != nil {
				return err
			}
			head = nil
			switch t.Role {
			case process.Echo:
				return tcpEcho(conn, t, all, each)
			case process.Push:
				for {
					if _, err := conn.Write(all); err != nil {
						return err
					}
				}
			case process.Swallow:
				return tcpSwallow(conn, t)
			}
			serve(&tcpConn{conn})
			return nil
		})
	},
	Broadcast: func(t *process.Task, conns []Conn, data []byte) error {
		frame := wire.AppendServerFrame(nil, opcode(t), data)
		for _, c := range conns {
			if _, err := c.(*tcpConn).Write(frame); err != nil {
				return err
			}
		}
		return nil
	},
	Topics: func(l net.Listener, t *process.Task, join func() []string) (func(string, []byte) error, func() error, error) {
		var mu sync.Mutex
		members := make(map[string][]net.Conn)
		publish := func(topic string, data []byte) error {
			frame := wire.AppendServerFrame(nil, opcode(t), data)
			mu.Lock()
			defer mu.Unlock()
			for _, conn := range members[topic] {
				if _, err := conn.Write(frame); err != nil {
					return err
				}
			}
			return nil
		}
		serve := func() error {
			return acceptEach(l, func(conn net.Conn) error {
				head := make([]byte, 1024)
				if n, err := conn.Read(head); err != nil || n == 0 {
					return err
				}
				if _, err := conn.Write(wire.Response); err != nil {
					return err
				}
				mu.Lock()
				for _, topic := range join() {
					members[topic] = append(members[topic], conn)
				}
				mu.Unlock()
				_, err := conn.Read(head)
				return err
			})
		}
		return publish, serve, nil
	},
	Dial: func(t *process.Task) (Conn, error) {
		conn, _, rest, err := wire.Dial(t.Address, "")
		if err != nil {
			return nil, err
		}
		return newTCPClient(conn, t, len(rest)), nil
	},
	Lacks: func(t *process.Task) string {
		if t.Compression != wire.None {
			return "bare TCP does not compress"
		}
		return ""
	},
}

// acceptEach runs serve for each connection on a goroutine of its own, and
// closes the connection after it.
func acceptEach(l net.Listener, serve func(net.Conn) error) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			// An error is a normal end: the load disconnects after the measurement.
			_ = serve(conn)
		}()
	}
}

// bulk is how many bytes bare TCP reads or writes at once if there are many small messages.
const bulk = 16 << 10

// frames returns a whole number of equal server frames, which all connections share.
func frames(t *process.Task) (all []byte, each int) {
	if t.Role == process.Swallow {
		return nil, 0
	}
	frame := wire.AppendServerFrame(nil, opcode(t), payload(t))
	for len(all) < bulk {
		all = append(all, frame...)
	}
	return all, len(frame)
}

func tcpEcho(conn net.Conn, t *process.Task, replies []byte, out int) error {
	in := wire.ClientFrameSize(t.Size)
	buf := make([]byte, max(4<<10, in))
	have, answered := 0, false
	for {
		if t.Limit > 0 {
			if err := conn.SetReadDeadline(time.Now().Add(t.Limit)); err != nil {
				return err
			}
		}
		n, err := conn.Read(buf[have%len(buf):])
		if err != nil {
			return err
		}
		have += n
		whole := have / in
		have %= in
		if in == len(buf) && whole == 1 && answered {
			// A large message is written from the buffer that it was read into, like an echo,
			// although still masked. The load compares the first reply with the message, so it
			// is one of the prepared frames.
			at := in - out
			copy(buf[at:], replies[:out-t.Size])
			if _, err := conn.Write(buf[at:]); err != nil {
				return err
			}
			continue
		}
		answered = answered || whole > 0
		for whole > 0 {
			n := min(whole, len(replies)/out)
			if _, err := conn.Write(replies[:n*out]); err != nil {
				return err
			}
			whole -= n
		}
	}
}

func tcpSwallow(conn net.Conn, t *process.Task) error {
	buf := make([]byte, wire.ClientFrameSize(t.Size))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return err
	}
	_, err := conn.Write(wire.AppendServerFrame(nil, opcode(t), []byte("ok")))
	return err
}

// tcpConn is an idle connection.
type tcpConn struct{ net.Conn }

func (c *tcpConn) Send(data []byte) error {
	_, err := c.Write(data)
	return err
}

func (c *tcpConn) Receive() ([]byte, error) {
	var b [64]byte
	n, err := c.Read(b[:])
	return b[:n], err
}

// tcpClient returns the messages of one read one by one, and answers all of them with one write.
type tcpClient struct {
	conn    net.Conn
	buf     []byte
	in      int // bytes of an incoming message
	have    int // bytes read but not yet returned as messages
	out     []byte
	frame   int // bytes of an outgoing message
	waiting int // messages sent but not yet written
	size    int
}

func newTCPClient(conn net.Conn, t *process.Task, have int) *tcpClient {
	data := payload(t)
	c := &tcpClient{conn: conn, have: have, buf: make([]byte, bulk), size: len(data)}
	c.in = len(wire.AppendServerFrame(nil, opcode(t), data))
	frame := wire.AppendClientFrame(nil, opcode(t), false, data)
	c.frame = len(frame)
	for range max(t.Depth, bulk/len(frame)) {
		c.out = append(c.out, frame...)
	}
	return c
}

func (c *tcpClient) Send(data []byte) error {
	if len(data) != c.size {
		return fmt.Errorf("tcp: a message of %d bytes, want %d", len(data), c.size)
	}
	c.waiting++
	if c.have >= c.in && c.waiting < len(c.out)/c.frame {
		return nil
	}
	return c.flush()
}

func (c *tcpClient) flush() error {
	n := c.waiting
	c.waiting = 0
	_, err := c.conn.Write(c.out[:n*c.frame])
	return err
}

func (c *tcpClient) Receive() ([]byte, error) {
	for c.have < c.in {
		n, err := c.conn.Read(c.buf)
		if err != nil {
			return nil, err
		}
		c.have += n
	}
	c.have -= c.in
	return nil, nil
}
