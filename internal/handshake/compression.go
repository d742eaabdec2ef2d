//go:build !js

package handshake

import (
	"fmt"

	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// Deflate translates c into the parameters to negotiate and the compression policy. A
// nil c gives nil parameters, for no compression.
func Deflate(c *ws.Compression) (*rfc6455.DeflateParams, rfc6455.DeflatePolicy, error) {
	var policy rfc6455.DeflatePolicy
	if c == nil {
		return nil, policy, nil
	}
	if c.Level < 0 || c.Level > 9 {
		return nil, policy, fmt.Errorf("websocket: Compression.Level is %d; allowed are 1 to 9, and 0 for the default", c.Level)
	}
	if c.MaxWindowBits != 0 && (c.MaxWindowBits < 9 || c.MaxWindowBits > 15) {
		return nil, policy, fmt.Errorf("websocket: Compression.MaxWindowBits is %d; allowed are 9 to 15, and 0 for 15", c.MaxWindowBits)
	}
	if c.Threshold < 0 {
		return nil, policy, fmt.Errorf("websocket: Compression.Threshold is %d; a number of bytes cannot be negative", c.Threshold)
	}
	policy.Level, policy.Threshold = max(c.Level, 1), c.Threshold
	return &rfc6455.DeflateParams{
		ServerNoContextTakeover: !c.ContextTakeover,
		ClientNoContextTakeover: !c.ContextTakeover,
		ServerMaxWindowBits:     c.MaxWindowBits,
		ClientMaxWindowBits:     c.MaxWindowBits,
	}, policy, nil
}
