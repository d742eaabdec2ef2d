// Package testing shows how to test a program's functions for a connection, without a network and
// without waiting. The page docs/testing.md explains it.
package testing

import (
	"context"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// TimeToAnswer is how long a player may think.
const TimeToAnswer = 30 * time.Second

// TooSlow is this application's own close reason.
const TooSlow errors.CloseReason = 4001

// Quiz asks a question. It takes a *ws.Conn, not a *server.Conn, so that a test can call it with one
// end of a Pipe.
func Quiz(ctx context.Context, conn *ws.Conn) error {
	if err := conn.Send(ctx, ws.Text("6 x 7?")); err != nil {
		return err
	}
	answer, cancel := context.WithTimeout(ctx, TimeToAnswer)
	m, err := conn.Receive(answer)
	cancel()
	if errors.Is(err, context.DeadlineExceeded) {
		return &errors.ConnectionClosed{Reason: TooSlow, Message: "too slow"}
	}
	if err != nil {
		return err
	}
	if m.String() != "42" {
		return conn.Send(ctx, ws.Text("wrong"))
	}
	return conn.Send(ctx, ws.Text("right"))
}
