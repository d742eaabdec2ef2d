package driver

import (
	"context"
	"sync"
	"sync/atomic"
)

// Prepared is a message for many connections, with its framed and compressed forms. It
// may be used by many goroutines at the same time.
type Prepared struct {
	message Message

	forms atomic.Pointer[[]preparedForm]
	mu    sync.Mutex // held while a form is built
}

type preparedForm struct {
	key  any
	data []byte
}

// Prepare sets the message of p, which must be new. m.Data must not be changed as long as
// p is in use.
func (p *Prepared) Prepare(m Message) { p.message = m }

// Message returns the message itself.
func (p *Prepared) Message() Message { return p.message }

// Form returns the form of p's message for key. The first call for a key builds it with
// build. key must contain everything that the result of build depends on. The bytes are
// shared and must not be changed.
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

// findForm takes no lock and allocates nothing: there are few forms and many lookups.
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

// PreparedSender may be implemented by a [Transport] that can send a [Prepared] at a
// lower cost than its message. In all other respects SendPrepared is like Send.
type PreparedSender interface {
	SendPrepared(ctx context.Context, p *Prepared) error
}

// TryPreparedSender is the [PreparedSender] of a transport that can report at once,
// with [errors.ErrWouldBlock], that there is no space.
type TryPreparedSender interface {
	TrySendPrepared(p *Prepared) error
}
