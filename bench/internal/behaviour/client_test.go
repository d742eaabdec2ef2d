package behaviour

import (
	"context"
	"errors"
	"os"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"

	"github.com/isosocket/isosocket"
	wserrors "github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

type isosocketClient struct{ conn *ws.Conn }

func dialIsosocket(url string) (client, error) {
	// The server of a test may disconnect without an answer to a close.
	conn, err := isosocket.Dial(context.Background(), url, &isosocket.DialOptions{CloseTimeout: time.Millisecond})
	return isosocketClient{conn}, err
}

func (c isosocketClient) receive(limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	m, err := c.conn.Receive(ctx)
	return m.String(), err
}

func (c isosocketClient) send(text string) error {
	return c.conn.Send(context.Background(), ws.Text(text))
}

func (c isosocketClient) reason(err error) int {
	if closed, ok := errors.AsType[*wserrors.ConnectionClosed](err); ok {
		return int(closed.Reason)
	}
	return 0
}

func (c isosocketClient) drop() { c.conn.Close(wserrors.NormalClosure, "") }

type coderClient struct{ conn *coder.Conn }

func dialCoder(url string) (client, error) {
	conn, _, err := coder.Dial(context.Background(), url, nil)
	return coderClient{conn}, err
}

func (c coderClient) receive(limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	_, data, err := c.conn.Read(ctx)
	return string(data), err
}

func (c coderClient) send(text string) error {
	return c.conn.Write(context.Background(), coder.MessageText, []byte(text))
}

func (c coderClient) reason(err error) int { return max(int(coder.CloseStatus(err)), 0) }

func (c coderClient) drop() { c.conn.CloseNow() }

type gorillaClient struct{ conn *gorilla.Conn }

func dialGorilla(url string) (client, error) {
	conn, _, err := gorilla.DefaultDialer.Dial(url, nil)
	return gorillaClient{conn}, err
}

func (c gorillaClient) receive(limit time.Duration) (string, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	_, data, err := c.conn.ReadMessage()
	return string(data), err
}

func (c gorillaClient) send(text string) error {
	return c.conn.WriteMessage(gorilla.TextMessage, []byte(text))
}

func (c gorillaClient) reason(err error) int {
	if closed, ok := errors.AsType[*gorilla.CloseError](err); ok {
		return closed.Code
	}
	return 0
}

func (c gorillaClient) drop() { c.conn.Close() }

// gwsClient reads in gws's read loop, which passes messages to callbacks: the library has no
// other interface.
type gwsClient struct {
	conn   *gws.Conn
	events *gwsEvents
}

type gwsEvents struct {
	gws.BuiltinEventHandler
	messages chan string
	closed   chan error
}

func (e *gwsEvents) OnMessage(_ *gws.Conn, m *gws.Message) {
	e.messages <- string(m.Bytes())
	m.Close()
}

func (e *gwsEvents) OnClose(_ *gws.Conn, err error) { e.closed <- err }

func dialGWS(url string) (client, error) {
	events := &gwsEvents{messages: make(chan string, 1), closed: make(chan error, 1)}
	conn, _, err := gws.NewClient(events, &gws.ClientOption{Addr: url})
	if err != nil {
		return nil, err
	}
	go conn.ReadLoop()
	return gwsClient{conn, events}, nil
}

// receive bounds the wait with a read deadline, gws's only way to end a read.
func (c gwsClient) receive(limit time.Duration) (string, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	select {
	case m := <-c.events.messages:
		return m, nil
	case err := <-c.events.closed:
		return "", err
	case <-time.After(limit + patience):
		return "", os.ErrDeadlineExceeded
	}
}

func (c gwsClient) send(text string) error { return c.conn.WriteString(text) }

func (c gwsClient) reason(error) int {
	select {
	case err := <-c.events.closed:
		if closed, ok := errors.AsType[*gws.CloseError](err); ok {
			return int(closed.Code)
		}
	default:
	}
	return 0
}

func (c gwsClient) drop() { c.conn.NetConn().Close() }

// readingClient keeps a reader running, as coder and gorilla require.
type readingClient struct {
	client
	ended chan error
}

// reading wraps dial: its client always receives.
func reading(dial func(url string) (client, error)) func(url string) (client, error) {
	return func(url string) (client, error) {
		c, err := dial(url)
		if err != nil {
			return nil, err
		}
		r := readingClient{c, make(chan error, 1)}
		go func() {
			for {
				if _, err := c.receive(time.Minute); err != nil {
					r.ended <- err
					return
				}
			}
		}()
		return r, nil
	}
}

func (c readingClient) reason(error) int {
	select {
	case err := <-c.ended:
		return c.client.reason(err)
	case <-time.After(10 * time.Millisecond):
		return 0
	}
}
