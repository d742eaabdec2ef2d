package stream

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// FuzzSequence makes calls on both ends of a connection in any order. Each end receives the
// messages of the other, in order and once, up to the point where a Close, a CloseNow or a cut
// ended the connection. Every call returns, and no goroutine leaks.
func FuzzSequence(f *testing.F) {
	f.Add(false, []byte{0x00, 0x05, 0x0b, 0x05, 0x20, 0x07})
	f.Add(true, []byte{0xf0, 0xf0, 0xf0, 0x05, 0x05, 0x05, 0x0a, 0x01, 0x04})
	f.Add(false, []byte{0x00, 0xfe, 0x05, 0x01})
	f.Add(true, []byte{0x10, 0xef, 0x10, 0x04})
	f.Add(false, []byte{0xf0, 0xf8, 0xde, 0x05, 0x01})
	f.Add(true, []byte{0x08, 0x09, 0x3c, 0x3d, 0x04, 0x05, 0x1e, 0x1f})
	f.Fuzz(func(t *testing.T, compressed bool, calls []byte) {
		if len(calls) > 150 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			var deflate *rfc6455.DeflateParams
			if compressed {
				deflate = &rfc6455.DeflateParams{}
			}
			var conns [2]*ws.Conn
			c, s := net.Pipe()
			raw := []net.Conn{c, s}
			for i, role := range []rfc6455.Role{rfc6455.Client, rfc6455.Server} {
				o := Options{
					Role: role, Deflate: deflate, DeflatePolicy: rfc6455.DeflatePolicy{Threshold: 1}, PingInterval: 10 * time.Second,
					Config: ws.Config{SendBuffer: 4000},
				}
				conns[i] = ws.NewConn(New(raw[i], o), &o.Config)
			}
			var sent, received [2][]string
			ended := false
			for n, call := range calls {
				i, kind, size := int(call&1), call>>1&7, int(call>>4)
				conn := conns[i]
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				text := strconv.Itoa(n) + strings.Repeat("-", size*size*10)
				switch kind {
				case 0, 1:
					if conn.Send(ctx, ws.Text(text)) == nil {
						sent[i] = append(sent[i], text)
					}
				case 2:
					if m, err := conn.Receive(ctx); err == nil {
						received[i] = append(received[i], m.String())
					}
				case 3:
					if m, ok, err := conn.TryReceive(); ok && err == nil {
						received[i] = append(received[i], m.String())
					}
				case 4:
					if conn.TrySend(ws.Text(text)) == nil {
						sent[i] = append(sent[i], text)
					}
				case 5:
					conn.Flush(ctx)
				case 6:
					time.Sleep(time.Duration(size) * time.Second)
				case 7:
					switch size {
					case 15:
						ended = true
						conn.Close(4000, "bye")
					case 14:
						ended = true
						conn.CloseNow(4001, "now")
					case 13:
						ended = true
						raw[i].Close()
					default:
						cancel()
						if m, err := conn.Receive(ctx); err == nil {
							received[i] = append(received[i], m.String())
						}
					}
				}
				cancel()
			}
			var drains sync.WaitGroup
			for i, conn := range conns {
				drains.Go(func() {
					for {
						ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
						m, err := conn.Receive(ctx)
						cancel()
						if err != nil {
							return
						}
						received[i] = append(received[i], m.String())
					}
				})
			}
			drains.Wait()
			for i := range conns {
				want := sent[1-i]
				if ended {
					want = want[:min(len(want), len(received[i]))]
				}
				if !slices.Equal(received[i], want) {
					t.Errorf("end %d received %.300q, want %.300q", i, received[i], want)
				}
			}
			var closes sync.WaitGroup
			for _, conn := range conns {
				closes.Go(func() { conn.Close(errors.NormalClosure, "") })
			}
			closes.Wait()
			// CloseNow leaves a goroutine that waits for the peer for the close timeout.
			time.Sleep(ws.DefaultCloseTimeout + time.Second)
			for i, conn := range conns {
				if conn.Err() == nil {
					t.Errorf("end %d has not ended", i)
				}
			}
		})
	})
}
