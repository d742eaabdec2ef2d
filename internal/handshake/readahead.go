//go:build !js

package handshake

import (
	"io"
	"net"
	"time"
)

// readAhead takes the bytes out of stream that it has read from conn, which is below
// it, and not returned yet: a server may send its first messages right after the
// handshake. A read deadline in the past makes further reads of conn fail, so that
// stream returns only the bytes that it held. ok is false if conn has no deadlines;
// then nothing was taken.
func readAhead(stream io.Reader, conn net.Conn) (held []byte, ok bool) {
	if conn.SetReadDeadline(time.Unix(1, 0)) != nil {
		return nil, false
	}
	buf := make([]byte, 512)
	for {
		n, err := stream.Read(buf)
		held = append(held, buf[:n]...)
		// The next read returns an error other than the timeout again.
		if err != nil || n == 0 {
			break
		}
	}
	if conn.SetReadDeadline(time.Time{}) != nil {
		return held, true // closed meanwhile: the next read reports it
	}
	return held, true
}
