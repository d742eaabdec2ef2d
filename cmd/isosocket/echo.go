//go:build !js

package main

import (
	"context"

	"github.com/isosocket/isosocket/server"
)

// maxKept is the largest buffer that an idle connection keeps.
const maxKept = 64 << 10

// echo sends every message back. It reuses one buffer for all messages of a connection, because
// Send does not keep the data.
func echo(ctx context.Context, conn *server.Conn) error {
	var buf []byte
	for {
		m, err := conn.ReceiveInto(ctx, buf)
		if err != nil {
			return err
		}
		if err := conn.Send(ctx, m); err != nil {
			return err
		}
		if buf = m.Data; cap(buf) > maxKept {
			buf = nil
		}
	}
}
