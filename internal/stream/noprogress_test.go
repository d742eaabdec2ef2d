package stream

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// empty is a stream whose Read returns neither data nor an error.
type empty struct {
	closed chan struct{}
	reads  int
}

func (e *empty) Read([]byte) (int, error) {
	select {
	case <-e.closed:
		return 0, io.ErrClosedPipe
	default:
		e.reads++
		return 0, nil
	}
}
func (e *empty) Write(p []byte) (int, error) { return len(p), nil }
func (e *empty) Close() error {
	select {
	case <-e.closed:
	default:
		close(e.closed)
	}
	return nil
}

// A stream that never makes progress ends the connection; it must not keep a processor busy.
func TestReadsWithoutProgress(t *testing.T) {
	s := &empty{closed: make(chan struct{})}
	conn := ws.NewConn(New(s, Options{Role: rfc6455.Client}), nil)
	ctx, cancel := context.WithTimeout(t.Context(), slack)
	defer cancel()
	if _, err := conn.Receive(ctx); !errors.Is(err, errors.AbnormalClosure) || !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("Receive = %v after %d reads, want 1006 and io.ErrNoProgress", err, s.reads)
	}
	conn.Close(errors.NormalClosure, "")
}

// A message in parts whose ctx ends while the peer takes nothing ends the connection, in Write and
// in Close, however the data is cut.
func TestPartsToAPeerThatReadsNothing(t *testing.T) {
	for name, size := range map[string]int{"whole fragments": 1 << 20, "small pieces": 100} {
		for _, deflate := range []*rfc6455.DeflateParams{nil, {ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}} {
			if deflate != nil {
				name += ", compressed"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c, s := net.Pipe()
					defer c.Close()
					transport := New(s, Options{Role: rfc6455.Server, Deflate: deflate, DeflatePolicy: rfc6455.DeflatePolicy{Threshold: -1}})
					conn := ws.NewConn(transport, &ws.Config{MaxStreamSize: 1 << 30})
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					w, err := conn.NextWriter(ctx, ws.KindBinary)
					if err != nil {
						t.Fatal(err)
					}
					data := make([]byte, size)
					seed := uint32(1)
					for i := range data { // that deflate cannot make smaller
						seed = seed*1664525 + 1013904223
						data[i] = byte(seed >> 24)
					}
					for range 1 << 20 {
						if _, err = w.Write(data); err != nil {
							break
						}
					}
					// Whether the end of ctx or that of the connection comes first is not certain.
					if !errors.Is(err, errors.ErrMessageAbandoned) && !errors.Is(err, errors.InternalError) {
						t.Errorf("Write = %v", err)
					}
					if cause, ok := errors.AsType[*errors.ConnectionClosed](conn.Err()); !ok || cause.Reason != errors.InternalError || cause.Remote {
						t.Errorf("the connection has %v, want a local 1011", conn.Err())
					}
					if err := w.Close(); err == nil {
						t.Error("Close of the message succeeded")
					}
					conn.CloseNow(errors.GoingAway, "")
				})
			})
		}
	}
}
