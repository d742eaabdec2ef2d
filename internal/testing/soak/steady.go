//go:build !js

package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// echoPaths are the endpoints of steady clients: all ways in which a server may run.
var echoPaths = []string{"handler", "detach", "messages"}

// takeoverEvery is how many steady clients there are for each one with context takeover, which holds
// a compressor of about 1 MiB while it sends.
const takeoverEvery = 100

// steady keeps one connection, sends bursts of messages, and checks that the echoes are the same
// messages in the same order.
func (c *crowd) steady(client uint64, r *rand.Rand) {
	path := echoPaths[client%uint64(len(echoPaths))]
	if client%takeoverEvery == 1 {
		path = "takeover"
	}
	options := dialOptions()
	if client/2%2 == 0 || path == "takeover" {
		options.Compression = &ws.Compression{ContextTakeover: path == "takeover"}
	}
	var conn *ws.Conn
	err := c.begin(func() (err error) {
		conn, err = isosocket.Dial(c.ctx, fmt.Sprintf("ws://%s/echo/%s?client=%d", c.at.Steady, path, client), options)
		return err
	})
	if err == nil {
		// Half of the clients wait inside Receive between their bursts, the others outside.
		err = c.echoes(conn, client, r, client%2 == 0)
		if failed := conn.Close(errors.NormalClosure, ""); err == nil {
			err = failed
		}
	}
	if err != nil {
		c.fail("steady", client, err)
	}
}

func (c *crowd) echoes(conn *ws.Conn, client uint64, r *rand.Rand, receiving bool) error {
	const burstBytes = 16 << 10 // less than the buffers on the way, which must take a whole burst
	echo := sequence{script: script{client: client}}
	next := uint64(0)
	for {
		if more, err := c.restBetween(conn, r, receiving); !more {
			return err
		}
		// Of one burst only: what thousands of clients kept would hide what the library keeps.
		var out, in []byte
		for bytes, left := 0, 1+r.IntN(6); left > 0 && bytes+echo.size(next) <= burstBytes || bytes == 0; left-- {
			m := echo.message(out, next)
			ctx, cancel := c.bounded()
			err := conn.Send(ctx, m)
			cancel()
			if err != nil {
				return fmt.Errorf("sending message %d: %w", next, err)
			}
			bytes += len(m.Data)
			out = m.Data
			next++
		}
		for echo.next < next {
			ctx, cancel := c.bounded()
			m, err := conn.ReceiveInto(ctx, in)
			cancel()
			if err != nil {
				return fmt.Errorf("waiting for the echo of message %d: %w", echo.next, err)
			}
			if err := echo.arrived(m); err != nil {
				return err
			}
			c.counts.Echoes.Add(1)
			c.counts.EchoBytes.Add(int64(len(m.Data)))
			in = m.Data
		}
	}
}

// restBetween waits between two bursts. It returns false if the clients must finish, or with an
// error.
func (c *crowd) restBetween(conn *ws.Conn, r *rand.Rand, receiving bool) (more bool, err error) {
	d := c.aboutPace(r)
	if !receiving {
		return c.pause(d), nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, d)
	defer cancel()
	m, err := conn.Receive(ctx)
	switch {
	case err == nil:
		return false, fmt.Errorf("%d bytes arrived that nobody sent", len(m.Data))
	case !errors.Is(err, ctx.Err()):
		return false, fmt.Errorf("waiting between two bursts: %w", err)
	}
	return !c.stopping(), nil
}
