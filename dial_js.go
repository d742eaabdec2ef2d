package isosocket

import (
	"context"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/browsersocket"
	"github.com/isosocket/isosocket/internal/wsurl"
	"github.com/isosocket/isosocket/ws"
)

// dial opens the browser's own WebSocket, which performs the handshake. It first
// refuses options that the browser cannot honour.
func dial(ctx context.Context, target *wsurl.URL, o *DialOptions) (*ws.Conn, error) {
	switch {
	case len(o.Header) > 0:
		return nil, &unsupportedError{"DialOptions.Header"}
	case o.PingInterval != 0:
		return nil, &unsupportedError{"DialOptions.PingInterval"}
	case o.PingTimeout != 0:
		return nil, &unsupportedError{"DialOptions.PingTimeout"}
	case target.Userinfo != "":
		return nil, &unsupportedError{"a user and password in the URL; use a cookie, a subprotocol or a token in the query"}
	}
	return browsersocket.Dial(ctx, target.Unredacted(), browsersocket.Options{
		Subprotocols:       o.Subprotocols,
		Config:             *o.config(""),
		DisableStatusProbe: o.DisableStatusProbe,
	})
}

// mayWait returns an error that is [errors.ErrWouldBlock] if the calling goroutine
// must not wait. The error says what to do instead.
func mayWait(call, instead string) error { return browsersocket.MayWait(call, instead) }

// unsupportedError names an option that a browser cannot honour.
type unsupportedError struct{ what string }

func (e *unsupportedError) Error() string {
	return "websocket: a browser cannot honour " + e.what
}

func (e *unsupportedError) Unwrap() error { return errors.ErrUnsupported }

// isUntrusted reports whether err is about the server's certificate. A browser never
// reports this.
func isUntrusted(error) bool { return false }

// NativeOptions has no fields in a browser build, because a browser could honour
// none of them. See the native build for its fields.
type NativeOptions struct{}

// clientReadAhead is how much a Client reads ahead of Receive unless ReceiveBuffer is set. The
// connection itself reads further, and sees its end.
const clientReadAhead = 256 << 10
