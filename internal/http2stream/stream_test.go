package http2stream

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/internal/testing/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// fakeOutlet records what is written, and can make Write wait until Abort.
type fakeOutlet struct {
	bytes.Buffer
	waits   bool
	aborted chan struct{}
	once    sync.Once
}

func (o *fakeOutlet) Write(p []byte) (int, error) {
	if o.waits {
		<-o.aborted
		return 0, io.ErrClosedPipe
	}
	return o.Buffer.Write(p)
}

func (o *fakeOutlet) Abort() { o.once.Do(func() { close(o.aborted) }) }

// start returns a stream, and the peer's side of its body.
func start(t *testing.T) (*Stream, *fakeOutlet, *io.PipeWriter) {
	t.Helper()
	body, peer := io.Pipe()
	out := &fakeOutlet{aborted: make(chan struct{})}
	s := New(body, out, nil, nil)
	var pump sync.WaitGroup
	pump.Go(s.Pump)
	t.Cleanup(func() {
		s.Close()
		pump.Wait()
	})
	return s, out, peer
}

// All bytes arrive in order, whatever the sizes of the writes and reads are, and then the end.
func TestReadReturnsEverything(t *testing.T) {
	t.Parallel()
	want := make([]byte, 500_000)
	for i := range want {
		want[i] = byte(i * i / 7)
	}
	for _, size := range []int{1000, smallRead, smallRead + 1, 100_000} {
		for _, read := range []int{999, 64 << 10} {
			s, _, peer := start(t)
			go func() {
				for rest := want; len(rest) > 0; {
					n := min(size, len(rest))
					peer.Write(rest[:n])
					rest = rest[n:]
				}
				peer.CloseWithError(io.ErrUnexpectedEOF)
			}()
			var got []byte
			p := make([]byte, read)
			var err error
			for err == nil {
				var n int
				n, err = s.Read(p)
				got = append(got, p[:n]...)
			}
			if !bytes.Equal(got, want) || err != io.ErrUnexpectedEOF {
				t.Errorf("writes of %d, reads of %d: read %d bytes, then %v", size, read, len(got), err)
			}
		}
	}
}

// A deadline interrupts a read, and the next one continues.
func TestReadDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, peer := start(t)
		p := make([]byte, 10)
		for _, wait := range []time.Duration{time.Second, -time.Second, time.Minute} {
			began := time.Now()
			s.SetReadDeadline(began.Add(time.Hour)) // is replaced
			s.SetReadDeadline(began.Add(wait))
			if _, err := s.Read(p); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != max(wait, 0) {
				t.Errorf("Read = %v after %v, want the deadline after %v", err, time.Since(began), wait)
			}
		}
		s.SetReadDeadline(time.Time{})
		go peer.Write([]byte("hello"))
		if n, err := s.Read(p); string(p[:n]) != "hello" || err != nil {
			t.Errorf("Read = %q, %v", p[:n], err)
		}
		if s.SetWriteDeadline(time.Time{}) == nil || s.SetDeadline(time.Time{}) == nil {
			t.Error("a write has no deadline, and no error says so")
		}
		if s.LocalAddr() != nil || s.RemoteAddr() != nil {
			t.Error("addresses out of nowhere")
		}
		s.SetReadDeadline(time.Now().Add(time.Hour)) // Close stops its timer
	})
}

// Close makes everything that waits return: Read, Write and the pump, also one that holds input that
// nobody takes.
func TestCloseEndsWaits(t *testing.T) {
	t.Parallel()
	for _, unread := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, out, peer := start(t)
			out.waits = true
			errs := make(chan error, 2)
			if unread {
				go func() {
					peer.Write([]byte("one"))
					peer.Write([]byte("two"))
				}()
			} else {
				go func() {
					_, err := s.Read(make([]byte, 1))
					errs <- err
				}()
			}
			go func() {
				_, err := s.Write([]byte("x"))
				errs <- err
			}()
			synctest.Wait()
			if err := s.Close(); err != nil {
				t.Errorf("Close = %v", err)
			}
			waits := 2
			if unread {
				waits = 1
			}
			for range waits {
				if err := <-errs; err == nil {
					t.Error("no error after Close")
				}
			}
			if _, err := s.Read(make([]byte, 1)); err != net.ErrClosed {
				t.Errorf("Read = %v after Close", err)
			}
			if _, err := s.Write(nil); err != net.ErrClosed {
				t.Errorf("Write = %v after Close", err)
			}
			if err := s.Close(); err != net.ErrClosed {
				t.Errorf("Close = %v after Close", err)
			}
			<-s.Done()
			peer.Close()
		})
	}
}

// Close lets a stream whose Write does not wait deliver what was written: it does not reset it.
func TestCloseDelivers(t *testing.T) {
	t.Parallel()
	s, out, _ := start(t)
	s.Write([]byte("last"))
	if err := s.CloseWrite(); err != nil || out.String() != "last" {
		t.Errorf("CloseWrite = %v after %q", err, out.String())
	}
	select {
	case <-out.aborted:
		t.Error("the stream was reset")
	default:
	}
}
