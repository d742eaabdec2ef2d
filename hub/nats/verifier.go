package nats

import (
	"context"
	"sync"
	"time"
)

// verifier finds out whether a stream still has its marker. Those who ask at the same time share
// one request.
type verifier struct {
	turn sync.Mutex // held during a request

	mu   sync.Mutex
	next *verification // its request has not begun
}

// verification is a request, and its answer.
type verification struct {
	done          chan struct{} // closed when there is an answer
	stream, epoch string
	found         bool
	err           error
}

// verify reports whether what was read before from a stream was read from st, and not from another
// stream with its name. If it was not, verify returns when the engine has another storage.
func (e *Engine) verify(ctx context.Context, st *storage) (same bool, err error) {
	for {
		v, err := e.verification(ctx)
		if err != nil {
			return false, err
		}
		switch now := e.storage.Load(); {
		case now.stream != st.stream || now.epoch != st.epoch:
			return false, nil
		case v.stream != st.stream:
			continue
		case v.found && v.epoch == st.epoch:
			return true, nil
		}
		e.keeper.urgent.Store(true)
		e.wake()
		if !e.sleep(ctx, 10*time.Millisecond) {
			return false, e.linkError("read history", ctx.Err())
		}
	}
}

// verification returns the answer to a request that begins after the call.
func (e *Engine) verification(ctx context.Context) (*verification, error) {
	for {
		e.marker.mu.Lock()
		v := e.marker.next
		own := v == nil
		if own {
			v = &verification{done: make(chan struct{})}
			e.marker.next = v
		}
		e.marker.mu.Unlock()
		if own {
			e.request(ctx, v)
			return v, v.err
		}
		select {
		case <-v.done:
		case <-ctx.Done():
			return nil, e.linkError("read history", ctx.Err())
		}
		if v.err == nil || ctx.Err() != nil {
			return v, v.err
		}
		// Perhaps only the context of the other has ended.
	}
}

// request gets the marker for v.
func (e *Engine) request(ctx context.Context, v *verification) {
	defer close(v.done)
	e.marker.turn.Lock()
	defer e.marker.turn.Unlock()
	e.marker.mu.Lock()
	e.marker.next = nil
	e.marker.mu.Unlock()
	v.stream = e.storage.Load().stream
	var id []byte
	_, id, v.found, v.err = e.lastOf(ctx, v.stream, e.markerSubject())
	v.epoch = string(id)
}
