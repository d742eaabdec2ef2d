package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	coder "github.com/coder/websocket"
	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	gorilla "github.com/gorilla/websocket"
	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	nbio "github.com/lesismal/nbio/nbhttp/websocket"
	"github.com/lxzan/gws"
)

// goPeer is another library in Go.
type goPeer struct {
	name, module string
	handler      func() http.Handler
	visit        func(ctx context.Context, url string) error // returns when the connection has ended
}

func goPeers() []goPeer {
	return []goPeer{
		{"gorilla", "github.com/gorilla/websocket", gorillaHandler, gorillaVisit},
		{"gws", "github.com/lxzan/gws", gwsHandler, gwsVisit},
		{"gobwas", "github.com/gobwas/ws", gobwasHandler, gobwasVisit},
		{"coder", "github.com/coder/websocket", coderHandler, coderVisit},
		{"nbio", "github.com/lesismal/nbio", nbioHandler, nbioVisit},
	}
}

func (p goPeer) server(context.Context) (url string, stop func(), err error) {
	l, url, err := listen()
	if err != nil {
		return "", nil, err
	}
	s := &http.Server{Handler: p.handler()}
	go s.Serve(l)
	return url, func() { s.Close() }, nil
}

func (p goPeer) client(ctx context.Context, url string, count int) error {
	var last error
	for i := range count {
		if err := p.visit(ctx, fmt.Sprintf("%s/?i=%d", url, i)); err != nil {
			last = err
		}
	}
	return last
}

func gorillaEcho(conn *gorilla.Conn) {
	defer conn.Close()
	for {
		kind, data, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if code, reason, ok := command(kind == gorilla.TextMessage, data); ok {
			conn.WriteMessage(gorilla.CloseMessage, gorilla.FormatCloseMessage(code, reason))
			continue
		}
		if conn.WriteMessage(kind, data) != nil {
			return
		}
	}
}

func gorillaHandler() http.Handler {
	u := gorilla.Upgrader{EnableCompression: true, Subprotocols: []string{subprotocol}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, err := u.Upgrade(w, r, nil); err == nil {
			gorillaEcho(conn)
		}
	})
}

func gorillaVisit(ctx context.Context, url string) error {
	d := gorilla.Dialer{EnableCompression: true, Subprotocols: []string{subprotocol}}
	conn, _, err := d.DialContext(ctx, url, nil)
	if err != nil {
		return err
	}
	gorillaEcho(conn)
	return nil
}

// gwsEcho is the handler of gws's events.
type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnPing(c *gws.Conn, data []byte) { c.WritePong(data) }

func (gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if code, reason, ok := command(m.Opcode == gws.OpcodeText, m.Bytes()); ok {
		c.WriteClose(uint16(code), []byte(reason))
		return
	}
	c.WriteMessage(m.Opcode, m.Bytes())
}

type silence struct{}

func (silence) Error(...any) {}

var gwsDeflate = gws.PermessageDeflate{Enabled: true, ServerContextTakeover: true, ClientContextTakeover: true, Threshold: 1}

func gwsHandler() http.Handler {
	u := gws.NewUpgrader(gwsEcho{}, &gws.ServerOption{PermessageDeflate: gwsDeflate, SubProtocols: []string{subprotocol}, CheckUtf8Enabled: true, Logger: silence{}})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, err := u.Upgrade(w, r); err == nil {
			conn.ReadLoop()
		}
	})
}

func gwsVisit(_ context.Context, url string) error {
	conn, _, err := gws.NewClient(gwsEcho{}, &gws.ClientOption{
		Addr: url, PermessageDeflate: gwsDeflate, CheckUtf8Enabled: true, Logger: silence{},
		RequestHeader: http.Header{"Sec-WebSocket-Protocol": {subprotocol}},
	})
	if err != nil {
		return err
	}
	conn.ReadLoop()
	return nil
}

// gobwasEcho uses wsutil, which has no compression.
func gobwasEcho(conn net.Conn, in io.Reader, side gobwas.State) {
	defer conn.Close()
	rw := struct {
		io.Reader
		io.Writer
	}{in, conn}
	for {
		data, op, err := wsutil.ReadData(rw, side)
		if err != nil {
			return
		}
		if code, reason, ok := command(op == gobwas.OpText, data); ok {
			frame := gobwas.NewCloseFrame(gobwas.NewCloseFrameBody(gobwas.StatusCode(code), reason))
			if side.ClientSide() {
				frame = gobwas.MaskFrameInPlace(frame)
			}
			gobwas.WriteFrame(conn, frame)
			continue
		}
		if wsutil.WriteMessage(conn, side, op, data) != nil {
			return
		}
	}
}

func gobwasHandler() http.Handler {
	u := gobwas.HTTPUpgrader{Protocol: func(name string) bool { return name == subprotocol }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, _, err := u.Upgrade(r, w)
		if err == nil {
			gobwasEcho(conn, rw, gobwas.StateServerSide)
		}
	})
}

func gobwasVisit(ctx context.Context, url string) error {
	d := gobwas.Dialer{Protocols: []string{subprotocol}}
	conn, buffered, _, err := d.Dial(ctx, url)
	if err != nil {
		return err
	}
	var in io.Reader = conn
	if buffered != nil {
		in = buffered
	}
	gobwasEcho(conn, in, gobwas.StateClientSide)
	return nil
}

func coderEcho(ctx context.Context, conn *coder.Conn) {
	defer conn.CloseNow()
	conn.SetReadLimit(-1)
	for {
		kind, data, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if code, reason, ok := command(kind == coder.MessageText, data); ok {
			conn.Close(coder.StatusCode(code), reason)
			return
		}
		if conn.Write(ctx, kind, data) != nil {
			return
		}
	}
}

func coderHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := coder.Accept(w, r, &coder.AcceptOptions{Subprotocols: []string{subprotocol}, CompressionMode: coder.CompressionContextTakeover, CompressionThreshold: 1})
		if err == nil {
			coderEcho(r.Context(), conn)
		}
	})
}

func coderVisit(ctx context.Context, url string) error {
	conn, _, err := coder.Dial(ctx, url, &coder.DialOptions{Subprotocols: []string{subprotocol}, CompressionMode: coder.CompressionContextTakeover, CompressionThreshold: 1})
	if err != nil {
		return err
	}
	coderEcho(ctx, conn)
	return nil
}

func nbioUpgrader(ended func()) *nbio.Upgrader {
	u := nbio.NewUpgrader()
	u.EnableCompression(true)
	u.Subprotocols = []string{subprotocol}
	u.CheckOrigin = func(*http.Request) bool { return true }
	u.OnMessage(func(c *nbio.Conn, kind nbio.MessageType, data []byte) {
		if code, reason, ok := command(kind == nbio.TextMessage, data); ok {
			c.WriteClose(code, reason)
			return
		}
		c.WriteMessage(kind, data)
	})
	u.OnClose(func(*nbio.Conn, error) { ended() })
	return u
}

func nbioHandler() http.Handler {
	logging.SetLevel(logging.LevelNone)
	u := nbioUpgrader(func() {})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.Upgrade(w, r, nil) // answers a request that it refuses
	})
}

func nbioVisit(ctx context.Context, url string) error {
	logging.SetLevel(logging.LevelNone)
	engine := nbhttp.NewEngine(nbhttp.Config{})
	if err := engine.Start(); err != nil {
		return err
	}
	defer engine.Stop()
	ended := make(chan struct{})
	d := &nbio.Dialer{Engine: engine, Upgrader: nbioUpgrader(func() { close(ended) }), Subprotocols: []string{subprotocol}, EnableCompression: true}
	if _, _, err := d.DialContext(ctx, url, nil); err != nil {
		return err
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
