package peer

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Stream is a net.Conn that ends as TCP does, but is none, such as a stream of HTTP/2. /drop needs it.
type Stream interface {
	net.Conn
	// CloseWrite ends the output in order, as FIN does.
	CloseWrite() error
	// Reset ends both directions at once, as RST does.
	Reset() error
	// Lose closes the connection that carries the stream.
	Lose() error
}

// Play plays the client of conn, whose handshake is over, so that a server is the side under test: it
// masks its frames, and those of the server must not be masked. uri has the path and the query of a
// behaviour, or of /observed, /tell or /forget; those of a handshake and those below /library/ are not
// possible. Play closes conn and returns when the behaviour is over.
//
// An error means that uri names no behaviour; what the server does is in the record.
func (s *Server) Play(conn net.Conn, uri string) error {
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		conn.Close()
		return fmt.Errorf("peer: %w", err)
	}
	record := s.records.of(u.Query().Get("id"))
	behaviour := behaviours[u.Path]
	switch u.Path {
	case "/request":
		behaviour = nil
	case "/observed", "/tell", "/forget":
		behaviour = s.controls(record)
		record = s.records.of("")
	}
	if behaviour == nil {
		conn.Close()
		return fmt.Errorf("peer: %q is no behaviour of a client", u.Path)
	}
	if err := conn.SetDeadline(time.Now().Add(behaviourTimeout)); err != nil {
		conn.Close()
		return fmt.Errorf("peer: %w", err)
	}
	s.serve(&link{request: &http.Request{URL: u}, query: u.Query(), conn: conn, reader: bufio.NewReader(conn), record: record, masks: true}, behaviour)
	return nil
}
