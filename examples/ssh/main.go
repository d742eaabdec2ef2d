//go:build !js

// Ssh serves a page that opens an ssh shell on this server. The ssh server is in this process, and
// so is the ssh client, in the page: the connection is encrypted between them, whatever forwards the
// WebSocket.
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"flag"
	"log"
	"net"
	"net/http"

	"golang.org/x/crypto/ssh"

	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws/netconn"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	web := flag.String("web", "web", "the folder with the page")
	password := flag.String("password", rand.Text(), "of every user")
	flag.Parse()

	config, err := newConfig(*password)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("open http://%s/ and sign in with the password %s", listener.Addr(), *password)
	log.Fatal(http.Serve(listener, newHandler(config, *web)))
}

// sshConfig is the configuration of the ssh server, and the key that proves that it is the one.
type sshConfig struct {
	ssh.ServerConfig
	key ssh.PublicKey
}

func newConfig(password string) (*sshConfig, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader) // a real server keeps its key
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, err
	}
	c := &sshConfig{key: signer.PublicKey()}
	c.AddHostKey(signer)
	c.PasswordCallback = checkPassword(password)
	return c, nil
}

func newHandler(config *sshConfig, web string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(web)))
	// The page trusts the server that it came from, so it takes the ssh server's key from there.
	mux.HandleFunc("GET /hostkey", func(w http.ResponseWriter, _ *http.Request) {
		w.Write(ssh.MarshalAuthorizedKey(config.key))
	})
	mux.Handle("GET /ssh", server.Handler(func(_ context.Context, conn *server.Conn) error {
		serveSSH(netconn.New(conn.Conn, nil), &config.ServerConfig)
		return nil
	}, nil))
	return mux
}
