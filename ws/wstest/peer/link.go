package peer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/wstest"
)

// behaviourTimeout bounds every behaviour, so a client that fails does not hold resources.
const behaviourTimeout = 60 * time.Second

// link is one connection after its handshake, as a behaviour uses it.
type link struct {
	ctx     context.Context // ends with the server
	request *http.Request
	query   url.Values
	conn    net.Conn
	reader  *bufio.Reader
	record  *record
	masks   bool      // this side is a client
	partial *received // a message whose last fragment has not arrived
}

// number returns the query's parameter as a number, 0 if there is none.
func (l *link) number(name string) int {
	n, _ := strconv.Atoi(l.query.Get(name))
	return n
}

func (l *link) duration(name string) time.Duration {
	d, _ := time.ParseDuration(l.query.Get(name))
	return d
}

func (l *link) write(b []byte) error {
	_, err := l.conn.Write(b)
	return err
}

// saw records an event.
func (l *link) saw(format string, args ...any) { l.record.add(fmt.Sprintf(format, args...)) }

// waitTold waits for /tell.
func (l *link) waitTold() error {
	timeout := time.NewTimer(behaviourTimeout)
	defer timeout.Stop()
	select {
	case <-l.record.told:
		return nil
	case <-l.ctx.Done():
		return l.ctx.Err()
	case <-timeout.C:
		return errors.New("no /tell arrived")
	}
}

func describe(m received) string {
	return wstest.DescribeMessage(ws.Message{Kind: ws.Kind(m.op), Data: m.payload})
}

// sawEnd records why reading ended, and returns err.
func (l *link) sawEnd(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		l.saw("end of stream")
	case errors.As(err, new(violation)):
		l.saw("%v", err)
	default:
		l.saw("connection lost")
	}
	return err
}

// serve reads until the client's close frame, which it records and answers,
// and passes every message to use. Pings are answered.
func (l *link) serve(use func(received) error) error {
	for {
		m, err := l.read()
		if err != nil {
			return l.sawEnd(err)
		}
		switch m.op {
		case opClose:
			l.sawClose(m)
			err = l.write(l.frame(fin|opClose, m.payload))
			if err == nil {
				err = io.EOF
			}
		case opPing:
			err = l.write(l.frame(fin|opPong, m.payload))
		case opPong:
		default:
			err = use(m)
		}
		if err != nil {
			return err
		}
	}
}

func (l *link) sawClose(m received) {
	code, message := m.closing()
	l.saw("close %d %q", code, message)
}

// echo echoes messages until the end. Most behaviours continue with it.
func (l *link) echo() error {
	return l.serve(func(m received) error {
		l.saw("%s", describe(m))
		err := l.write(l.frame(fin|m.op, m.payload))
		if _, ok := l.conn.(Stream); ok {
			// One that the other side has ended refuses output at once, unlike TCP, while input that
			// came before is still to be read.
			return nil
		}
		return err
	})
}

// close sends a close frame and reads until the client's close frame or the end.
func (l *link) close(code int, message string) error {
	if err := l.write(l.frame(fin|opClose, closePayload(code, message))); err != nil {
		return err
	}
	return l.awaitClose()
}

func (l *link) awaitClose() error {
	for {
		m, err := l.read()
		if err != nil {
			return l.sawEnd(err)
		}
		if m.op == opClose {
			l.sawClose(m)
			return nil
		}
	}
}

// finish ends the connection so that the client reads all written data and then the end of the
// stream. Closing a socket with unread data would reset the connection. The server closes first
// because of RFC 6455, section 7.1.1.
func (l *link) finish() {
	defer l.conn.Close()
	half, ok := l.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = l.conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.Copy(io.Discard, l.reader)
}
