//go:build !js

package main

import (
	"crypto/rand"
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
	u := &users{key: []byte(rand.Text())}
	http.Handle("/", http.FileServer(http.Dir(*web)))
	http.HandleFunc("POST /signin", u.signIn)
	http.Handle("/ws", server.Handler(b.serve, &server.Options{Authorize: u.authorize}))
	log.Printf("open http://%s/", *addr)
	log.Fatal(http.ListenAndServe(*addr, nil))
}
