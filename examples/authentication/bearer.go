//go:build !js

package authentication

import (
	"context"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/ws"
)

// DialWithBearer sends a token in the header Authorization.
func DialWithBearer(ctx context.Context, url, token string) (*ws.Conn, error) {
	return isosocket.Dial(ctx, url, &isosocket.DialOptions{Header: map[string][]string{"Authorization": {"Bearer " + token}}})
}
