package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	wserrors "github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/wstest"
)

// Acceptance holds the settings with which an endpoint below /library/ makes the
// server under test accept one connection. The zero value asks for its defaults.
type Acceptance struct {
	// Subprotocols are the ones to accept; the client's preference decides.
	Subprotocols []string
	// ChooseSubprotocol, if not nil, chooses instead.
	ChooseSubprotocol func(r *http.Request, offered []string) string
	// MaxMessageSize is the limit to set. It has the meaning of the field of ws.Config.
	MaxMessageSize int
	// PingInterval and PingTimeout are set if they are not 0. A negative interval turns pings
	// off.
	PingInterval, PingTimeout time.Duration
	// Compression, if not nil, is to be accepted.
	Compression *ws.Compression
}

// Conn is a connection of the server under test: a *ws.Conn, or a type that embeds one.
type Conn interface {
	Send(ctx context.Context, m ws.Message) error
	Receive(ctx context.Context) (ws.Message, error)
	Close(reason wserrors.CloseReason, message string) error
}

// libraryEndpoint is a behaviour over the server under test.
type libraryEndpoint struct {
	accept func(q url.Values) Acceptance
	serve  func(ctx context.Context, conn Conn, q url.Values, record *record)
}

var libraryEndpoints = map[string]libraryEndpoint{
	"/library/echo":        {accept: acceptCompressed, serve: libraryEcho},
	"/library/end":         {serve: libraryEnd},
	"/library/send":        {accept: acceptLarge, serve: librarySend},
	"/library/cross":       {serve: libraryCross},
	"/library/idle":        {accept: acceptPings, serve: libraryIdle},
	"/library/subprotocol": {accept: acceptSubprotocols, serve: libraryEcho},
}

func (s *Server) serveLibrary(w http.ResponseWriter, r *http.Request, record *record, e libraryEndpoint) {
	s.links.Add(1)
	defer s.links.Done()
	defer record.end()
	var a Acceptance
	if e.accept != nil {
		a = e.accept(r.URL.Query())
	}
	conn, err := s.config.Accept(w, r, a)
	if err != nil {
		record.add("refused")
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, behaviourTimeout)
	defer cancel()
	e.serve(ctx, conn, r.URL.Query(), record)
	_ = conn.Close(wserrors.NormalClosure, "")
}

func acceptCompressed(q url.Values) Acceptance {
	if q.Get("compress") == "" {
		return Acceptance{}
	}
	return Acceptance{Compression: &ws.Compression{ContextTakeover: true, Threshold: 1}}
}

func acceptLarge(url.Values) Acceptance { return Acceptance{MaxMessageSize: -1} }

func acceptPings(q url.Values) Acceptance {
	interval, _ := time.ParseDuration(q.Get("interval"))
	timeout, _ := time.ParseDuration(q.Get("timeout"))
	return Acceptance{PingInterval: interval, PingTimeout: timeout}
}

func acceptSubprotocols(q url.Values) Acceptance {
	if q.Has("choose") {
		return Acceptance{ChooseSubprotocol: func(r *http.Request, offered []string) string {
			return r.URL.Query().Get("choose")
		}}
	}
	return Acceptance{Subprotocols: strings.Split(q.Get("accept"), ",")}
}

func libraryEcho(ctx context.Context, conn Conn, _ url.Values, record *record) {
	for {
		m, err := conn.Receive(ctx)
		if err == nil {
			err = conn.Send(ctx, m)
		}
		if err != nil {
			record.add(wstest.Describe(err))
			return
		}
	}
}

func libraryEnd(ctx context.Context, conn Conn, _ url.Values, record *record) {
	for {
		if _, err := conn.Receive(ctx); err != nil {
			record.add(wstest.Describe(err))
			return
		}
	}
}

func librarySend(ctx context.Context, conn Conn, q url.Values, record *record) {
	var size int
	if _, err := fmt.Sscan(q.Get("size"), &size); err != nil {
		record.add("size= is not a number")
		return
	}
	if err := conn.Send(ctx, ws.Binary(wstest.Pattern(size))); err != nil {
		record.add(wstest.Describe(err))
		return
	}
	libraryEnd(ctx, conn, q, record)
}

func libraryCross(ctx context.Context, conn Conn, q url.Values, record *record) {
	var code uint16
	if _, err := fmt.Sscan(q.Get("code"), &code); err != nil {
		record.add("code= is not a number")
		return
	}
	_, _ = conn.Receive(ctx)
	if err := conn.Close(wserrors.CloseReason(code), q.Get("message")); err != nil {
		record.add("Close: " + wstest.Describe(err))
	}
	libraryEnd(ctx, conn, q, record)
}

func libraryIdle(ctx context.Context, conn Conn, q url.Values, record *record) {
	start := time.Now()
	libraryEnd(ctx, conn, q, record)
	record.add("after " + time.Since(start).Round(time.Millisecond).String())
}

// goQuiet opens a connection to /library/idle, never answers on it, and waits until the server
// ends it.
func (s *Server) goQuiet(l *link) error {
	if s.config.Accept == nil {
		return errors.New("there are no /library/ endpoints")
	}
	address := strings.TrimPrefix(s.addresses.URL, "ws://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "GET /library/idle?%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", l.request.URL.RawQuery, address)
	if err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(behaviourTimeout)); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for {
		if _, err := conn.Read(buf); err != nil {
			return nil
		}
	}
}
