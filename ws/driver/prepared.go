package driver

import (
	"context"
	"sync"
	"sync/atomic"
)

// Prepared is a message for many connections, and the bytes that stand for it on those that
// frame and compress it alike. It may be used by many goroutines at the same time.
type Prepared struct {
	message Message

	forms atomic.Pointer[[]preparedForm]
	mu    sync.Mutex // held by whoever makes a form
}

type preparedForm struct {
	key  any
	data []byte
}

// Prepare makes p, which must be new, stand for m. m.Data may not be changed as long as p is
// in use.
func (p *Prepared) Prepare(m Message) { p.message = m }

// Message returns the message itself.
func (p *Prepared) Message() Message { return p.message }

// Form returns the bytes for p's message under key. build makes them when they are first
// asked for; key has everything that the result of build depends on. The bytes are
// shared and may not be changed.
func Form[K comparable](p *Prepared, key K, build func(Message) []byte) []byte {
	if data, ok := findForm(p, key); ok {
		return data
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if data, ok := findForm(p, key); ok {
		return data
	}
	var forms []preparedForm
	if old := p.forms.Load(); old != nil {
		forms = append(forms, *old...)
	}
	forms = append(forms, preparedForm{key, build(p.message)})
	p.forms.Store(&forms)
	return forms[len(forms)-1].data
}

// findForm looks without a lock and allocates nothing: there are few forms, and
// many who look.
func findForm[K comparable](p *Prepared, key K) ([]byte, bool) {
	if forms := p.forms.Load(); forms != nil {
		for _, f := range *forms {
			if k, ok := f.key.(K); ok && k == key {
				return f.data, true
			}
		}
	}
	return nil, false
}

// PreparedSender is what a [Transport] implements that can send a [Prepared]
// for less than its message. SendPrepared is Send in all else.
type PreparedSender interface {
	SendPrepared(ctx context.Context, p *Prepared) error
}

// TryPreparedSender is [PreparedSender] for a transport that can say at once
// that there is no room, with [errors.ErrWouldBlock].
type TryPreparedSender interface {
	TrySendPrepared(p *Prepared) error
}
