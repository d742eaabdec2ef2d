//go:build !js

package main

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

var (
	churnPaths = []string{"handler", "detach", "messages"}

	// churnReasons are reasons with which connections are closed.
	churnReasons = []errors.CloseReason{
		errors.NormalClosure, errors.GoingAway, errors.UnsupportedData, errors.PolicyViolation, errors.MessageTooBig,
		errors.InternalError, errors.ServiceRestart, errors.TryAgainLater, errors.BadGateway, 3000, 3900, 3915, 4000, 4999,
	}
	churnMessages = []string{"", "done", "naïve ☃ 🙂", strings.Repeat("x", 123)}
)

// churning connects, sends a few messages, closes or is closed, and connects again. The reason of
// the end must be the right one on both sides.
func (c *crowd) churning(client uint64, r *rand.Rand) {
	first := true
	for {
		err := c.churnOnce(client, r, first)
		if err != nil {
			c.fail("churning", client, err)
			return
		}
		first = false
		if !c.pause(c.aboutPace(r)) {
			return
		}
	}
}

func (c *crowd) churnOnce(client uint64, r *rand.Rand, first bool) error {
	reason, message := churnReasons[r.IntN(len(churnReasons))], churnMessages[r.IntN(len(churnMessages))]
	messages := 1 + r.IntN(3)
	by := []string{"client", "server"}[r.IntN(2)]
	query := url.Values{
		"client": {fmt.Sprint(client)}, "by": {by}, "messages": {fmt.Sprint(messages)},
		"reason": {fmt.Sprint(uint16(reason))}, "message": {message},
	}
	options := dialOptions()
	if r.IntN(2) == 0 {
		options.Compression = &ws.Compression{}
	}
	address := fmt.Sprintf("ws://%s/churn/%s?%s", c.at.Steady, churnPaths[r.IntN(len(churnPaths))], query.Encode())
	var conn *ws.Conn
	dial := func() (err error) {
		conn, err = isosocket.Dial(c.ctx, address, options)
		return err
	}
	err := error(nil)
	if first {
		err = c.begin(dial)
	} else {
		err = dial()
	}
	if err != nil {
		return err
	}
	defer conn.CloseNow(errors.GoingAway, "")

	echo := sequence{script: script{client: client}}
	ctx, cancel := c.bounded()
	defer cancel()
	for n := range uint64(messages) {
		if err := conn.Send(ctx, echo.message(nil, n)); err != nil {
			return fmt.Errorf("sending message %d: %w", n, err)
		}
		m, err := conn.Receive(ctx)
		if err == nil {
			err = echo.arrived(m)
		}
		if err != nil {
			return fmt.Errorf("the echo of message %d: %w", n, err)
		}
		if n+1 < uint64(messages) {
			c.pause(c.aboutPace(r))
		}
	}
	if by == "client" {
		if err := conn.Close(reason, message); err != nil {
			return fmt.Errorf("closing: %w", err)
		}
		err = conn.Err()
	} else {
		_, err = conn.Receive(ctx)
	}
	if err := checkEnd(err, reason, message, by == "server"); err != nil {
		return err
	}
	c.counts.Churned.Add(1)
	return nil
}
