//go:build !js

package handshake

import (
	"net"
	"testing"
	"testing/synctest"
)

func TestClientFirst(t *testing.T) {
	for name, act := range map[string]func(c *ClientFirst, peer net.Conn){
		"write": func(c *ClientFirst, peer net.Conn) {
			go peer.Read(make([]byte, 1))
			c.Write([]byte{'x'})
		},
		"close": func(c *ClientFirst, _ net.Conn) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, peer := net.Pipe()
				defer peer.Close()
				defer conn.Close()
				go peer.Write([]byte("hello"))
				c := NewClientFirst(conn)
				read := make(chan string, 1)
				go func() {
					b := make([]byte, 5)
					n, _ := c.Read(b)
					read <- string(b[:n])
				}()
				synctest.Wait()
				select {
				case got := <-read:
					t.Fatalf("read %q before anything was written", got)
				default:
				}
				act(c, peer)
				want := map[string]string{"write": "hello", "close": ""}[name]
				if got := <-read; got != want {
					t.Errorf("read %q, want %q", got, want)
				}
			})
		})
	}
}
