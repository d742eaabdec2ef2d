//go:build !js

package server

import (
	"math/rand/v2"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/stream"
)

// rotationGrace is how long a function may continue after its connection's lifetime.
const rotationGrace = 10 * time.Second

var lifetimeOver = &errors.ConnectionClosed{Reason: errors.ServiceRestart, Message: "connection lifetime over"}

// lifetime returns how long one connection lasts: a random time from three quarters of
// longest.
func lifetime(longest time.Duration) time.Duration {
	return longest - rand.N(longest/4+1)
}

// limitLifetime ends conn after its lifetime. The caller stops the timer, nil without a
// limit, when its function has returned.
func (e *Endpoint) limitLifetime(ctx *connContext, conn *Conn) *time.Timer {
	longest := e.acceptor.limiter.maxLifetime
	if longest <= 0 {
		return nil
	}
	return time.AfterFunc(lifetime(longest), func() {
		if conn.Err() != nil || ctx.drained.Load() != nil {
			return
		}
		e.limitStruck(LimitLifetime, conn, conn.RemoteAddr(), conn.URL().Path)
		ctx.drain(lifetimeOver)
		time.AfterFunc(rotationGrace, func() {
			conn.Close(lifetimeOver.Reason, lifetimeOver.Message)
		})
	})
}

// limitLifetime does the same for a connection of Accept, whose function has no context.
func (a *acceptor) limitLifetime(conn *Conn, transport *stream.Transport) {
	if a.limiter.maxLifetime <= 0 {
		return
	}
	timer := time.AfterFunc(lifetime(a.limiter.maxLifetime), func() {
		conn.Close(lifetimeOver.Reason, lifetimeOver.Message)
	})
	transport.Ending().Notify(func() { timer.Stop() })
}
