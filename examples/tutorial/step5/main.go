//go:build !js

package main

import (
	"context"
	"crypto/rand"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/isosocket/isosocket/server"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	web := flag.String("web", "web", "the folder with the page")
	data := flag.String("data", "board.json", "the file that keeps the board")
	secure := flag.Bool("secure", false, "a proxy serves this over https")
	flag.Parse()
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))

	b := &board{conns: map[*server.Conn]bool{}}
	if err := b.load(*data); err != nil {
		logger.Error("cannot load the board", "error", err)
		os.Exit(1)
	}
	key := os.Getenv("BOARD_KEY") // the same after a restart, so that users stay signed in
	if key == "" {
		key = rand.Text()
	}
	u := &users{key: []byte(key), secure: *secure}
	endpoint := server.Handler(b.serve, &server.Options{Authorize: u.authorize, Logger: logger})
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(*web)))
	mux.HandleFunc("GET /client.wasm", serveClient(*web))
	mux.HandleFunc("POST /signin", u.signIn)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/ws", endpoint)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		logger.Error("cannot listen", "error", err)
		os.Exit(1)
	}
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(listener) }()
	logger.Info("serving", "addr", *addr)

	select {
	case err := <-failed:
		logger.Error("cannot serve", "error", err)
		os.Exit(1)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := server.Stop(ctx, s, &server.DrainOptions{Spread: 2 * time.Second}, endpoint); err != nil {
		logger.Error("cannot stop in time", "error", err)
	}
	if err := b.save(*data); err != nil {
		logger.Error("cannot save the board", "error", err)
		os.Exit(1)
	}
}

// serveClient serves the compressed client to browsers that accept it. The
// Content-Type lets the browser compile while it downloads.
func serveClient(web string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		file := filepath.Join(web, "client.wasm")
		w.Header().Set("Content-Type", "application/wasm")
		w.Header().Add("Vary", "Accept-Encoding")
		if _, err := os.Stat(file + ".gz"); err == nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			file += ".gz"
		}
		http.ServeFile(w, r, file)
	}
}
