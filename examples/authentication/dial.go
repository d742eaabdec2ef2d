package authentication

import (
	"context"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/ws"
)

// Subprotocol is what the two ends speak once they are connected.
const Subprotocol = "chat"

// tokenPrefix marks the subprotocol that carries a token.
const tokenPrefix = "token."

// DialWithCookie connects with the cookie that the page's site has set, which the browser sends by
// itself.
func DialWithCookie(ctx context.Context, url string) (*ws.Conn, error) {
	return isosocket.Dial(ctx, url, nil)
}

// Reconnecting returns options that fetch a new ticket for each attempt, because a ticket works
// once.
func Reconnecting(url string, newTicket func(context.Context) (string, error)) *isosocket.ReconnectOptions {
	return &isosocket.ReconnectOptions{
		Prepare: func(ctx context.Context, attempt *isosocket.Attempt) error {
			ticket, err := newTicket(ctx)
			if err != nil {
				return err
			}
			attempt.URL = url + "?ticket=" + ticket
			return nil
		},
	}
}

// DialWithSubprotocol offers the token as a subprotocol beside the real one, which the server
// chooses. A token may have letters, digits and -._~ only.
func DialWithSubprotocol(ctx context.Context, url, token string) (*ws.Conn, error) {
	return isosocket.Dial(ctx, url, &isosocket.DialOptions{Subprotocols: []string{Subprotocol, tokenPrefix + token}})
}
