//go:build !js

package peer_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws/wstest/peer"
)

// Every behaviour is an endpoint that any client can dial.
func ExampleStart() {
	s, err := peer.Start(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	conn, err := isosocket.Dial(context.Background(), s.Addresses().URL+"/burst?n=2&close=4001&message=bye", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for m, err := range conn.Messages(context.Background()) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(m.String())
	}
	// Output:
	// 0
	// 1
	// websocket: connection closed by the peer: 4001 (private application reason, 4000-4999): bye
}

// Accept returns the server to run the cases against.
func ExampleConfig() {
	s, err := peer.Start(&peer.Config{
		Accept: func(w http.ResponseWriter, r *http.Request, a peer.Acceptance) (peer.Conn, error) {
			conn, err := server.Accept(w, r, &server.Options{
				OriginPatterns:    []string{"*"},
				Subprotocols:      a.Subprotocols,
				ChooseSubprotocol: a.ChooseSubprotocol,
				MaxMessageSize:    a.MaxMessageSize,
				PingInterval:      a.PingInterval,
				PingTimeout:       a.PingTimeout,
				Compression:       a.Compression,
			})
			if err != nil {
				return nil, err
			}
			return conn, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	fmt.Println(s.Addresses().Library)
	// Output: true
}
