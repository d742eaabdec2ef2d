package load

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/isosocket/isosocket/bench/internal/wire"
)

// streamPatience is how long a streamed message may take.
const streamPatience = 5 * time.Minute

// Upload sends one message of size bytes in fragments on the first connection, waits for the
// receipt, which is a message of two bytes, and returns how long that took.
func (c *Clients) Upload(size, fragment int64) (time.Duration, error) {
	conn := c.conns[0].conn
	if err := conn.SetDeadline(time.Now().Add(streamPatience)); err != nil {
		return 0, err
	}
	frame := wire.AppendClientFrame(nil, wire.Binary, false, wire.Payload(int(fragment)))
	began := time.Now()
	for sent := int64(0); sent < size; sent += fragment {
		frame[0] = 0 // a continuation
		if sent == 0 {
			frame[0] = wire.Binary
		}
		if sent+fragment >= size {
			frame[0] |= 0x80
		}
		if _, err := conn.Write(frame); err != nil {
			return 0, err
		}
	}
	err := c.conns[0].await(1, make([]byte, 1024))
	return time.Since(began), err
}

// Download asks the server for one message of size bytes on the first connection, reads it, and
// returns how long that took.
func (c *Clients) Download(size int64) (time.Duration, error) {
	conn := c.conns[0].conn
	if err := conn.SetDeadline(time.Now().Add(streamPatience)); err != nil {
		return 0, err
	}
	began := time.Now()
	if _, err := conn.Write(wire.AppendClientFrame(nil, wire.Binary, false, strconv.AppendInt(nil, size, 10))); err != nil {
		return 0, err
	}
	buf := make([]byte, 256<<10)
	for got := int64(0); ; {
		var head [10]byte
		if _, err := io.ReadFull(conn, head[:2]); err != nil {
			return 0, err
		}
		length := int64(head[1])
		switch length {
		case 126:
			if _, err := io.ReadFull(conn, head[2:4]); err != nil {
				return 0, err
			}
			length = int64(binary.BigEndian.Uint16(head[2:]))
		case 127:
			if _, err := io.ReadFull(conn, head[2:10]); err != nil {
				return 0, err
			}
			length = int64(binary.BigEndian.Uint64(head[2:]))
		}
		for rest := length; rest > 0; {
			n, err := conn.Read(buf[:min(rest, int64(len(buf)))])
			if err != nil {
				return 0, err
			}
			rest -= int64(n)
		}
		if head[0]&0x0f > 2 {
			continue // a control frame
		}
		got += length
		if head[0]&0x80 != 0 {
			if got != size {
				return 0, fmt.Errorf("load: a message of %d bytes came, not %d", got, size)
			}
			return time.Since(began), nil
		}
	}
}
