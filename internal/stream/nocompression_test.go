package stream

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// readData reads and unmasks a data frame of any size.
func readData(t *testing.T, r io.Reader) (first byte, payload []byte) {
	t.Helper()
	read := func(n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			t.Fatalf("peer's read: %v", err)
		}
		return b
	}
	head := read(2)
	size := int(head[1] & 0x7f)
	switch size {
	case 126:
		size = int(binary.BigEndian.Uint16(read(2)))
	case 127:
		size = int(binary.BigEndian.Uint64(read(8)))
	}
	key := make([]byte, 4)
	if head[1]&0x80 != 0 {
		key = read(4)
	}
	payload = read(size)
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return head[0], payload
}

// If compression was negotiated, every way to send a message with NoCompression sends it
// uncompressed, and the compressed messages around it do not refer to it.
func TestNoCompression(t *testing.T) {
	const rsv1 = 0x40
	for role, name := range map[rfc6455.Role]string{rfc6455.Client: "client", rfc6455.Server: "server"} {
		for takeover, deflate := range map[string]*rfc6455.DeflateParams{
			"takeover":    {},
			"no takeover": {ServerNoContextTakeover: true, ClientNoContextTakeover: true},
		} {
			t.Run(name+", "+takeover, func(t *testing.T) {
				near, far := tcpPair(t)
				defer far.Close()
				conn := connect(t, role, near, Options{Deflate: deflate, DeflatePolicy: rfc6455.DeflatePolicy{Level: 1, Threshold: 1}})
				secret := strings.Repeat("a secret; ", 20)
				plain := ws.Message{Kind: ws.KindText, NoCompression: true, Data: []byte(secret)}
				large := ws.Message{Kind: ws.KindBinary, NoCompression: true, Data: bytes.Repeat([]byte("large"), 10_000)}
				ctx := within(t)
				sends := []struct {
					what string
					m    ws.Message
					send func(ws.Message) error
				}{
					{"Send", ws.Text(secret), func(m ws.Message) error { return conn.Send(ctx, m) }},
					{"Send", plain, func(m ws.Message) error { return conn.Send(ctx, m) }},
					{"TrySend", plain, conn.TrySend},
					{"SendPrepared", plain, func(m ws.Message) error { return conn.SendPrepared(ctx, ws.Prepare(m)) }},
					{"SendPrepared", ws.Text(secret), func(m ws.Message) error { return conn.SendPrepared(ctx, ws.Prepare(m)) }},
					{"TrySendPrepared", plain, func(m ws.Message) error { return conn.TrySendPrepared(ws.Prepare(m)) }},
					{"Send of a large one", large, func(m ws.Message) error { return conn.Send(ctx, m) }},
					{"Send after all that", ws.Text(secret), func(m ws.Message) error { return conn.Send(ctx, m) }},
				}
				sent := make(chan error, len(sends))
				go func() {
					for _, s := range sends {
						sent <- s.send(s.m)
					}
				}()
				for _, s := range sends {
					if err := <-sent; err != nil {
						t.Fatalf("%s: %v", s.what, err)
					}
					first, payload := readData(t, far)
					if compressed := first&rsv1 != 0; compressed == s.m.NoCompression {
						t.Errorf("%s with NoCompression %v: compressed %v", s.what, s.m.NoCompression, compressed)
					}
					if s.m.NoCompression != bytes.Equal(payload, s.m.Data) {
						t.Errorf("%s with NoCompression %v: %.50q", s.what, s.m.NoCompression, payload)
					}
				}
			})
		}
	}
}

// Messages with and without compression arrive unchanged, in order.
func TestNoCompressionBetweenOthers(t *testing.T) {
	c, s := tcpPair(t)
	o := Options{Deflate: &rfc6455.DeflateParams{}, DeflatePolicy: rfc6455.DeflatePolicy{Threshold: 1}}
	client, server := connect(t, rfc6455.Client, c, o), connect(t, rfc6455.Server, s, o)
	text := strings.Repeat("what later messages may refer to ", 10)
	for i := range 20 {
		m := ws.Text(text[i:])
		m.NoCompression = i%3 == 0
		sendOrReport(t, client, m)
		got, err := server.Receive(within(t))
		if err != nil || got.String() != text[i:] || got.NoCompression {
			t.Fatalf("message %d: %.40q, NoCompression %v, %v", i, got.Data, got.NoCompression, err)
		}
		sendOrReport(t, server, m)
		mustReceive(t, client, text[i:])
	}
	invalid := ws.Message{Kind: ws.KindText, NoCompression: true, Data: []byte("\xff")}
	if err := client.Send(within(t), invalid); !errors.Is(err, errors.ErrInvalidUTF8) {
		t.Errorf("not UTF-8: %v", err)
	}
}
