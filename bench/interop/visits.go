package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// subprotocol is what both sides name.
const subprotocol = "echo.v1"

// visit is one connection, by which a column of the table is filled.
type visit struct {
	column      string
	compression *ws.Compression
	run         func(ctx context.Context, conn *ws.Conn) error
}

// columns are those of the table, in order.
var columns = []string{"messages", "empty", "fragments", "pings", "subprotocol", "close", "closed", "compressed", "takeover", "small window"}

// agreed is not an error: it has the parameters of permessage-deflate that were agreed, in short.
type agreed string

func (a agreed) Error() string { return string(a) }

// shorten returns the parameters of an extension: s or c for server or client, and nct for no context
// takeover, or the bits of the window.
func shorten(extensions string) agreed {
	first, _, _ := strings.Cut(extensions, ",")
	var all []string
	for p := range strings.SplitSeq(first, ";") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(p), "="); name {
		case "server_no_context_takeover":
			all = append(all, "snct")
		case "client_no_context_takeover":
			all = append(all, "cnct")
		case "server_max_window_bits":
			all = append(all, "s"+strings.Trim(value, `"`))
		case "client_max_window_bits":
			all = append(all, "c"+strings.Trim(value, `"`))
		}
	}
	return agreed(strings.Join(all, " "))
}

// errDeclined is the result of a visit whose compression the peer does not do.
var errDeclined = errors.New("declined")

func visits() (all []visit) {
	all = append(all,
		visit{"messages", nil, echoMessages},
		visit{"empty", nil, echoEmpty},
		visit{"empty", &ws.Compression{Threshold: 1}, echoEmpty},
		visit{"fragments", nil, echoFragments},
		visit{"pings", nil, pings},
		visit{"subprotocol", nil, func(_ context.Context, conn *ws.Conn) error {
			if got := conn.Subprotocol(); got != subprotocol {
				return fmt.Errorf("the subprotocol is %q", got)
			}
			return nil
		}},
	)
	// Clients with the API of browsers can close with these only.
	for _, code := range []errors.CloseReason{1000, 3000, 4999} {
		all = append(all,
			visit{"close", nil, func(ctx context.Context, conn *ws.Conn) error { return closeHere(ctx, conn, code) }},
			visit{"closed", nil, func(ctx context.Context, conn *ws.Conn) error { return closedThere(ctx, conn, code) }},
		)
	}
	for _, c := range []struct {
		column string
		*ws.Compression
	}{
		{"compressed", &ws.Compression{Threshold: 1}},
		{"takeover", &ws.Compression{Threshold: 1, ContextTakeover: true}},
		{"small window", &ws.Compression{Threshold: 1, ContextTakeover: true, MaxWindowBits: 9}},
	} {
		all = append(all, visit{c.column, c.Compression, func(ctx context.Context, conn *ws.Conn) error {
			if !strings.HasPrefix(conn.Extensions(), "permessage-deflate") {
				return errDeclined
			}
			if err := echoMessages(ctx, conn); err != nil {
				return err
			}
			return shorten(conn.Extensions())
		}})
	}
	return all
}

// messages are of both kinds, and of the sizes at which the form of the length changes.
func messages() (all []ws.Message) {
	for _, size := range []int{1, 125, 126, 1000, 65535, 65536, 1 << 20} {
		text := strings.Repeat("isosocket €uro ", size/16+1)
		for len(text) > size {
			_, n := lastRune(text)
			text = text[:len(text)-n]
		}
		data := bytes.Repeat([]byte{0, 0xFF, 7, 0x80}, size/4+1)[:size]
		all = append(all, ws.Text(text), ws.Binary(data))
	}
	return all
}

func lastRune(s string) (string, int) {
	for n := 1; ; n++ {
		if b := s[len(s)-n]; b < 0x80 || b >= 0xC0 {
			return s[len(s)-n:], n
		}
	}
}

func echoMessages(ctx context.Context, conn *ws.Conn) error {
	for _, m := range messages() {
		if err := conn.Send(ctx, m); err != nil {
			return err
		}
		if err := expect(ctx, conn, m); err != nil {
			return err
		}
	}
	// Many at once, which come back in order.
	for i := range 100 {
		if err := conn.Send(ctx, ws.Text(fmt.Sprintf("message %d", i))); err != nil {
			return err
		}
	}
	for i := range 100 {
		if err := expect(ctx, conn, ws.Text(fmt.Sprintf("message %d", i))); err != nil {
			return err
		}
	}
	return nil
}

// echoEmpty does not wait as long as the others: a peer that drops an empty message never answers.
func echoEmpty(ctx context.Context, conn *ws.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, patience/5)
	defer cancel()
	for _, m := range []ws.Message{ws.Text(""), ws.Binary(nil)} {
		if err := conn.Send(ctx, m); err != nil {
			return err
		}
		if err := expect(ctx, conn, m); err != nil {
			return err
		}
	}
	return nil
}

func expect(ctx context.Context, conn *ws.Conn, want ws.Message) error {
	got, err := conn.Receive(ctx)
	if err != nil {
		return fmt.Errorf("instead of %v of %d bytes: %w", want.Kind, len(want.Data), err)
	}
	if got.Kind != want.Kind || !bytes.Equal(got.Data, want.Data) {
		return fmt.Errorf("%v of %d bytes came as %v of %d, %.40q", want.Kind, len(want.Data), got.Kind, len(got.Data), got.Data)
	}
	return nil
}

// echoFragments sends messages in fragments of fragmentSize, with a ping between.
func echoFragments(ctx context.Context, conn *ws.Conn) error {
	for _, kind := range []ws.Kind{ws.KindText, ws.KindBinary} {
		part := bytes.Repeat([]byte("fragment"), fragmentSize/8)
		w, err := conn.NextWriter(ctx, kind)
		if err != nil {
			return err
		}
		for range 3 {
			if _, err := w.Write(part); err != nil {
				return err
			}
			if _, err := conn.Native().Ping(ctx); err != nil {
				return fmt.Errorf("a ping between fragments: %w", err)
			}
		}
		if err := w.Close(); err != nil {
			return err
		}
		if err := expect(ctx, conn, ws.Message{Kind: kind, Data: bytes.Repeat(part, 3)}); err != nil {
			return err
		}
	}
	return nil
}

func pings(ctx context.Context, conn *ws.Conn) error {
	for range 3 {
		if _, err := conn.Native().Ping(ctx); err != nil {
			return err
		}
	}
	return expectAfterPings(ctx, conn)
}

// expectAfterPings: the peer still echoes.
func expectAfterPings(ctx context.Context, conn *ws.Conn) error {
	if err := conn.Send(ctx, ws.Text("after the pings")); err != nil {
		return err
	}
	return expect(ctx, conn, ws.Text("after the pings"))
}

// closeHere closes: the peer answers the close frame.
func closeHere(ctx context.Context, conn *ws.Conn, code errors.CloseReason) error {
	if err := expectAfterPings(ctx, conn); err != nil {
		return err
	}
	start := time.Now()
	if err := conn.Close(code, "bye"); err != nil {
		return fmt.Errorf("close with %d: %w", code, err)
	}
	closed, ok := errors.AsType[*errors.ConnectionClosed](conn.Err())
	if !ok || closed.Reason != code || closed.Err != nil {
		return fmt.Errorf("close with %d: %v", code, conn.Err())
	}
	if took := time.Since(start); took > 2*time.Second {
		return fmt.Errorf("close with %d took %v", code, took.Round(time.Millisecond))
	}
	return nil
}

// closedThere lets the peer close.
func closedThere(ctx context.Context, conn *ws.Conn, code errors.CloseReason) error {
	if err := conn.Send(ctx, ws.Text(fmt.Sprintf("close %d bye", code))); err != nil {
		return err
	}
	_, err := conn.Receive(ctx)
	closed, ok := errors.AsType[*errors.ConnectionClosed](err)
	if !ok || closed.Reason != code || closed.Message != "bye" || !closed.Remote {
		return fmt.Errorf("closed by the peer with %d: %v", code, err)
	}
	return nil
}
