//go:build !js

package handshake

import (
	"io"
	"net"
	"time"
)

// readAhead takes out of stream what it has read from conn, which is below it,
// but not given out yet: a server may send its first messages right behind the
// handshake. A read deadline in the past makes conn refuse to read any more,
// so that what stream still gives is what it held. ok is false if conn has no
// deadlines; then nothing was taken.
func readAhead(stream io.Reader, conn net.Conn) (held []byte, ok bool) {
	if conn.SetReadDeadline(time.Unix(1, 0)) != nil {
		return nil, false
	}
	buf := make([]byte, 512)
	for {
		n, err := stream.Read(buf)
		held = append(held, buf[:n]...)
		// An error that is no timeout will come again to whoever reads next.
		if err != nil || n == 0 {
			break
		}
	}
	if conn.SetReadDeadline(time.Time{}) != nil {
		return held, true // closed meanwhile: the next read says so
	}
	return held, true
}
