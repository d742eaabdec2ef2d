package driver_test

import (
	"context"
	"io"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws/driver"
)

// FuzzInbox compares an Inbox with a plain slice. Each byte of the input is a step.
func FuzzInbox(f *testing.F) {
	f.Add([]byte("+-++--"))
	f.Add([]byte("+++e--+-"))
	f.Add([]byte("++++++++++c+-"))
	long := make([]byte, 400)
	for i := range long {
		long[i] = "+++-"[i%4]
	}
	f.Add(append(long, "------------------------------------------------------------------------e----"...))
	f.Fuzz(func(t *testing.T, steps []byte) {
		var b driver.Inbox
		var model []string
		ended := false
		for i, step := range steps {
			switch step {
			case '+':
				text := strconv.Itoa(i)
				b.Push(driver.Message{Kind: driver.KindText, Data: []byte(text)})
				if !ended {
					model = append(model, text)
				}
			case 'e':
				b.End()
				ended = true
			case 'c':
				b.Clear()
				model = nil
			default:
				m, ok, err := b.Pull()
				switch {
				case len(model) > 0:
					if !ok || err != nil || m.String() != model[0] {
						t.Fatalf("step %d: Pull = %q, %v, %v, want %q", i, m, ok, err, model[0])
					}
					model = model[1:]
				case ok || ended != (err == io.EOF):
					t.Fatalf("step %d: Pull of nothing = %q, %v, %v", i, m, ok, err)
				}
			}
			bytes := 0
			for _, s := range model {
				bytes += len(s) + 32
			}
			if b.Bytes() != bytes {
				t.Fatalf("step %d: Bytes = %d, want %d", i, b.Bytes(), bytes)
			}
		}
	})
}

func TestInboxWakesWaiters(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		wake func(b *driver.Inbox, cancel func())
		want error
	}{
		{"by a message", func(b *driver.Inbox, _ func()) { b.Push(driver.Message{Kind: driver.KindText, Data: []byte("x")}) }, nil},
		{"by the end", func(b *driver.Inbox, _ func()) { b.End() }, io.EOF},
		{"by its context", func(_ *driver.Inbox, cancel func()) { cancel() }, context.Canceled},
	} {
		synctest.Test(t, func(t *testing.T) {
			var b driver.Inbox
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			received := make(chan error)
			go func() { _, err := b.Receive(ctx); received <- err }()
			synctest.Wait()
			test.wake(&b, cancel)
			if err := <-received; !errors.Is(err, test.want) {
				t.Errorf("%s: Receive = %v, want %v", test.name, err, test.want)
			}
		})
	}
}

func TestInboxFromManyGoroutines(t *testing.T) {
	t.Parallel()
	var b driver.Inbox
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				b.Push(driver.Message{Kind: driver.KindText, Data: []byte("x")})
			}
		})
	}
	go func() {
		wg.Wait()
		b.End()
	}()
	n := 0
	for {
		if _, err := b.Receive(t.Context()); err != nil {
			break
		}
		n++
	}
	if n != 8*500 {
		t.Errorf("%d messages", n)
	}
}
