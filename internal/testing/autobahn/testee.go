//go:build !js

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// maxMessage is above the largest message of the cases, 16 MiB.
const maxMessage = 32 << 20

// echoServer is the server that the cases are run against.
func echoServer() http.Handler {
	return server.Handler(func(ctx context.Context, conn *server.Conn) error {
		return echo(ctx, conn.Conn)
	}, &server.Options{MaxMessageSize: maxMessage, Compression: &ws.Compression{ContextTakeover: true, Threshold: 1}})
}

// clientOptions are those of the client that the cases are run against.
func clientOptions() *isosocket.DialOptions {
	return &isosocket.DialOptions{
		MaxMessageSize: maxMessage,
		Compression:    &ws.Compression{ContextTakeover: true, Threshold: 1},
		CloseTimeout:   time.Second,
	}
}

// echo sends each message back, until the connection ends.
func echo(ctx context.Context, conn *ws.Conn) error {
	for m, err := range conn.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := conn.Send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// runCases is the client of a fuzzing server: it asks how many cases there are, connects for each, and
// asks for the report. The server may take the time wait to start.
func runCases(ctx context.Context, base, agent string, wait time.Duration) error {
	conn, err := isosocket.Dial(ctx, base+"/getCaseCount", clientOptions())
	for start := time.Now(); err != nil && time.Since(start) < wait && ctx.Err() == nil; {
		time.Sleep(100 * time.Millisecond)
		conn, err = isosocket.Dial(ctx, base+"/getCaseCount", clientOptions())
	}
	if err != nil {
		return err
	}
	m, err := conn.Receive(ctx)
	if err != nil {
		return fmt.Errorf("the number of cases: %w", err)
	}
	conn.Close(errors.NormalClosure, "")
	count, err := strconv.Atoi(string(m.Data))
	if err != nil || count < 1 {
		return fmt.Errorf("the number of cases is %q", m.Data)
	}
	name := url.QueryEscape(agent)
	for i := range count {
		conn, err := isosocket.Dial(ctx, fmt.Sprintf("%s/runCase?case=%d&agent=%s", base, i+1, name), clientOptions())
		if err != nil {
			return fmt.Errorf("case %d of %d: %w", i+1, count, err)
		}
		// How the connection ends is the fuzzing server's to judge.
		_ = echo(ctx, conn)
		conn.CloseNow(errors.NormalClosure, "")
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	conn, err = isosocket.Dial(ctx, base+"/updateReports?agent="+name, clientOptions())
	if err != nil {
		return fmt.Errorf("the report: %w", err)
	}
	<-conn.Done()
	return nil
}
