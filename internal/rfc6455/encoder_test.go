package rfc6455

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAppendHeader(t *testing.T) {
	key := [4]byte{0x37, 0xFA, 0x21, 0x3D}
	tests := []struct {
		fin, rsv1 bool
		op        Opcode
		length    int
		mask      *[4]byte
		want      string
	}{
		{true, false, OpText, 0, nil, "8100"},
		{true, false, OpText, 5, &key, "818537fa213d"},
		{false, false, OpText, 3, nil, "0103"},
		{true, true, OpBinary, 125, nil, "c27d"},
		{true, false, OpBinary, 126, nil, "827e007e"},
		{true, false, OpBinary, 256, nil, "827e0100"},
		{true, false, OpBinary, 65535, nil, "827effff"},
		{true, false, OpBinary, 65536, nil, "827f0000000000010000"},
		{true, false, OpBinary, 65536, &key, "82ff000000000001000037fa213d"},
		{true, false, OpContinuation, 1 << 30, nil, "807f0000000040000000"},
		{true, false, OpPing, -1, nil, "8900"},
	}
	for _, test := range tests {
		got := AppendHeader([]byte("x"), test.fin, test.rsv1, test.op, test.length, test.mask)
		if hex.EncodeToString(got[1:]) != test.want || got[0] != 'x' {
			t.Errorf("header of %v, %d bytes, is %x, want %s", test.op, test.length, got[1:], test.want)
		}
		if size := headerSize(test.length, test.mask != nil); size != len(test.want)/2 {
			t.Errorf("headerSize(%d) is %d, want %d", test.length, size, len(test.want)/2)
		}
	}
}

func TestAppendMessage(t *testing.T) {
	var e Encoder
	e.Init(Server, nil, DeflatePolicy{})
	got, err := e.AppendMessage([]byte("before"), OpText, []byte("Hello"))
	if err != nil || string(got) != "before\x81\x05Hello" {
		t.Errorf("a server's Hello is %q, %v", got, err)
	}
	for _, op := range []Opcode{OpContinuation, OpClose, OpPing, OpPong, 3} {
		got, err := e.AppendMessage([]byte("before"), op, []byte("Hello"))
		if err == nil || !strings.Contains(err.Error(), "text and binary") || string(got) != "before" {
			t.Errorf("AppendMessage of %v gives %q, %v", op, got, err)
		}
	}

	e.Init(Client, nil, DeflatePolicy{})
	payload := []byte("Hello")
	got, err = e.AppendMessage(nil, OpText, payload)
	if err != nil || len(got) != 11 || got[0] != 0x81 || got[1] != 0x85 {
		t.Fatalf("a client's Hello is %x, %v", got, err)
	}
	plainMask([4]byte(got[2:6]), 0, got[6:])
	if string(got[6:]) != "Hello" || string(payload) != "Hello" {
		t.Errorf("a client's Hello says %q, and the payload is %q", got[6:], payload)
	}
}

// TestMaskingKeys checks that the keys of all frames and all Encoders differ.
func TestMaskingKeys(t *testing.T) {
	seen := make(map[string]bool)
	for range 3 {
		var e Encoder
		e.Init(Client, nil, DeflatePolicy{})
		for range 1000 {
			frame := e.AppendControl(nil, OpPing, nil)
			seen[string(frame[2:])] = true
		}
	}
	if len(seen) < 2990 { // of 2^32 a few may meet
		t.Errorf("3000 frames have %d keys", len(seen))
	}
}

func TestCompresses(t *testing.T) {
	takeover, independent := &DeflateParams{}, &DeflateParams{ServerNoContextTakeover: true}
	tests := []struct {
		params    *DeflateParams
		threshold int
		n         int
		want      bool
	}{
		{nil, 0, 1 << 20, false},
		{takeover, 0, 127, false},
		{takeover, 0, 128, true},
		{independent, 0, 511, false},
		{independent, 0, 512, true},
		{independent, 10, 9, false},
		{independent, 10, 10, true},
		{takeover, -1, 0, true},
	}
	for _, test := range tests {
		var e Encoder
		e.Init(Server, test.params, DeflatePolicy{Threshold: test.threshold})
		if got := e.Compresses(test.n); got != test.want {
			t.Errorf("with %+v and a threshold of %d, Compresses(%d) is %t", test.params, test.threshold, test.n, got)
		}
		frame, _ := e.AppendMessage(nil, OpBinary, make([]byte, test.n))
		// A few bytes do not become shorter, and so are not.
		if is := frame[0]&bitRSV1 != 0; is != (test.want && test.n > 10) {
			t.Errorf("with %+v and a threshold of %d, %d zeros are compressed: %t", test.params, test.threshold, test.n, is)
		}
	}
}

// TestIncompressible: what does not become shorter travels as it is, unless a
// context has seen it; then it is hardly longer.
func TestIncompressible(t *testing.T) {
	for name, params := range deflateCases() {
		var e Encoder
		e.Init(Server, params, DeflatePolicy{Threshold: -1})
		payload := noise(5000, 11)
		for range 3 {
			frame, _ := e.AppendMessage(nil, OpBinary, payload)
			if takeover := !params.ServerNoContextTakeover; takeover {
				if len(frame) > len(payload)+maxHeader+10 {
					t.Errorf("%s: %d bytes became %d", name, len(payload), len(frame))
				}
			} else if frame[0]&bitRSV1 != 0 || !bytes.Equal(frame[len(frame)-len(payload):], payload) {
				t.Errorf("%s: noise is compressed", name)
			}
		}
	}
}

func TestAppendControl(t *testing.T) {
	var e Encoder
	e.Init(Server, nil, DeflatePolicy{})
	if got := e.AppendControl(nil, OpPong, make([]byte, 126)); len(got) != 127 || got[1] != 125 {
		t.Errorf("a pong of 126 bytes is %x", got)
	}
}

func TestAppendClose(t *testing.T) {
	euros := strings.Repeat("€", 50)
	tests := []struct {
		name    string
		code    uint16
		message string
		want    string // of the payload
	}{
		{"with a message", 1000, "bye", "\x03\xe8bye"},
		{"without a code", 1005, "never sent", ""},
		{"1006 never travels", 1006, "never sent", ""},
		{"1015 never travels", 1015, "never sent", ""},
		{"zero", 0, "", ""},
		{"123 bytes", 4999, strings.Repeat("x", 123), "\x13\x87" + strings.Repeat("x", 123)},
		{"124 bytes", 4999, strings.Repeat("x", 124), "\x13\x87" + strings.Repeat("x", 123)},
		{"cut before a rune", 1001, "x" + euros, "\x03\xe9x" + euros[:120]},
		{"not UTF-8", 1001, "a\xffb", "\x03\xe9a\uFFFDb"},
		{"longer once it is UTF-8", 1001, strings.Repeat("a\xff", 61) + "z", "\x03\xe9" + strings.Repeat("a\uFFFD", 30) + "a"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var e Encoder
			e.Init(Server, nil, DeflatePolicy{})
			got := e.AppendClose(nil, test.code, test.message)
			if want := string([]byte{0x88, byte(len(test.want))}) + test.want; string(got) != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if len(got) > 4 && !utf8.Valid(got[4:]) {
				t.Errorf("%q is not UTF-8", got[4:])
			}
			e.Init(Client, nil, DeflatePolicy{})
			var d Decoder
			d.Init(Server, 0, nil)
			if happened := decodeAll(t, &d, e.AppendClose(nil, test.code, test.message), allAtOnce); len(happened) != 1 || !strings.HasPrefix(happened[0], "close ") {
				t.Errorf("a decoder says %q", happened)
			}
		})
	}
}

func TestEncodeAllocs(t *testing.T) {
	for _, role := range []Role{Client, Server} {
		for name, params := range map[string]*DeflateParams{"plain": nil, "compressed": {}} {
			var e Encoder
			e.Init(role, params, DeflatePolicy{})
			payload := jsonMessages(1, 2000)[0]
			var dst []byte
			if allocs := testing.AllocsPerRun(200, func() {
				dst, _ = e.AppendMessage(dst[:0], OpText, payload)
				dst = e.AppendControl(dst, OpPing, payload[:10])
				dst = e.AppendClose(dst, 1000, "bye")
			}); allocs != 0 && !raceEnabled {
				t.Errorf("%v, %s: three frames take %v allocations", role, name, allocs)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[fmt.Stringer]string{
		Client: "client", Server: "server",
		OpContinuation: "continuation", OpText: "text", OpBinary: "binary", OpClose: "close", OpPing: "ping", OpPong: "pong", Opcode(3): "opcode 0x3",
		EventNone: "none", EventMessage: "message", EventPing: "ping", EventPong: "pong", EventClose: "close", Event(9): "unknown event",
	} {
		if got.String() != want {
			t.Errorf("%T is %q, want %q", got, got, want)
		}
	}
}
