package stream

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"sync"
	"testing"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// skipFrame reads one frame of any size and returns its first byte and length.
func skipFrame(r *bufio.Reader) (first byte, length int64, err error) {
	var head [2]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return 0, 0, err
	}
	var b [8]byte
	switch length = int64(head[1] & 0x7f); length {
	case 126:
		_, err = io.ReadFull(r, b[6:])
		length = int64(binary.BigEndian.Uint64(b[:]))
	case 127:
		_, err = io.ReadFull(r, b[:])
		length = int64(binary.BigEndian.Uint64(b[:]))
	}
	if err == nil && head[1]&0x80 != 0 {
		_, err = r.Discard(4)
	}
	if err == nil {
		_, err = r.Discard(int(length))
	}
	return head[0], length, err
}

// TestNothingFollowsTheCloseFrame: a close frame is the last frame on the wire, no matter which
// side closes and what is sent at the same time (RFC 6455, section 5.5.1). Then the stream ends.
func TestNothingFollowsTheCloseFrame(t *testing.T) {
	for _, role := range []rfc6455.Role{rfc6455.Client, rfc6455.Server} {
		for name, peerCloses := range map[string]bool{"this side closes": false, "the peer closes": true} {
			t.Run(role.String()+", "+name, func(t *testing.T) {
				for range 5 {
					own, peer := tcpPair(t)
					conn := connect(t, role, own, Options{})
					var senders sync.WaitGroup
					sent := make(chan struct{}, 4)
					for range 4 {
						senders.Go(func() {
							for i := 0; conn.Send(context.Background(), ws.Binary(make([]byte, 300))) == nil; i++ {
								if i == 3 {
									sent <- struct{}{}
								}
							}
						})
					}
					<-sent // one of them: it may keep the others waiting, as nothing is read yet
					masked := role == rfc6455.Server
					var closers sync.WaitGroup
					if peerCloses {
						// Pings after the close frame get no pong.
						write(t, peer, frame(0x89, masked, []byte("p")), closeFrame(masked, 4000, ""), frame(0x89, masked, []byte("late")))
					} else {
						closers.Go(func() { conn.Close(4000, "") })
					}
					frames := bufio.NewReader(peer)
					closes, after := 0, 0
					for {
						first, _, err := skipFrame(frames)
						if err != nil {
							break // FIN, or a reset because of unread bytes
						}
						switch {
						case first == 0x88:
							closes++
							if !peerCloses {
								write(t, peer, closeFrame(masked, 4000, ""))
							}
						case closes > 0:
							after++
						}
					}
					if closes != 1 || after != 0 {
						t.Errorf("got %d close frames, and %d frames after the first", closes, after)
					}
					closers.Wait()
					mustEnd(t, conn, 4000, "", peerCloses)
					senders.Wait()
					peer.Close()
				}
			})
		}
	}
}

// TestServerClosesFirst: after both close frames the server ends the TCP connection at once (RFC
// 6455, section 7.1.1), with a FIN, although the client has not ended its side.
func TestServerClosesFirst(t *testing.T) {
	for name, peerCloses := range map[string]bool{"the server starts": false, "the client starts": true} {
		t.Run(name, func(t *testing.T) {
			own, peer := tcpPair(t)
			conn := connect(t, rfc6455.Server, own, Options{})
			closed := make(chan error, 1)
			if peerCloses {
				write(t, peer, closeFrame(true, 1000, ""))
				mustEnd(t, conn, errors.NormalClosure, "", true)
				closed <- nil
			} else {
				go func() { closed <- conn.Close(errors.NormalClosure, "") }()
			}
			if first, payload := readFrame(t, peer); first != 0x88 || string(payload) != "\x03\xe8" {
				t.Fatalf("the peer got %x %q", first, payload)
			}
			if !peerCloses {
				write(t, peer, closeFrame(true, 1000, ""))
			}
			if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("after both close frames the peer's read returned %v, want io.EOF", err)
			}
			if err := <-closed; err != nil {
				t.Errorf("Close = %v", err)
			}
			peer.Close()
		})
	}
}

// TestPongCarriesThePing: a pong has the payload of its ping, of every length (RFC 6455, section
// 5.5.3).
func TestPongCarriesThePing(t *testing.T) {
	for _, role := range []rfc6455.Role{rfc6455.Client, rfc6455.Server} {
		own, peer := tcpPair(t)
		conn := connect(t, role, own, Options{})
		go conn.Receive(within(t))
		for _, n := range []int{0, 1, 64, 125} {
			payload := make([]byte, n)
			for i := range payload {
				payload[i] = byte(255 - i)
			}
			write(t, peer, frame(0x89, role == rfc6455.Server, payload))
			if first, got := readFrame(t, peer); first != 0x8a || string(got) != string(payload) {
				t.Errorf("%v: the answer to a ping of %d bytes is %x %x", role, n, first, got)
			}
		}
		peer.Close()
	}
}

// TestNothingIsReadAfterAViolation: messages and a close frame that follow a violation are ignored
// (RFC 6455, section 7.1.7), even if they arrive in the same packet.
func TestNothingIsReadAfterAViolation(t *testing.T) {
	for _, role := range []rfc6455.Role{rfc6455.Client, rfc6455.Server} {
		masked := role == rfc6455.Server
		own, peer := tcpPair(t)
		conn := connect(t, role, own, Options{})
		write(t, peer, frame(0x83, masked, nil), frame(0x81, masked, []byte("late")), closeFrame(masked, 4000, "late"))
		mustEnd(t, conn, errors.ProtocolError, "*", false)
		if first, payload := readFrame(t, peer); first != 0x88 || len(payload) < 2 || string(payload[:2]) != "\x03\xea" {
			t.Errorf("%v: the peer got %x %q", role, first, payload)
		}
		if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%v: after the close frame the peer's read returned %v, want io.EOF", role, err)
		}
		peer.Close()
	}
}

// TestCloseKeepsTheReason: a Close at the moment at which the connection ends for another reason
// does not replace that reason on the wire. A function that returns because of the end causes such
// a Close.
func TestCloseKeepsTheReason(t *testing.T) {
	for _, role := range []rfc6455.Role{rfc6455.Client, rfc6455.Server} {
		masked := role == rfc6455.Server
		for want, sent := range map[string][]byte{
			"\x03\xea": frame(0x83, masked, nil),
			"\x0f\xa0": closeFrame(masked, 4000, "bye"),
		} {
			for range 100 {
				own, peer := tcpPair(t)
				conn := connect(t, role, own, Options{})
				closed := make(chan struct{})
				go func() {
					<-conn.Done()
					conn.Close(errors.NormalClosure, "")
					close(closed)
				}()
				write(t, peer, sent)
				conn.Receive(within(t))
				if first, payload := readFrame(t, peer); first != 0x88 || len(payload) < 2 || string(payload[:2]) != want {
					t.Fatalf("%v: the peer got %x %q, want the reason %q", role, first, payload, want)
				}
				peer.Close()
				<-closed
			}
		}
	}
}

// TestCloseSendsTheCause: Close sends the reason for which the connection has ended, if this side
// ended it and has not said so yet. A message of the peer's is not sent back.
func TestCloseSendsTheCause(t *testing.T) {
	for name, test := range map[string]struct {
		cause *errors.ConnectionClosed
		want  string
	}{
		"none":        {nil, "\x0f\xa0bye"},
		"this side's": {&errors.ConnectionClosed{Reason: 4001, Message: "kicked"}, "\x0f\xa1kicked"},
		"the peer's":  {&errors.ConnectionClosed{Reason: 4002, Message: "gone", Remote: true}, "\x0f\xa2"},
	} {
		t.Run(name, func(t *testing.T) {
			own, peer := tcpPair(t)
			defer peer.Close()
			transport := New(own, Options{Role: rfc6455.Server})
			if test.cause != nil {
				transport.Ending().Set(test.cause)
			}
			closed := make(chan error, 1)
			go func() { closed <- transport.Close(within(t), 4000, "bye") }()
			if first, payload := readFrame(t, peer); first != 0x88 || string(payload) != test.want {
				t.Errorf("the peer got %x %q, want the payload %q", first, payload, test.want)
			}
			write(t, peer, closeFrame(true, 4000, ""))
			if err := <-closed; err != nil {
				t.Errorf("Close = %v", err)
			}
		})
	}
}
