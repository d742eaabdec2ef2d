//go:build js

// Command coder is coder/websocket's client of rows n and o.
package main

import (
	"context"

	"github.com/coder/websocket"

	"github.com/isosocket/isosocket/bench/wasm/load/internal/job"
)

func main() {
	job.Run(func(url string) (job.Client, error) {
		ctx, cancel := context.WithCancel(context.Background())
		conn, _, err := websocket.Dial(ctx, url, nil)
		if err != nil {
			cancel()
			return job.Client{}, err
		}
		conn.SetReadLimit(16 << 20)
		return job.Client{
			Close: func() {
				conn.CloseNow()
				cancel()
			},
			Send: func(data []byte) error { return conn.Write(ctx, websocket.MessageBinary, data) },
			Receive: func() ([]byte, error) {
				_, data, err := conn.Read(ctx)
				return data, err
			},
		}, nil
	})
}
