package stream

import (
	"context"

	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws/driver"
)

// streamAhead is how many bytes of a message in fragments may be queued before its writer waits.
const streamAhead = 128 << 10

// messageWriter writes one message in fragments (RFC 6455, section 5.4). It sends a message
// that fits into a single fragment as Send does.
type messageWriter struct {
	t        *Transport
	kind     driver.Kind
	fragment int                // bytes of data
	buf      *outputBuffer      // data that was not sent; nil if none
	frames   *rfc6455.Fragments // nil until the first of them
	mark     uint32             // the high-water mark, which is 0 in the writer meanwhile
}

// NextWriter implements driver.StreamSender.
func (t *Transport) NextWriter(_ context.Context, kind driver.Kind, fragment int) (driver.MessageWriter, error) {
	return &messageWriter{t: t, kind: kind, fragment: fragment}, nil
}

// SendPing implements driver.PingSender.
func (w *writer) SendPing() { w.sendControl(rfc6455.OpPing, nil) }

// Write implements driver.MessageWriter.
func (m *messageWriter) Write(ctx context.Context, p []byte) (n int, err error) {
	for len(p) > n {
		rest := p[n:]
		if m.buf == nil && len(rest) >= m.fragment {
			if err := m.send(ctx, rest[:m.fragment], false); err != nil {
				return n, err
			}
			n += m.fragment
			continue
		}
		if m.buf == nil {
			m.buf = takeOutput()
		}
		took := min(len(rest), m.fragment-len(m.buf.b))
		m.buf.b = append(m.buf.b, rest[:took]...)
		n += took
		if len(m.buf.b) == m.fragment {
			if err := m.send(ctx, m.buf.b, false); err != nil {
				return n, err
			}
			m.drop()
		}
	}
	return n, nil
}

// Close implements driver.MessageWriter.
func (m *messageWriter) Close(ctx context.Context) error {
	var data []byte
	if m.buf != nil {
		data = m.buf.b
	}
	var err error
	if m.frames == nil {
		err = m.t.Send(ctx, driver.Message{Kind: m.kind, Data: data})
	} else {
		err = m.send(ctx, data, true)
	}
	m.drop()
	return err
}

// Abandon implements driver.MessageWriter.
func (m *messageWriter) Abandon() {
	m.t.mu.Lock()
	if m.frames != nil {
		m.frames.Abandon()
	}
	m.t.mu.Unlock()
	m.drop()
}

func (m *messageWriter) drop() {
	if m.buf != nil {
		giveOutput(m.buf)
		m.buf = nil
	}
}

// send sends data as the next fragment, the last one if fin. It waits while streamAhead or a
// whole fragment is queued, so that a message takes little memory however large it is.
func (m *messageWriter) send(ctx context.Context, data []byte, fin bool) error {
	w := &m.t.writer
	w.mu.Lock()
	for w.broken == nil && !w.closeSent && w.queued() >= max(m.fragment, streamAhead) {
		if err := w.awaitProgress(ctx); err != nil {
			w.mu.Unlock()
			return err
		}
	}
	if w.broken != nil || w.closeSent {
		// Also after a failed write whose cause is not known yet. A Send would lose the message
		// without an error then, but this message can never be complete.
		w.lost = true
		w.mu.Unlock()
		return errEnded
	}
	if m.frames == nil {
		m.frames = w.encoder.Fragments(rfc6455.Opcode(m.kind))
		m.mark, w.highWater = w.highWater, 0
		if w.traffic != nil {
			w.traffic.sent++
		}
	}
	if w.traffic != nil {
		w.traffic.sentData += uint64(len(data))
	}
	m.t.intake.busy()
	if len(data) >= inPlace && !m.frames.Compresses() && w.outlet.usable() && w.out == nil && !w.writing && w.role == rfc6455.Server {
		header := takeOutput()
		header.b = m.frames.AppendHeader(header.b, len(data), fin)
		w.writing, w.inFlight = true, len(header.b)+len(data)
		m.sent(fin)
		w.mu.Unlock()
		w.writeInPlace(header.b, data)
		giveOutput(header)
		return nil
	}
	out := w.output()
	out.b = m.frames.Append(out.b, data, fin)
	m.sent(fin)
	if len(out.b) == 0 {
		// The compressor keeps all of it for now.
		giveOutput(out)
		w.out = nil
	}
	todo := w.planWrite(false)
	w.mu.Unlock()
	w.carryOut(todo)
	return nil
}

// sent lets other goroutines send after the last fragment. It is not known how much the system
// holds by then. Called with mu held.
func (m *messageWriter) sent(fin bool) {
	if !fin {
		return
	}
	w := &m.t.writer
	w.highWater, w.handed = m.mark, m.mark
	w.tellProgress()
	if w.encoder.Holds() {
		w.compressed()
	}
}
