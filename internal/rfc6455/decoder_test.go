package rfc6455

import (
	"bytes"
	"testing"
)

func TestRoundTripSmoke(t *testing.T) {
	for _, params := range []*DeflateParams{nil, {}, {ServerNoContextTakeover: true, ClientNoContextTakeover: true}} {
		var e Encoder
		var d Decoder
		e.Init(Client, params, DeflatePolicy{})
		d.Init(Server, 0, params)
		var wire []byte
		for _, n := range []int{0, 1, 125, 126, 1000, 65535, 65536, 1 << 20} {
			payload := bytes.Repeat([]byte("abcdefg,"), n/8+1)[:n]
			wire, _ = e.AppendMessage(wire[:0], OpText, payload)
			for rest := wire; ; {
				k, ev, err := d.Decode(rest[:min(len(rest), 4096)])
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[k:]
				if ev == EventMessage {
					_, data := d.Message()
					if !bytes.Equal(data, payload) {
						t.Fatalf("%d bytes came as %d", n, len(data))
					}
					break
				}
			}
		}
	}
}
