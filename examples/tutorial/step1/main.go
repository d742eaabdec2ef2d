//go:build !js

package main

import (
	"context"
	"flag"
	"log"
	"net/http"

	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	web := flag.String("web", "web", "the folder with the page")
	flag.Parse()

	http.Handle("/", http.FileServer(http.Dir(*web)))
	http.Handle("/ws", server.Handler(greet, nil))
	log.Printf("open http://%s/", *addr)
	log.Fatal(http.ListenAndServe(*addr, nil))
}

// greet runs for each connection. When it returns, the connection is closed.
func greet(ctx context.Context, conn *server.Conn) error {
	for m, err := range conn.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := conn.Send(ctx, ws.Text("Hello, "+m.String()+"!")); err != nil {
			return err
		}
	}
	return nil
}
