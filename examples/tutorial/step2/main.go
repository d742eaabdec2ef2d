//go:build !js

package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/isosocket/isosocket/server"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	web := flag.String("web", "web", "the folder with the page")
	flag.Parse()

	b := &board{conns: map[*server.Conn]bool{}}
	http.Handle("/", http.FileServer(http.Dir(*web)))
	http.Handle("/ws", server.Handler(b.serve, nil))
	log.Printf("open http://%s/", *addr)
	log.Fatal(http.ListenAndServe(*addr, nil))
}
