package stream

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/internal/testing/conversation"
	"github.com/isosocket/isosocket/ws"
)

// scripted is a net.Conn in memory. Reads return its data, at most step bytes at a time, and then
// cut, or wait if cut is nil. Writes take accept bytes and then fail or wait in the same way.
type scripted struct {
	mu      sync.Mutex
	changed sync.Cond
	data    []byte
	step    int
	cut     error
	accept  int // negative means all
	written []byte
	refused bool // a write was cut, and so are reads
	expired bool
	closed  bool
}

func newScripted(data []byte, step int, cut error) *scripted {
	s := &scripted{data: data, step: step, cut: cut, accept: -1}
	s.changed.L = &s.mu
	return s
}

func (s *scripted) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.closed:
			return 0, net.ErrClosed
		case s.expired:
			return 0, os.ErrDeadlineExceeded
		case len(s.data) > 0:
			n := copy(p[:min(len(p), s.step)], s.data)
			s.data = s.data[n:]
			return n, nil
		case s.cut != nil && (s.accept < 0 || s.refused):
			return 0, s.cut
		}
		s.changed.Wait()
	}
}

func (s *scripted) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(p)
	if s.accept >= 0 {
		n = min(n, s.accept-len(s.written))
	}
	s.written = append(s.written, p[:n]...)
	if n == len(p) {
		return n, nil
	}
	s.refused = true
	s.changed.Broadcast()
	for s.cut == nil && !s.closed {
		s.changed.Wait()
	}
	if s.closed {
		return n, net.ErrClosed
	}
	return n, s.cut
}

func (s *scripted) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.changed.Broadcast()
	return nil
}

// SetReadDeadline is called only with times in the past and with the zero time.
func (s *scripted) SetReadDeadline(at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expired = !at.IsZero()
	s.changed.Broadcast()
	return nil
}

func (s *scripted) SetDeadline(at time.Time) error      { return s.SetReadDeadline(at) }
func (s *scripted) SetWriteDeadline(at time.Time) error { return nil }
func (s *scripted) LocalAddr() net.Addr                 { return &net.UnixAddr{} }
func (s *scripted) RemoteAddr() net.Addr                { return &net.UnixAddr{} }

// cuts are the ways in which a stream ends. nil is silence.
var cuts = map[string]error{"FIN": io.EOF, "RST": syscall.ECONNRESET, "silence": nil}

var compressions = map[string]*rfc6455.DeflateParams{"plain": nil, "compressed": {}}

// receiveAll receives messages until the end.
func receiveAll(ctx context.Context, conn *ws.Conn) (got []string, closed *errors.ConnectionClosed) {
	for {
		m, err := conn.Receive(ctx)
		if err != nil {
			closed, _ := errors.AsType[*errors.ConnectionClosed](err)
			return got, closed
		}
		got = append(got, m.String())
	}
}

// TestCutEverywhere: a conversation that ends after any byte, in any of three ways, delivers its
// complete messages, and then the right end. Bytes arrive all at once and one at a time. synctest
// fails if a goroutine leaks.
func TestCutEverywhere(t *testing.T) {
	for _, role := range []rfc6455.Role{rfc6455.Client, rfc6455.Server} {
		for form, deflate := range compressions {
			c := conversation.New(1-role, deflate)
			for name, cut := range cuts {
				for delivery, step := range map[string]int{"at once": 1 << 20, "one byte at a time": 1} {
					t.Run(fmt.Sprintf("%v/%s/%s/%s", role, form, name, delivery), func(t *testing.T) {
						for n := range len(c.Wire) + 1 {
							synctest.Test(t, func(t *testing.T) {
								s := newScripted(bytes.Clone(c.Wire[:n]), step, cut)
								o := Options{Role: role, Deflate: deflate, PingInterval: time.Second, PingTimeout: time.Second}
								conn := ws.NewConn(New(s, o), &o.Config)
								got, closed := receiveAll(t.Context(), conn)
								if wrong := c.WrongEnd(n, got, closed, cut); wrong != "" {
									t.Fatalf("cut after %d of %d bytes: %s", n, len(c.Wire), wrong)
								}
								conn.Close(errors.NormalClosure, "")
							})
						}
					})
				}
			}
		}
	}
}

// TestCutWhileSending: if the stream takes only a part of the output, the peer gets a prefix of the
// messages, and Flush and Receive report the end.
func TestCutWhileSending(t *testing.T) {
	messages := []string{"one", "", strings.Repeat("sixteen bits of length, ", 8), "one", "last"}
	for _, role := range []rfc6455.Role{rfc6455.Client, rfc6455.Server} {
		for form, deflate := range compressions {
			var e rfc6455.Encoder
			e.Init(role, deflate, rfc6455.DeflatePolicy{Threshold: 1})
			var wire []byte
			for _, m := range messages {
				wire, _ = e.AppendMessage(wire, rfc6455.OpText, []byte(m))
			}
			e.Release()
			for name, cut := range cuts {
				if cut == io.EOF {
					continue // a peer that has closed its reading side answers with a reset
				}
				t.Run(fmt.Sprintf("%v/%s/%s", role, form, name), func(t *testing.T) {
					for n := range len(wire) {
						synctest.Test(t, func(t *testing.T) {
							s := newScripted(nil, 1, cut)
							s.accept = n
							o := Options{Role: role, Deflate: deflate, DeflatePolicy: rfc6455.DeflatePolicy{Threshold: 1}, PingInterval: time.Second, PingTimeout: time.Second}
							conn := ws.NewConn(New(s, o), &o.Config)
							for _, m := range messages {
								if conn.Send(t.Context(), ws.Text(m)) != nil {
									break
								}
							}
							flushed := conn.Flush(t.Context())
							_, closed := receiveAll(t.Context(), conn)
							reason := errors.AbnormalClosure
							if cut == nil {
								reason = errors.PolicyViolation
							}
							if closed == nil || closed.Reason != reason || closed.Remote || !errors.Is(flushed, reason) {
								t.Fatalf("after %d of %d bytes: Flush = %v, the end is %+v, want %d", n, len(wire), flushed, closed, reason)
							}
							var d rfc6455.Decoder
							d.Init(1-role, 0, deflate)
							var arrived []string
							for rest := bytes.Clone(s.written); len(rest) > 0; {
								k, ev, err := d.Decode(rest)
								if err != nil {
									t.Fatalf("after %d bytes, the received data does not decode: %v", n, err)
								}
								rest = rest[k:]
								if ev == rfc6455.EventMessage {
									_, data := d.Message()
									arrived = append(arrived, string(data))
								}
							}
							d.Release()
							if len(arrived) > len(messages) || !slices.Equal(arrived, messages[:len(arrived)]) {
								t.Fatalf("after %d bytes, %.200q arrived", n, arrived)
							}
							conn.Close(errors.NormalClosure, "")
						})
					}
				})
			}
		}
	}
}

// TestCutSockets is TestCutEverywhere over TCP, for FIN and RST.
func TestCutSockets(t *testing.T) {
	for _, role := range []rfc6455.Role{rfc6455.Client, rfc6455.Server} {
		for form, deflate := range compressions {
			c := conversation.New(1-role, deflate)
			for _, name := range []string{"FIN", "RST"} {
				t.Run(fmt.Sprintf("%v/%s/%s", role, form, name), func(t *testing.T) {
					for n := range len(c.Wire) + 1 {
						own, peer := tcpPair(t)
						o := Options{Role: role, Deflate: deflate}
						conn := ws.NewConn(New(own, o), &o.Config)
						write(t, peer, c.Wire[:n])
						var got []string
						// A reset discards unread bytes.
						for range c.Until(n) {
							m, err := conn.Receive(within(t))
							if err != nil {
								t.Fatalf("cut after %d bytes: %v after %q", n, err, got)
							}
							got = append(got, m.String())
						}
						cut := io.EOF
						if name == "RST" && n < len(c.Wire) {
							peer.(*net.TCPConn).SetLinger(0)
							peer.Close()
							cut = syscall.ECONNRESET
						} else {
							peer.(*net.TCPConn).CloseWrite()
						}
						more, closed := receiveAll(within(t), conn)
						// The system reports a reset once. If the write of a pong gets it, a read finds EOF.
						if closed != nil && (closed.Err == io.EOF || closed.Err == io.ErrUnexpectedEOF) {
							cut = io.EOF
						}
						if wrong := c.WrongEnd(n, append(got, more...), closed, cut); wrong != "" {
							t.Fatalf("cut after %d of %d bytes: %s", n, len(c.Wire), wrong)
						}
						conn.Close(errors.NormalClosure, "")
						peer.Close()
					}
				})
			}
		}
	}
}

// metered counts the bytes read from a connection, and ends it after a number of them.
type metered struct {
	net.Conn
	remaining int // bytes before cut; negative means no end
	read      int
	cut       error
}

func (m *metered) Read(p []byte) (int, error) {
	if m.remaining == 0 {
		return 0, m.cut
	}
	if m.remaining > 0 && len(p) > m.remaining {
		p = p[:m.remaining]
	}
	n, err := m.Conn.Read(p)
	m.read += n
	if m.remaining > 0 {
		m.remaining -= n
	}
	return n, err
}

// TestCutTLS cuts the encrypted stream, also inside a record. Handshakes are slow, so it cuts only
// at the end of each record, at the bytes beside it, and at every 13th byte.
func TestCutTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	serverSide := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, SessionTicketsDisabled: true}
	for _, role := range []rfc6455.Role{rfc6455.Client, rfc6455.Server} {
		// open returns this side's connection and the peer's, after the handshake.
		open := func(t *testing.T) (*metered, *tls.Conn, *tls.Conn) {
			c, s := tcpPair(t)
			own := &metered{Conn: c, remaining: -1}
			ownTLS, peer := tls.Client(own, &tls.Config{InsecureSkipVerify: true}), tls.Server(s, serverSide)
			if role == rfc6455.Server {
				ownTLS, peer = tls.Server(own, serverSide), tls.Client(s, &tls.Config{InsecureSkipVerify: true})
			}
			failed := make(chan error, 1)
			go func() { failed <- peer.Handshake() }()
			if err := errors.Join(ownTLS.Handshake(), <-failed); err != nil {
				t.Fatal(err)
			}
			return own, ownTLS, peer
		}
		for form, deflate := range compressions {
			c := conversation.New(1-role, deflate)
			// Each frame is a record. One run measures the lengths of all records.
			var records []int
			own, ownTLS, peer := open(t)
			for i, end := range c.Frames {
				start := 0
				if i > 0 {
					start = c.Frames[i-1]
				}
				write(t, peer, c.Wire[start:end])
				if i == 0 {
					own.read = 0
				}
				if _, err := io.ReadFull(ownTLS, make([]byte, end-start)); err != nil {
					t.Fatal(err)
				}
				records = append(records, own.read)
			}
			ownTLS.Close()
			peer.Close()
			total := records[len(records)-1]
			for name, cut := range map[string]error{"FIN": io.EOF, "RST": syscall.ECONNRESET} {
				t.Run(fmt.Sprintf("%v/%s/%s", role, form, name), func(t *testing.T) {
					for n := range total + 1 {
						beside := slices.ContainsFunc(records, func(end int) bool { return n >= end-1 && n <= end+1 })
						if !beside && n%13 != 0 {
							continue
						}
						own, ownTLS, peer := open(t)
						own.remaining, own.cut = n, cut
						for i, end := range c.Frames {
							start := 0
							if i > 0 {
								start = c.Frames[i-1]
							}
							write(t, peer, c.Wire[start:end])
						}
						o := Options{Role: role, Deflate: deflate}
						conn := ws.NewConn(New(ownTLS, o), &o.Config)
						got, closed := receiveAll(within(t), conn)
						whole := 0 // bytes of the conversation in complete records
						for i, end := range records {
							if end <= n {
								whole = c.Frames[i]
							}
						}
						want := c.Until(whole)
						reason := errors.AbnormalClosure
						if n == total {
							reason = 4000
						}
						if !slices.Equal(got, want) || closed == nil || closed.Reason != reason || closed.Remote != (n == total) {
							t.Fatalf("cut after %d of %d bytes: received %.100q and %+v, want %.100q and %d", n, total, got, closed, want, reason)
						}
						conn.Close(errors.NormalClosure, "")
						peer.Close()
					}
				})
			}
		}
	}
}
