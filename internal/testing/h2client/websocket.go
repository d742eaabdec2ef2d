//go:build !js

package h2client

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/internal/stream"
	"github.com/isosocket/isosocket/ws"
)

// Refusal is an answer other than 200.
type Refusal struct {
	Status int
	Header http.Header
	Text   string
}

func (r *Refusal) Error() string { return http.StatusText(r.Status) + ": " + r.Text }

// WebSocket opens a connection to path. The header may offer subprotocols and compression. The
// error of an answer other than 200 is a *Refusal.
func (c *Client) WebSocket(ctx context.Context, path string, header http.Header, config *ws.Config) (*ws.Conn, error) {
	s, response, err := c.Open(ctx, path, header)
	if err != nil {
		return nil, err
	}
	if s == nil {
		text, _ := io.ReadAll(response.Body)
		return nil, &Refusal{response.StatusCode, response.Header, strings.TrimSpace(string(text))}
	}
	var full ws.Config
	if config != nil {
		full = *config
	}
	full.Subprotocol = response.Header.Get("Sec-WebSocket-Protocol")
	full.Extensions = response.Header.Get("Sec-WebSocket-Extensions")
	deflate, err := rfc6455.AcceptResponse(response.Header["Sec-Websocket-Extensions"], &rfc6455.DeflateParams{}, false)
	if err != nil {
		s.Close()
		return nil, err
	}
	o := stream.Options{Role: rfc6455.Client, Config: full, Deflate: deflate}
	return ws.NewConn(stream.New(s, o), &full), nil
}
