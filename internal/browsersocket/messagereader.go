//go:build js

package browsersocket

import (
	"context"
	"io"

	"github.com/isosocket/isosocket/internal/jscall"
	"github.com/isosocket/isosocket/ws/driver"
)

var _ driver.StreamReceiver = (*socket)(nil)

// apartReader reads a message that the relay kept apart, from JavaScript's memory.
type apartReader struct {
	s     *socket
	kind  driver.Kind
	bytes jscall.Value // a Uint8Array
	size  int
	read  int
}

// NextReader waits for a message. The browser reports a message only once it is complete.
func (s *socket) NextReader(ctx context.Context) (driver.MessageReader, error) {
	for {
		r, err := s.pullReader()
		if r != nil || err != nil {
			return r, err
		}
		if ctx.Err() != nil {
			s.spin.call()
			s.in.look()
			if r, err := s.pullReader(); r != nil || err != nil {
				return r, err
			}
			return nil, ctx.Err()
		}
		if err := s.awaitMessage(ctx, "NextReader", "call it on another goroutine"); err != nil {
			return nil, err
		}
	}
}

// pullReader returns a reader of the oldest message, nil if there is none.
func (s *socket) pullReader() (driver.MessageReader, error) {
	r, size, err := s.in.pullReader(s)
	if err = s.checkPulled(size, s.config.MaxStreamSize, err); err != nil {
		return nil, err
	}
	return r, nil
}

func (b *inbound) pullReader(s *socket) (driver.MessageReader, int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h, ok, err := b.front()
	if !ok {
		return nil, 0, err
	}
	kind := kindOf(h)
	if !h.IsApart() {
		data := append([]byte(nil), b.data(h)...)
		b.next(h)
		return driver.ReaderOf(driver.Message{Kind: kind, Data: data}), int64(len(data)), nil
	}
	r := &apartReader{s: s, kind: kind}
	if r.bytes, err = b.relay.Apart(h.IsText()); err == nil {
		r.size, err = r.bytes.Length()
	}
	b.next(h)
	return r, int64(r.size), err
}

// Kind implements driver.MessageReader.
func (r *apartReader) Kind() driver.Kind { return r.kind }

// Read copies the next bytes of the message to p.
func (r *apartReader) Read(_ context.Context, p []byte) (int, error) {
	n := min(len(p), r.size-r.read)
	if n == 0 {
		if !r.bytes.IsUndefined() {
			r.s.in.relay.Free(r.bytes)
		}
		r.bytes = jscall.Value{}
		return 0, io.EOF
	}
	view, err := r.bytes.Call("subarray", r.read, r.read+n)
	if err == nil {
		_, err = jscall.CopyBytesToGo(p[:n], view)
	}
	if err != nil {
		return 0, r.s.checkPulled(0, 0, err)
	}
	r.read += n
	return n, nil
}
