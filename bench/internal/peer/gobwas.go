package peer

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/klauspost/compress/flate"

	"github.com/isosocket/isosocket/bench/internal/process"
	"github.com/isosocket/isosocket/bench/internal/wire"
)

// Gobwas upgrades without net/http, as its documentation recommends "for high-load services",
// and uses the frame functions below wsutil. It reads headers from a buffer and payloads into
// reused memory, and writes a header and its payload at once. A broadcast compiles its frame
// once.
var Gobwas = Peer{
	Name:   "gobwas",
	Module: "github.com/gobwas/ws",
	Serve: func(l net.Listener, t *process.Task, serve func(Conn)) error {
		return acceptEach(l, func(conn net.Conn) error {
			var upgrader ws.Upgrader
			if t.Compression != wire.None {
				e := wsflate.Extension{Parameters: wsflate.DefaultParameters}
				upgrader.Negotiate = e.Negotiate
			}
			if _, err := upgrader.Upgrade(conn); err != nil {
				return err
			}
			serve(newGobwasConn(conn, conn, t, false))
			return nil
		})
	},
	Broadcast: func(t *process.Task, conns []Conn, data []byte) error {
		f := ws.NewFrame(ws.OpCode(opcode(t)), true, data)
		if t.Compression != wire.None {
			var err error
			if f, err = gobwasHelper.CompressFrame(f); err != nil {
				return err
			}
		}
		frame, err := ws.CompileFrame(f)
		if err != nil {
			return err
		}
		for _, c := range conns {
			if _, err := c.(*gobwasConn).conn.Write(frame); err != nil {
				return err
			}
		}
		return nil
	},
	Dial: func(t *process.Task) (Conn, error) {
		conn, br, _, err := ws.Dial(context.Background(), "ws://"+t.Address)
		if err != nil {
			return nil, err
		}
		if br == nil {
			return newGobwasConn(conn, conn, t, true), nil
		}
		return newGobwasConn(conn, io.MultiReader(io.LimitReader(br, int64(br.Buffered())), conn), t, true), nil
	},
	Lacks: func(t *process.Task) string {
		if t.Compression == wire.Takeover {
			return "gobwas's compression helpers have no context takeover"
		}
		return ""
	},
}

// gobwasHelper is wsflate.DefaultHelper with the compression level of the others.
var gobwasHelper = wsflate.Helper{Compressor: gobwasCompressor, Decompressor: gobwasDecompressor}

func gobwasCompressor(w io.Writer) wsflate.Compressor {
	c, err := flate.NewWriter(w, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return c
}

func gobwasDecompressor(r io.Reader) wsflate.Decompressor { return gobwasInflater{flate.NewReader(r)} }

// gobwasInflater adds the Reset method that wsflate.Reader needs to klauspost's reader.
type gobwasInflater struct{ io.ReadCloser }

func (i gobwasInflater) Reset(r io.Reader) {
	if err := i.ReadCloser.(flate.Resetter).Reset(r, nil); err != nil {
		panic(err) // resetting without a dictionary cannot fail
	}
}

// onlyReader hides ReadByte: wsflate v1.5.0 reads one zero byte too many from a source that has
// it.
type onlyReader struct{ io.Reader }

type gobwasConn struct {
	conn   net.Conn
	in     *bufio.Reader
	task   *process.Task
	client bool

	header [ws.MaxHeaderSize]byte
	buf    []byte
	out    bytes.Buffer // a frame to write, header first

	deflated bytes.Reader // read through onlyReader
	inflated []byte
	deflater *wsflate.Writer
	inflater *wsflate.Reader
}

func newGobwasConn(conn net.Conn, r io.Reader, t *process.Task, client bool) *gobwasConn {
	c := &gobwasConn{conn: conn, in: bufio.NewReaderSize(r, bufferSize(t)), task: t, client: client}
	if t.Compression != wire.None {
		c.deflater = wsflate.NewWriter(nil, gobwasCompressor)
		c.inflater = wsflate.NewReader(nil, gobwasDecompressor)
	}
	return c
}

func (c *gobwasConn) Send(data []byte) error {
	h := ws.Header{Fin: true, OpCode: ws.OpCode(opcode(c.task)), Length: int64(len(data))}
	if c.deflater != nil {
		var deflated bytes.Buffer
		c.deflater.Reset(&deflated)
		if _, err := c.deflater.Write(data); err != nil {
			return err
		}
		if err := c.deflater.Flush(); err != nil {
			return err
		}
		data = deflated.Bytes()
		h.Rsv, h.Length = ws.Rsv(true, false, false), int64(len(data))
	}
	if c.client {
		h.Masked, h.Mask = true, ws.NewMask()
	}
	c.out.Reset()
	if err := ws.WriteHeader(&c.out, h); err != nil {
		return err
	}
	n := c.out.Len()
	c.out.Write(data)
	if c.client {
		ws.Cipher(c.out.Bytes()[n:], h.Mask, 0)
	}
	_, err := c.conn.Write(c.out.Bytes())
	return err
}

func (c *gobwasConn) Receive() ([]byte, error) {
	if c.task.Limit > 0 {
		if err := c.conn.SetReadDeadline(time.Now().Add(c.task.Limit)); err != nil {
			return nil, err
		}
	}
	h, err := ws.ReadHeaderBuffer(c.in, c.header[:])
	if err != nil {
		return nil, err
	}
	if !h.Fin || !h.OpCode.IsData() {
		return nil, fmt.Errorf("gobwas: opcode %v, final %v, where the load sends whole messages", h.OpCode, h.Fin)
	}
	if c.task.Fresh || int64(cap(c.buf)) < h.Length {
		c.buf = make([]byte, h.Length)
	}
	c.buf = c.buf[:h.Length]
	if _, err := io.ReadFull(c.in, c.buf); err != nil {
		return nil, err
	}
	if h.Masked {
		ws.Cipher(c.buf, h.Mask, 0)
	}
	if !h.Rsv1() {
		return c.buf, nil
	}
	c.deflated.Reset(c.buf)
	c.inflater.Reset(onlyReader{&c.deflated})
	c.inflated, err = readInto(c.inflater, c.inflated)
	return c.inflated, err
}
