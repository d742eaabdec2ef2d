package load

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/bench/internal/latency"
	"github.com/isosocket/isosocket/bench/internal/wire"
)

// chunk is how many bytes the server reads or writes at once.
const chunk = 32 << 10

// Server is the server for measured clients.
type Server struct {
	listener net.Listener
	closing  atomic.Bool
	failure  atomic.Pointer[error]
	done     sync.WaitGroup

	mu    sync.Mutex
	conns []*served
}

type served struct {
	counter
	conn net.Conn
}

// Answer starts a server that answers every message with one of payload. It answers all messages
// of one read with one write.
func Answer(payload []byte) (*Server, error) {
	frame := wire.AppendServerFrame(nil, wire.Binary, payload)
	var replies []byte
	for len(replies) < chunk {
		replies = append(replies, frame...)
	}
	return listen(func(k *served) error {
		var scanner wire.Scanner
		buf := make([]byte, chunk)
		for {
			n, err := k.conn.Read(buf)
			if err != nil {
				return err
			}
			messages, err := scanner.Scan(buf[:n])
			if err != nil {
				return err
			}
			k.add(messages, n)
			for messages > 0 {
				n := min(messages, len(replies)/len(frame))
				if _, err := k.conn.Write(replies[:n*len(frame)]); err != nil {
					return err
				}
				messages -= n
			}
		}
	})
}

// Flood starts a server that sends messages of payload as fast as it can.
func Flood(payload []byte) (*Server, error) {
	frame := wire.AppendServerFrame(nil, wire.Binary, payload)
	var all []byte
	messages := 0
	for ; len(all) < chunk; messages++ {
		all = append(all, frame...)
	}
	return listen(func(k *served) error {
		for {
			n, err := k.conn.Write(all)
			if err != nil {
				return err
			}
			k.add(messages, n)
		}
	})
}

func listen(serve func(*served) error) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{listener: l}
	s.done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			k := &served{conn: conn}
			s.mu.Lock()
			s.conns = append(s.conns, k)
			if s.closing.Load() {
				conn.Close()
			}
			s.mu.Unlock()
			s.done.Go(func() {
				err := wire.Accept(conn)
				if err == nil {
					err = serve(k)
				}
				if !s.closing.Load() {
					s.failure.CompareAndSwap(nil, &err)
				}
				conn.Close() // for the client not to wait for a message that never arrives
			})
		}
	})
	return s, nil
}

// Address returns the address to dial.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Count returns the messages sent to or received from the clients so far.
func (s *Server) Count() Count {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum Count
	for _, k := range s.conns {
		sum.Messages += k.messages.Load()
		sum.Bytes += k.bytes.Load()
	}
	sum.At = time.Now()
	return sum
}

// Time does nothing: measured clients time their own round trips.
func (s *Server) Time(bool) {}

// Times returns nil: measured clients time their own round trips.
func (s *Server) Times() *latency.Counts { return nil }

// Err returns the first error, or nil.
func (s *Server) Err() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Close ends all connections and waits for all goroutines.
func (s *Server) Close() {
	s.closing.Store(true)
	s.listener.Close()
	s.mu.Lock()
	for _, k := range s.conns {
		k.conn.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
}
