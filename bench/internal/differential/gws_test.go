package differential

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"

	"github.com/lxzan/gws"
)

// gwsRecorder records the events of a connection of gws.
type gwsRecorder struct {
	events []event
	end    error
}

func (g *gwsRecorder) OnOpen(*gws.Conn)               {}
func (g *gwsRecorder) OnClose(_ *gws.Conn, err error) { g.end = err }
func (g *gwsRecorder) OnPing(_ *gws.Conn, data []byte) {
	g.events = append(g.events, message("ping", data))
}
func (g *gwsRecorder) OnPong(_ *gws.Conn, data []byte) {
	g.events = append(g.events, message("pong", data))
}
func (g *gwsRecorder) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	kind := map[gws.Opcode]string{gws.OpcodeText: "text", gws.OpcodeBinary: "binary"}[m.Opcode]
	g.events = append(g.events, message(kind, m.Bytes()))
}

// gwsForward gives the events of connections of one upgrader, which has one handler, to the recorder of
// each.
type gwsForward struct{ gws.BuiltinEventHandler }

func recorderOf(c *gws.Conn) *gwsRecorder {
	r, _ := c.Session().Load("recorder")
	return r.(*gwsRecorder)
}

func (gwsForward) OnClose(c *gws.Conn, err error)        { recorderOf(c).OnClose(c, err) }
func (gwsForward) OnPing(c *gws.Conn, data []byte)       { recorderOf(c).OnPing(c, data) }
func (gwsForward) OnPong(c *gws.Conn, data []byte)       { recorderOf(c).OnPong(c, data) }
func (gwsForward) OnMessage(c *gws.Conn, m *gws.Message) { recorderOf(c).OnMessage(c, m) }

func gwsUpgrader(compress bool) *gws.Upgrader {
	return gws.NewUpgrader(gwsForward{}, &gws.ServerOption{
		ReadMaxPayloadSize: limit,
		CheckUtf8Enabled:   true,
		PermessageDeflate:  gws.PermessageDeflate{Enabled: compress, PoolSize: 1},
		Logger:             gwsSilence{},
	})
}

type gwsSilence struct{}

func (gwsSilence) Error(...any) {}

// gwsReader has the upgraders of gws, which are expensive to make.
type gwsReader struct{ plain, compressing *gws.Upgrader }

func newGwsReader() *gwsReader {
	log.SetOutput(io.Discard) // gws logs its own panics
	return &gwsReader{gwsUpgrader(false), gwsUpgrader(true)}
}

// reads returns what a Conn of gws makes of wire.
func (g *gwsReader) reads(r role, wire []byte) (events []event, err error) {
	t := newTape(r, wire)
	record := &gwsRecorder{}
	var conn *gws.Conn
	if r == client {
		conn, _, err = gws.NewClientFromConn(record, &gws.ClientOption{
			Addr: "ws://localhost/", ReadMaxPayloadSize: limit, CheckUtf8Enabled: true, Logger: gwsSilence{},
		}, t)
	} else {
		upgrader := g.plain
		if r == inflating {
			upgrader = g.compressing
		}
		conn, err = upgrader.UpgradeFromConn(t, bufio.NewReader(t), request(r))
	}
	if err != nil {
		return nil, err
	}
	if r != client {
		conn.Session().Store("recorder", record)
	}
	t.out.Reset()
	defer func() {
		if p := recover(); p != nil {
			events = append(record.events, failed(0, fmt.Sprint(p)))
		}
	}()
	conn.ReadLoop()
	code := sentCode(t.out.Bytes())
	peer, isClose := errors.AsType[*gws.CloseError](record.end)
	switch {
	case isClose && (code == 1002 || code == 1007):
		// gws answers a close frame that it finds wrong with one of these, and never else.
		return append(record.events, failed(code, "close frame")), nil
	case isClose && peer.Code == 0:
		return append(record.events, closed(1005, nil)), nil
	case isClose:
		return append(record.events, closed(peer.Code, peer.Reason)), nil
	case code != 1011 && (errors.Is(record.end, io.EOF) || errors.Is(record.end, io.ErrUnexpectedEOF)): // 1011: of the inflater
		return append(record.events, cut), nil
	}
	return append(record.events, failed(code, record.end.Error())), nil
}
