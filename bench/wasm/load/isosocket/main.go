//go:build js

// Command isosocket is this library's client of rows n and o.
package main

import (
	"context"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/bench/wasm/load/internal/job"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

func main() {
	job.Run(func(url string) (job.Client, error) {
		ctx, cancel := context.WithCancel(context.Background())
		conn, err := isosocket.Dial(ctx, url, nil)
		if err != nil {
			cancel()
			return job.Client{}, err
		}
		var buf []byte
		return job.Client{
			Close: func() {
				conn.Close(errors.NormalClosure, "")
				cancel()
			},
			Send: func(data []byte) error { return conn.Send(ctx, ws.Binary(data)) },
			Receive: func() ([]byte, error) {
				m, err := conn.ReceiveInto(ctx, buf)
				if err == nil {
					buf = m.Data
				}
				return m.Data, err
			},
		}, nil
	})
}
