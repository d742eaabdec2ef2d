package isosocket

import (
	"context"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/browsersocket"
	"github.com/isosocket/isosocket/ws"
)

// dial opens the browser's own WebSocket, which performs the handshake. Options
// that it cannot honour are refused before anything is tried.
func dial(ctx context.Context, url string, o *DialOptions) (*ws.Conn, error) {
	switch {
	case len(o.Header) > 0:
		return nil, &unsupportedError{"Header"}
	case o.PingInterval != 0:
		return nil, &unsupportedError{"PingInterval"}
	case o.PingTimeout != 0:
		return nil, &unsupportedError{"PingTimeout"}
	}
	return browsersocket.Dial(ctx, url, browsersocket.Options{
		Subprotocols:       o.Subprotocols,
		Config:             *o.config(""),
		DisableStatusProbe: o.DisableStatusProbe,
	})
}

// unsupportedError names an option that a browser cannot honour.
type unsupportedError struct{ field string }

func (e *unsupportedError) Error() string {
	return "websocket: a browser cannot honour DialOptions." + e.field
}

func (e *unsupportedError) Unwrap() error { return errors.ErrUnsupported }
