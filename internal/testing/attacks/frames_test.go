//go:build !js

package attacks

import (
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// TestLengthsOverflow: announced lengths near 2^63 and 2^64, alone and as a sum, end the connection
// with a close frame and take no memory.
func TestLengthsOverflow(t *testing.T) {
	for _, test := range []struct {
		name    string
		lengths []uint64 // of the frames of one message; all but the last come
		code    errors.CloseReason
	}{
		{"one byte over the limit", []uint64{mebibyte + 1}, errors.MessageTooBig},
		{"2^31", []uint64{1 << 31}, errors.MessageTooBig},
		{"2^32", []uint64{1 << 32}, errors.MessageTooBig},
		{"2^32 and a few", []uint64{1<<32 + 5}, errors.MessageTooBig}, // 5 in an int of 32 bits
		{"2^53+1", []uint64{1<<53 + 1}, errors.MessageTooBig},         // which no float64 holds
		{"2^62", []uint64{1 << 62}, errors.MessageTooBig},
		{"2^63-1", []uint64{1<<63 - 1}, errors.MessageTooBig},
		{"2^63", []uint64{1 << 63}, errors.ProtocolError},
		{"2^64-1", []uint64{1<<64 - 1}, errors.ProtocolError},
		{"a sum over the limit", []uint64{1000, mebibyte - 999}, errors.MessageTooBig},
		{"a sum over 2^63", []uint64{1000, 1<<63 - 1}, errors.MessageTooBig},
		{"a sum over 2^64", []uint64{1000, 1<<64 - 1}, errors.ProtocolError},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBothRoles(t, nil, func(t *testing.T, a *attacked) {
				allocates(t, mebibyte, func() {
					var wire []byte
					opcode := byte(2)
					for _, n := range test.lengths[:len(test.lengths)-1] {
						wire = a.appendFrame(wire, opcode, n, make([]byte, n))
						opcode = 0
					}
					wire = a.appendFrame(wire, opcode, test.lengths[len(test.lengths)-1], nil)
					a.raw.Write(wire)
					a.mustClose(t, test.code)
				})
			})
		})
	}
}

// TestAnnouncedIsNotAllocated: 100 connections that announce the largest message allowed, and send
// nothing of it, take much less than they announce.
func TestAnnouncedIsNotAllocated(t *testing.T) {
	const connections = 100
	for name, open := range map[string]func(*testing.T, *ws.Compression) *attacked{"server": attackServer, "client": attackClient} {
		t.Run(name, func(t *testing.T) {
			var all []*attacked
			for range connections {
				all = append(all, open(t, nil))
			}
			var receivers sync.WaitGroup
			allocates(t, connections*mebibyte/8, func() {
				for _, a := range all {
					receivers.Go(func() { a.conn.Receive(context.Background()) })
					// A ping before it shows that the header was read: its pong is asked for after.
					a.raw.Write(a.appendFrame(a.appendFrame(nil, 0x89, 0, nil), 0x82, mebibyte, make([]byte, 10)))
				}
				for _, a := range all {
					if _, err := io.ReadFull(a.reader, make([]byte, 2)); err != nil {
						t.Fatal(err)
					}
				}
			})
			for _, a := range all {
				a.conn.CloseNow(errors.NormalClosure, "")
			}
			receivers.Wait()
		})
	}
}

// TestTinyFragments: a message of fragments without end is bounded by their number, whether they are
// empty or hold a byte.
func TestTinyFragments(t *testing.T) {
	for _, size := range []int{0, 1} {
		t.Run(fmt.Sprint(size, " bytes each"), func(t *testing.T) {
			onBothRoles(t, nil, func(t *testing.T, a *attacked) {
				wire := a.appendFrame(nil, 2, uint64(size), make([]byte, size))
				for range 1000 {
					wire = a.appendFrame(wire, 0, uint64(size), make([]byte, size))
				}
				more := wire[len(wire)/1001:]
				allocates(t, 4*mebibyte, func() {
					var attacker sync.WaitGroup
					attacker.Go(func() {
						if _, err := a.raw.Write(wire); err != nil {
							return
						}
						for range 200 { // 200,000: twice the limit
							if _, err := a.raw.Write(more); err != nil {
								return
							}
						}
					})
					a.mustClose(t, errors.PolicyViolation)
					a.raw.Close()
					attacker.Wait()
				})
			})
		})
	}
}

// TestDecompressionBomb: 256 MiB of zeros in about 260 KiB are refused at the limit of 1 MiB.
func TestDecompressionBomb(t *testing.T) {
	var bomb bytes.Buffer
	w, err := flate.NewWriter(&bomb, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(make([]byte, mebibyte))
	w.Flush()
	first := bomb.Len()
	w.Write(make([]byte, mebibyte))
	w.Flush()
	// What comes second refers to zeros before it, and may be repeated.
	whole := append(bytes.Clone(bomb.Bytes()), bytes.Repeat(bomb.Bytes()[first:], 254)...)
	payload := bytes.TrimSuffix(whole, []byte{0, 0, 0xff, 0xff})
	for _, fragments := range []int{1, 16} {
		t.Run(fmt.Sprint(fragments, " frames"), func(t *testing.T) {
			onBothRoles(t, &ws.Compression{}, func(t *testing.T, a *attacked) {
				var wire []byte
				opcode := byte(0x42)
				for i := range fragments {
					part := payload[i*len(payload)/fragments : (i+1)*len(payload)/fragments]
					if i == fragments-1 {
						opcode |= 0x80
					}
					wire = a.appendFrame(wire, opcode, uint64(len(part)), part)
					opcode = 0
				}
				allocates(t, 6*mebibyte, func() {
					var attacker sync.WaitGroup
					attacker.Go(func() { a.raw.Write(wire) })
					a.mustClose(t, errors.MessageTooBig)
					attacker.Wait()
				})
			})
		})
	}
}

// TestLimitOfTheInflated: the limit counts the bytes of the message, not those of its frames.
func TestLimitOfTheInflated(t *testing.T) {
	for _, size := range []int{mebibyte, mebibyte + 1} {
		var deflated bytes.Buffer
		w, err := flate.NewWriter(&deflated, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(make([]byte, size))
		w.Flush()
		payload := bytes.TrimSuffix(deflated.Bytes(), []byte{0, 0, 0xff, 0xff})
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			onBothRoles(t, &ws.Compression{}, func(t *testing.T, a *attacked) {
				if _, err := a.raw.Write(a.appendFrame(nil, 0xc2, uint64(len(payload)), payload)); err != nil {
					t.Fatal(err)
				}
				if size > mebibyte {
					a.mustClose(t, errors.MessageTooBig)
				} else if m, err := a.conn.Receive(within(t)); err != nil || len(m.Data) != size {
					t.Errorf("a message of %d bytes, the limit: %d bytes, %v", size, len(m.Data), err)
				}
			})
		})
	}
}

// TestUnreadPongs: pings whose pongs the peer never reads take no more memory with their number.
func TestUnreadPongs(t *testing.T) {
	onBothRoles(t, nil, func(t *testing.T, a *attacked) {
		var pings []byte
		for range 1000 {
			pings = a.appendFrame(pings, 0x89, 125, make([]byte, 125))
		}
		allocates(t, 16*mebibyte, func() {
			received := make(chan error, 1)
			go func() {
				_, err := a.conn.Receive(context.Background())
				received <- err
			}()
			for range 200 { // 26 MB of pings
				if _, err := a.raw.Write(pings); err != nil {
					t.Fatal(err)
				}
			}
			a.raw.Write(a.appendFrame(nil, 0x81, 2, []byte("hi")))
			if err := <-received; err != nil {
				t.Errorf("the message after the pings: %v", err)
			}
		})
		a.raw.Close()
	})
}

// TestNoForeignMemory: a connection gets only bytes that were sent on it, however buffers and
// compressors are shared with others. Each connection sends its own letter.
func TestNoForeignMemory(t *testing.T) {
	s := endpoint(t, func(ctx context.Context, conn *server.Conn) error {
		for m, err := range conn.Messages(ctx) {
			if err != nil {
				return err
			}
			if err := conn.Send(ctx, m); err != nil {
				return err
			}
		}
		return nil
	}, &server.Options{Compression: &ws.Compression{Threshold: 1}, Limits: &server.Limits{MaxConnections: -1}})
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			letter := string(rune('a' + i))
			for range 6 {
				var compression *ws.Compression
				if random.IntN(2) == 0 {
					compression = &ws.Compression{Threshold: 1, ContextTakeover: random.IntN(2) == 0}
				}
				conn, err := isosocket.Dial(within(t), s.URL, &isosocket.DialOptions{Compression: compression})
				if err != nil {
					t.Error(err)
					return
				}
				for range 6 {
					want := strings.Repeat(letter, random.IntN(1<<random.IntN(17)))
					if err := conn.Send(within(t), ws.Text(want)); err != nil {
						t.Error(err)
					}
					if m, err := conn.Receive(within(t)); err != nil || m.String() != want {
						t.Errorf("%d letters %s came back as %d bytes, %.20q, %v", len(want), letter, len(m.Data), m.Data, err)
					}
				}
				conn.Close(4000, letter)
			}
		})
	}
	clients.Wait()
}

// TestControlFramesCarryNoMemory: answers to short pings and close frames are exactly as long as
// they should be, also after long ones.
func TestControlFramesCarryNoMemory(t *testing.T) {
	onBothRoles(t, nil, func(t *testing.T, a *attacked) {
		go a.conn.Receive(context.Background())
		for _, n := range []int{125, 0, 3, 125, 1} {
			payload := bytes.Repeat([]byte{byte('A' + n%26)}, n)
			a.raw.Write(a.appendFrame(nil, 0x89, uint64(n), payload))
			if got := a.readControl(t, 0x8a); !bytes.Equal(got, payload) {
				t.Errorf("a ping of %d bytes is answered with %q", n, got)
			}
		}
		a.raw.Write(a.appendFrame(nil, 0x88, 2, []byte{0x03, 0xe8}))
		if got := a.readControl(t, 0x88); string(got) != "\x03\xe8" {
			t.Errorf("a close frame of two bytes is answered with %q", got)
		}
	})
}

// readControl reads one control frame, which must begin with first, and returns its payload.
func (a *attacked) readControl(t *testing.T, first byte) []byte {
	t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(a.reader, head[:]); err != nil || head[0] != first {
		t.Fatalf("got %x, %v, want a frame %x", head, err, first)
	}
	var key [4]byte
	if head[1]&0x80 != 0 {
		io.ReadFull(a.reader, key[:])
	}
	payload := make([]byte, head[1]&0x7f)
	if _, err := io.ReadFull(a.reader, payload); err != nil {
		t.Fatal(err)
	}
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return payload
}

// TestSilentPeers: 200 peers that never answer the close frame are gone after the close timeout, and
// take no goroutine then; TestMain finds those that stay.
func TestSilentPeers(t *testing.T) {
	var all []*attacked
	for range 100 {
		all = append(all, attackServer(t, nil), attackClient(t, nil))
	}
	var closers sync.WaitGroup
	began := time.Now()
	for _, a := range all {
		closers.Go(func() { a.conn.Close(errors.NormalClosure, "") })
	}
	closers.Wait()
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("closing %d connections with a close timeout of 1 s took %v", len(all), took)
	}
}
