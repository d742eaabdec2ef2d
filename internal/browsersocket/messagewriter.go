//go:build js

package browsersocket

import (
	"context"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/jscall"
	"github.com/isosocket/isosocket/ws/driver"
)

// partSize is how many bytes cross to JavaScript at a time.
const partSize = 256 << 10

var _ driver.StreamSender = (*socket)(nil)

// messageWriter gathers a message in JavaScript, outside Go's memory: data in any number of
// Blobs, and text in strings.
type messageWriter struct {
	s       *socket
	isText  bool
	buf     []byte       // not passed to JavaScript yet
	array   scratch      // the bytes that cross
	parts   jscall.Value // an array
	decoder jscall.Value // for text
	size    int
	whole   jscall.Value // the message, once Close was called
}

// NextWriter prepares a message. Nothing is sent before the writer's Close.
func (s *socket) NextWriter(_ context.Context, kind driver.Kind, _ int) (driver.MessageWriter, error) {
	m := &messageWriter{s: s, isText: kind == driver.KindText}
	var js jscall.Builtins
	if m.isText {
		m.decoder = js.New("TextDecoder", "utf-8", map[string]any{"ignoreBOM": true})
	} else if blob := js.Get("Blob"); js.Err == nil && blob.Type() != jscall.TypeFunction {
		return nil, &unsupportedMessage{errors.New("there is no Blob")}
	}
	m.parts = js.List()
	if js.Err != nil {
		return nil, &unsupportedMessage{js.Err}
	}
	return m, nil
}

// Write keeps less than partSize bytes in Go's memory.
func (m *messageWriter) Write(_ context.Context, p []byte) (n int, err error) {
	for len(m.buf)+len(p)-n >= partSize {
		part := p[n:]
		if len(m.buf) > 0 {
			took := partSize - len(m.buf)
			m.buf = append(m.buf, p[n:n+took]...)
			part, n = m.buf, n+took
			m.buf = m.buf[:0]
		} else {
			part = part[:partSize]
			n += partSize
		}
		if err := m.pass(part); err != nil {
			return n, err
		}
	}
	m.buf = append(m.buf, p[n:]...)
	return len(p), nil
}

// pass passes data to JavaScript. Conn ensures that text ends after a complete rune.
func (m *messageWriter) pass(data []byte) error {
	view, err := m.array.hold(data)
	if err != nil {
		return &unsupportedMessage{err}
	}
	m.size += len(data)
	var js jscall.Builtins
	var part jscall.Value
	if m.isText {
		part = js.Call(m.decoder, "decode", view, map[string]any{"stream": true})
	} else {
		part = js.New("Blob", js.List(view))
	}
	js.Call(m.parts, "push", part)
	if js.Err != nil {
		return &unsupportedMessage{js.Err}
	}
	return nil
}

// Close passes the message to the browser as a whole.
func (m *messageWriter) Close(ctx context.Context) error {
	if m.whole.IsUndefined() {
		if len(m.buf) > 0 {
			if err := m.pass(m.buf); err != nil {
				return err
			}
		}
		var js jscall.Builtins
		if m.isText {
			m.whole = js.Call(m.parts, "join", "")
		} else {
			m.whole = js.New("Blob", m.parts)
		}
		m.buf, m.array, m.parts = nil, scratch{}, jscall.Value{}
		if js.Err != nil {
			return &unsupportedMessage{js.Err}
		}
	}
	queue := func() (int, error) { return m.s.out.queueWhole(m.whole, m.size, m.s.config.SendBuffer) }
	excess, err := queue()
	return m.s.finishSend(ctx, excess, err, "the Close of a writer", "call it on another goroutine", queue)
}

// Abandon drops the message.
func (m *messageWriter) Abandon() { *m = messageWriter{s: m.s} }

// unsupportedMessage is a message that this JavaScript environment cannot gather.
type unsupportedMessage struct{ err error }

func (e *unsupportedMessage) Error() string {
	return "websocket: this JavaScript environment cannot gather the message: " + e.err.Error()
}

func (e *unsupportedMessage) Unwrap() []error { return []error{errors.ErrUnsupported, e.err} }

func (e *unsupportedMessage) Is(target error) bool { return target == errors.ErrWebSocket }
