package rfc6455

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// reference decodes a whole stream in the plainest way, straight from the text of RFC 6455 and with
// nothing of the decoder's. It returns what happens, in the form of happening, with the code in
// place of an error.
func reference(role Role, limit int, wire []byte) (happened []string) {
	var op byte // of the message, 0 between messages
	var message []byte
	for len(wire) >= 2 {
		fin, reserved, opcode := wire[0]&0x80 != 0, wire[0]&0x70, wire[0]&0x0F
		masked, length := wire[1]&0x80 != 0, uint64(wire[1]&0x7F)
		control := opcode >= 8
		switch {
		case reserved != 0,
			opcode > 2 && opcode < 8, opcode > 10,
			masked != (role == Server),
			control && !fin,
			control && length > 125,
			opcode == 0 && op == 0,
			(opcode == 1 || opcode == 2) && op != 0:
			return append(happened, "1002")
		}
		header := 2
		if length == 126 {
			header += 2
		} else if length == 127 {
			header += 8
		}
		if masked {
			header += 4
		}
		if len(wire) < header {
			return happened
		}
		var key [4]byte
		if masked {
			copy(key[:], wire[header-4:])
		}
		if length == 126 {
			if length = uint64(binary.BigEndian.Uint16(wire[2:])); length < 126 {
				return append(happened, "1002")
			}
		} else if length == 127 {
			if length = binary.BigEndian.Uint64(wire[2:]); length < 65536 || length >= 1<<63 {
				return append(happened, "1002")
			}
		}
		if !control && length > uint64(limit-len(message)) {
			return append(happened, "1009")
		}
		payload := bytes.Clone(wire[header:])
		whole := uint64(len(payload)) >= length
		if whole {
			payload = payload[:length]
		}
		wire = wire[header+len(payload):]
		for i := range payload {
			payload[i] ^= key[i%4]
		}
		if control {
			switch {
			case !whole:
				return happened
			case opcode == 9:
				happened = append(happened, fmt.Sprintf("ping %q", payload))
			case opcode == 10:
				happened = append(happened, fmt.Sprintf("pong %q", payload))
			case length == 0:
				return append(happened, `close 1005 ""`)
			case length == 1:
				return append(happened, "1002")
			default:
				code := binary.BigEndian.Uint16(payload)
				if code < 1000 || code > 4999 || code >= 1004 && code <= 1006 || code >= 1015 && code <= 2999 {
					return append(happened, "1002")
				}
				if !utf8.Valid(payload[2:]) {
					return append(happened, "1007")
				}
				return append(happened, fmt.Sprintf("close %d %q", code, payload[2:]))
			}
			continue
		}
		if opcode != 0 {
			op, message = opcode, nil
		}
		message = append(message, payload...)
		end := whole && fin
		if op == 1 && !possibleUTF8(message, end) {
			return append(happened, "1007")
		}
		if end {
			kind := map[byte]string{1: "text", 2: "binary"}[op]
			happened = append(happened, fmt.Sprintf("%s message %q", kind, message))
			op, message = 0, nil
		}
	}
	return happened
}

// possibleUTF8 reports whether b is UTF-8 or, unless end is set, can become it. It tries all that
// could follow.
func possibleUTF8(b []byte, end bool) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			break
		}
		b = b[n:]
	}
	if len(b) == 0 {
		return true
	}
	if end || len(b) > 3 {
		return false
	}
	// Look for a rune whose encoding begins with b. Its last byte, six bits of it, is not in b.
	for r := rune(0x80); r <= utf8.MaxRune; r += 1 << 6 {
		var e [4]byte
		n := utf8.EncodeRune(e[:], r)
		if utf8.ValidRune(r) && n > len(b) && bytes.HasPrefix(e[:n], b) {
			return true
		}
	}
	return false
}

// codeOnly replaces an error by its code, the only thing the reference knows of it.
func codeOnly(happened []string) []string {
	if len(happened) > 0 {
		last := &happened[len(happened)-1]
		for _, code := range []string{"1002", "1007", "1009"} {
			if bytes.HasSuffix([]byte(*last), []byte("(close code "+code+")")) {
				*last = code
			}
		}
	}
	return happened
}

func FuzzDecoder(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 1))
	for seed := range 4 {
		wire := frames(Role(seed%2), nil, random)
		f.Add(wire[:min(len(wire), 2000)], seed%2 == 1, uint16(4000), uint64(seed))
	}
	for _, s := range []string{"810548656c6c6f", "0103 48656c 890178 8002 6c6f", "827e0100", "880203e8", "8803 03e8 ff", "0101c3 8001a4", "01 02 f09f 80 02 9880"} {
		f.Add(unhex(f, s), false, uint16(300), uint64(1))
	}
	for _, s := range []string{"818537fa213d7f9f4d5158", "8985 00000000 48656c6c6f 818000000000"} {
		f.Add(unhex(f, s), true, uint16(300), uint64(2))
	}
	f.Fuzz(func(t *testing.T, wire []byte, server bool, limit uint16, seed uint64) {
		role := Client
		if server {
			role = Server
		}
		most := int(limit) + 1
		want := reference(role, most, wire)
		var d Decoder
		d.Init(role, int64(most), nil)
		whole := decodeAll(t, &d, wire, allAtOnce)
		d.Init(role, int64(most), nil)
		if single := decodeAll(t, &d, wire, oneByOne); !equal(single, whole) {
			t.Errorf("byte by byte %q, at once %q", single, whole)
		}
		d.Init(role, int64(most), nil)
		if mixed := decodeRandomly(t, &d, wire, rand.New(rand.NewPCG(seed, 1))); !equal(mixed, whole) {
			t.Errorf("in pieces %q, at once %q", mixed, whole)
		}
		if got := codeOnly(whole); !equal(got, want) {
			t.Errorf("got %q, the reference gives %q", got, want)
		}
	})
}

// FuzzDecoderCompressed: with compression there is no plain reference, but what happens still must
// not depend on how the bytes are cut.
func FuzzDecoderCompressed(f *testing.F) {
	random := rand.New(rand.NewPCG(2, 1))
	for seed := range 4 {
		wire := frames(Server, &DeflateParams{ServerNoContextTakeover: seed%2 == 0}, random)
		f.Add(wire[:min(len(wire), 2000)], seed%2 == 0, uint16(4000), uint64(seed))
	}
	for _, s := range []string{"c107 f248cdc9c90700 c105 f200110000", "4103 f248cd 890178 8004 c9c90700", "c100", "c10100", "c1 01 07"} {
		f.Add(unhex(f, s), false, uint16(300), uint64(1))
	}
	f.Fuzz(func(t *testing.T, wire []byte, independent bool, limit uint16, seed uint64) {
		params := &DeflateParams{ServerNoContextTakeover: independent}
		var d Decoder
		d.Init(Client, int64(limit)+1, params)
		whole := decodeAll(t, &d, wire, allAtOnce)
		d.Init(Client, int64(limit)+1, params)
		if single := decodeAll(t, &d, wire, oneByOne); !equal(single, whole) {
			t.Errorf("byte by byte %q, at once %q", single, whole)
		}
		d.Init(Client, int64(limit)+1, params)
		if mixed := decodeRandomly(t, &d, wire, rand.New(rand.NewPCG(seed, 1))); !equal(mixed, whole) {
			t.Errorf("in pieces %q, at once %q", mixed, whole)
		}
	})
}

// FuzzRoundTrip: what an Encoder writes, a Decoder reads, whatever was negotiated.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("Hello"), []byte("Hello, Hello"), uint16(0), uint64(1))
	f.Add(bytes.Repeat([]byte("abc"), 300), noise(300, 1), uint16(0xFFFF), uint64(2))
	f.Add(jsonMessages(1, 900)[0], []byte{}, uint16(0x0F02), uint64(3))
	f.Fuzz(func(t *testing.T, first, second []byte, how uint16, seed uint64) {
		role := Role(how & 1)
		var params *DeflateParams
		if how&2 != 0 {
			params = &DeflateParams{
				ServerNoContextTakeover: how&4 != 0,
				ClientNoContextTakeover: how&4 != 0,
				ServerMaxWindowBits:     int(how >> 8 & 15),
				ClientMaxWindowBits:     int(how >> 8 & 15),
			}
		}
		var e Encoder
		e.Init(role, params, DeflatePolicy{Level: int(how >> 4 & 7), Threshold: int(how>>12) * 8})
		var wire []byte
		var want []string
		for _, payload := range [][]byte{first, second, first, append(bytes.Clone(second), first...)} {
			op := OpBinary
			if utf8.Valid(payload) {
				op = OpText
			}
			wire, _ = e.AppendMessage(wire, op, payload)
			want = append(want, fmt.Sprintf("%v message %q", op, payload))
			wire = e.AppendControl(wire, OpPing, payload)
			want = append(want, fmt.Sprintf("ping %q", payload[:min(len(payload), 125)]))
		}
		wire = e.AppendClose(wire, 4000, string(second))
		want = append(want, fmt.Sprintf("close 4000 %q", closeMessage(string(second))))
		var d Decoder
		d.Init(1-role, int64(len(first)+len(second)), params)
		if got := decodeRandomly(t, &d, wire, rand.New(rand.NewPCG(seed, 1))); !equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		e.Release()
		d.Release()
	})
}
