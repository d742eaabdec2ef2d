//go:build !js

package http2_test

import (
	"context"
	"log"
	"net/http"

	"github.com/isosocket/isosocket/server"
	_ "github.com/isosocket/isosocket/server/http2" // switches WebSocket over HTTP/2 on
)

// A server whose pages open their WebSockets on the connection that loaded the page.
func Example() {
	echo := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		for m, err := range conn.Messages(ctx) {
			if err != nil {
				return err
			}
			if err := conn.Send(ctx, m); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("page")))
	mux.Handle("/ws", echo)
	s := &http.Server{
		Addr:    ":443",
		Handler: mux,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          500,      // of one browser: requests and WebSockets
			MaxReceiveBufferPerStream:     64 << 10, // smaller than that of the connection
			MaxReceiveBufferPerConnection: 1 << 20,
		},
	}
	log.Fatal(s.ListenAndServeTLS("cert.pem", "key.pem"))
}
