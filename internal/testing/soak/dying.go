//go:build !js

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"
)

// death is how a peer dies: after what it has sent, and in which way.
type death struct {
	sent string
	end  string // FIN, RST or silence
}

const (
	dyingRequest = "GET /dying/%s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	// A masked text message of 200 bytes, and an unfinished one of two fragments.
	dyingFrame    = "\x81\xfe\x00\xc8\x01\x02\x03\x04"
	dyingFragment = "\x01\x83\x01\x02\x03\x04abc"
)

// dyingSent are what peers send before they die, except for the request, which precedes them.
var dyingSent = map[string]string{
	"a handshake":                        "",
	"half a frame header":                dyingFrame[:3],
	"a frame header":                     dyingFrame,
	"half a frame":                       dyingFrame + strings.Repeat("a", 100),
	"a fragment":                         dyingFragment,
	"a fragment and half a frame header": dyingFragment + "\x80",
}

// deaths are all of them.
var deaths = sync.OnceValue(func() (all []death) {
	for _, path := range []string{"handler", "messages"} {
		request := fmt.Sprintf(dyingRequest, path)
		for _, end := range []string{"FIN", "RST", "silence"} {
			all = append(all, death{request[:len(request)/2], end})
			for _, more := range dyingSent {
				all = append(all, death{request + more, end})
			}
		}
	}
	return all
})

// dying connects without this library, stops in the middle of something, and does that again.
func (c *crowd) dying(client uint64, r *rand.Rand) {
	all := deaths()
	first := true
	for {
		var conn *net.TCPConn
		dial := func() error {
			opened, err := new(net.Dialer).DialContext(c.ctx, "tcp", c.at.Dying)
			if err == nil {
				conn = opened.(*net.TCPConn)
			}
			return err
		}
		var err error
		if first {
			err = c.begin(dial)
		} else {
			err = dial()
		}
		first = false
		if err == nil {
			err = c.die(conn, all[r.IntN(len(all))], c.aboutPace(r)/4)
		}
		if err != nil {
			c.fail("dying", client, err)
			return
		}
		c.counts.Deaths.Add(1)
		if !c.pause(c.aboutPace(r)) {
			return
		}
	}
}

func (c *crowd) die(conn *net.TCPConn, d death, rest time.Duration) error {
	defer conn.Close()
	if _, err := io.WriteString(conn, d.sent); err != nil {
		return fmt.Errorf("sending %d bytes: %w", len(d.sent), err)
	}
	switch d.end {
	case "silence":
		// The server must notice. It sends pings and a close frame, which nobody answers.
		began, buffer := time.Now(), make([]byte, 512)
		for !c.stopping() {
			conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
			_, err := conn.Read(buffer)
			if failed, ok := err.(net.Error); err != nil && (!ok || !failed.Timeout()) {
				return nil
			}
			if kept := time.Since(began); kept > deadAfter+c.patience {
				return fmt.Errorf("the server had kept a silent peer for %v, want %v", kept.Round(time.Second), deadAfter)
			}
		}
	case "FIN":
		c.pause(rest)
		conn.CloseWrite()
		c.pause(rest)
	case "RST":
		c.pause(rest)
		conn.SetLinger(0)
	}
	return nil
}
