//go:build !js

package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// bidi is a session of WebDriver BiDi: JSON over a WebSocket
// (https://www.w3.org/TR/webdriver-bidi/). Its methods may be called from many goroutines.
type bidi struct {
	conn    *ws.Conn
	onEvent func(method string, params json.RawMessage)
	read    chan struct{} // closed after the last event

	mu      sync.Mutex
	last    int
	waiting map[int]chan<- bidiMessage
	err     error // why the session ended
}

// bidiMessage is a message of the browser.
type bidiMessage struct {
	Type    string          `json:"type"` // success, error or event
	ID      int             `json:"id"`
	Result  json.RawMessage `json:"result"`
	Error   string          `json:"error"`
	Message string          `json:"message"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

// dialBiDi connects to the browser at url. It calls onEvent with every event, in order; onEvent
// must neither block nor call the session.
func dialBiDi(ctx context.Context, url string, onEvent func(method string, params json.RawMessage)) (*bidi, error) {
	conn, err := isosocket.Dial(ctx, url, &isosocket.DialOptions{MaxMessageSize: 64 << 20})
	if err != nil {
		return nil, err
	}
	b := &bidi{conn: conn, onEvent: onEvent, read: make(chan struct{}), waiting: make(map[int]chan<- bidiMessage)}
	go b.readAll()
	return b, nil
}

func (b *bidi) readAll() {
	defer close(b.read)
	for {
		m, err := b.conn.Receive(context.Background())
		if err != nil {
			b.fail(err)
			return
		}
		var message bidiMessage
		if err := json.Unmarshal(m.Data, &message); err != nil {
			b.fail(fmt.Errorf("browser: the browser sent %.200q: %w", m.Data, err))
			_ = b.conn.Close(errors.UnsupportedData, "no JSON")
			return
		}
		if message.Type == "event" {
			b.onEvent(message.Method, message.Params)
			continue
		}
		b.mu.Lock()
		answer, ok := b.waiting[message.ID]
		delete(b.waiting, message.ID)
		b.mu.Unlock()
		if ok {
			answer <- message
		}
	}
}

// fail ends every call, and later ones, with err.
func (b *bidi) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	for _, answer := range b.waiting {
		close(answer)
	}
	b.waiting = nil
}

// call runs a command and stores its result in result, if that is not nil.
func (b *bidi) call(ctx context.Context, method string, params, result any) error {
	answer := make(chan bidiMessage, 1)
	b.mu.Lock()
	if err := b.err; err != nil {
		b.mu.Unlock()
		return fmt.Errorf("%s: the session has ended: %w", method, err)
	}
	b.last++
	id := b.last
	b.waiting[id] = answer
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.waiting, id)
		b.mu.Unlock()
	}()

	text, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	if err != nil {
		return err
	}
	if err := b.conn.Send(ctx, ws.Text(string(text))); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m, ok := <-answer:
		switch {
		case !ok:
			return fmt.Errorf("%s: the session has ended: %w", method, b.err)
		case m.Type != "success":
			return fmt.Errorf("%s: %s: %s", method, m.Error, m.Message)
		case result == nil:
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// close ends the connection. There are no events after it has returned.
func (b *bidi) close() {
	_ = b.conn.Close(errors.NormalClosure, "") // the browser may have ended
	<-b.read
}
