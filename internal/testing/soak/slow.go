//go:build !js

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

const (
	// slowRead is how many messages a slow reader reads before it rests.
	slowRead = 40
	// slowReadBuffer is its receive buffer in the kernel. TCP tells the sender of progress in
	// steps of up to twice that, each of which must take less than PingInterval and PingTimeout.
	slowReadBuffer = 64 << 10
)

// slow reads much more slowly than the server sends. No message may be missing.
func (c *crowd) slow(client uint64, r *rand.Rand) {
	options := dialOptions()
	options.ReceiveBuffer = 64 << 10
	options.Native = &isosocket.NativeOptions{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			// As with the server's: the kernel would otherwise hold megabytes.
			conn.(*net.TCPConn).SetReadBuffer(slowReadBuffer)
		}
		return conn, err
	}}
	path := []string{"handler", "detach"}[client%2]
	var conn *ws.Conn
	err := c.begin(func() (err error) {
		conn, err = isosocket.Dial(c.ctx, fmt.Sprintf("ws://%s/push/%s?client=%d", c.at.Push, path, client), options)
		return err
	})
	if err != nil {
		c.fail("slow", client, err)
		return
	}
	pushed := sequence{script: pushScript(client)}
	for {
		for range slowRead {
			ctx, cancel := c.bounded()
			m, err := conn.Receive(ctx)
			cancel()
			if err == nil {
				err = pushed.arrived(m)
			}
			if err != nil {
				conn.CloseNow(errors.GoingAway, "")
				c.fail("slow", client, fmt.Errorf("waiting for message %d: %w", pushed.next, err))
				return
			}
			c.counts.Pushed.Add(1)
		}
		if !c.pause(c.aboutPace(r)) {
			break
		}
	}
	if err := conn.Close(errors.NormalClosure, ""); err != nil {
		c.fail("slow", client, fmt.Errorf("closing: %w", err))
	}
}
