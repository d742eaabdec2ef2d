package rfc6455

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

// happening describes one event of a decoder, in a form that can be compared.
func happening(ev Event, d *Decoder) string {
	switch ev {
	case EventMessage:
		op, data := d.Message()
		return fmt.Sprintf("%v message %q", op, data)
	case EventClose:
		code, message := d.Close()
		return fmt.Sprintf("close %d %q", code, message)
	}
	return fmt.Sprintf("%v %q", ev, d.Control())
}

// decodeAll passes wire to d in parts and returns the events; the last one may be an error. cut
// returns the size of the next part for the size of the rest.
func decodeAll(t testing.TB, d *Decoder, wire []byte, cut func(left int) int) []string {
	t.Helper()
	var happened []string
	wire = bytes.Clone(wire)
	for len(wire) > 0 {
		p := wire[:cut(len(wire))]
		wire = wire[len(p):]
		for {
			n, ev, err := d.Decode(p)
			if err != nil {
				var failed *Error
				if !errors.As(err, &failed) {
					t.Fatalf("%v is no *Error", err)
				}
				if len(failed.Reason) > maxCloseMessage {
					t.Errorf("the reason %q has %d bytes: it does not fit in a close frame", failed.Reason, len(failed.Reason))
				}
				return append(happened, err.Error())
			}
			p = p[n:]
			if ev == EventNone {
				if len(p) > 0 {
					t.Fatalf("Decode left %d bytes without an event", len(p))
				}
				break
			}
			happened = append(happened, happening(ev, d))
		}
	}
	return happened
}

func allAtOnce(left int) int { return left }
func oneByOne(int) int       { return 1 }

// unhex decodes hexadecimal digits with spaces between.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecodeExamples(t *testing.T) {
	big := strings.Repeat("00", 65536)
	tests := []struct {
		name    string // the examples of RFC 6455, section 5.7
		role    Role
		deflate *DeflateParams
		wire    string
		want    []string
	}{
		{"unmasked text", Client, nil, "81 05 48656c6c6f", []string{`text message "Hello"`}},
		{"masked text", Server, nil, "81 85 37fa213d 7f9f4d5158", []string{`text message "Hello"`}},
		{"fragmented text", Client, nil, "01 03 48656c 80 02 6c6f", []string{`text message "Hello"`}},
		{"ping", Client, nil, "89 05 48656c6c6f", []string{`ping "Hello"`}},
		{"masked pong", Server, nil, "8a 85 37fa213d 7f9f4d5158", []string{`pong "Hello"`}},
		{"256 bytes binary", Client, nil, "82 7e0100" + big[:512], []string{fmt.Sprintf("binary message %q", make([]byte, 256))}},
		{"64 KiB binary", Client, nil, "82 7f0000000000010000" + big, []string{fmt.Sprintf("binary message %q", make([]byte, 65536))}},

		{"fragments with control frames between", Client, nil, "01 01 48 89 02 6869 00 00 8a 00 80 01 69", []string{`ping "hi"`, `pong ""`, `text message "Hi"`}},
		{"empty messages", Client, nil, "81 00 82 00 01 00 80 00", []string{`text message ""`, `binary message ""`, `text message ""`}},
		{"close without a code", Client, nil, "88 00", []string{`close 1005 ""`}},
		{"close with a code", Client, nil, "88 02 03e8", []string{`close 1000 ""`}},
		{"close with a message", Server, nil, "88 85 00000000 0fa0 627965", []string{`close 4000 "bye"`}},
		{"data after a close is discarded", Client, nil, "88 02 03e8 ff ff ff 81 00", []string{`close 1000 ""`}},
		{"text split inside a rune", Client, nil, "01 02 c3a4 00 01 e2 00 01 82 80 01 ac", []string{`text message "ä€"`}},

		// RFC 7692, section 7.2.3
		{"compressed", Client, &DeflateParams{}, "c1 07 f248cdc9c90700", []string{`text message "Hello"`}},
		{"compressed in two fragments", Client, &DeflateParams{}, "41 03 f248cd 80 04 c9c90700", []string{`text message "Hello"`}},
		{"compressed with context takeover", Client, &DeflateParams{}, "c1 07 f248cdc9c90700 c1 05 f200110000", []string{`text message "Hello"`, `text message "Hello"`}},
		{"uncompressed between two that are compressed", Client, &DeflateParams{}, "c1 07 f248cdc9c90700 81 02 6869 c1 05 f200110000", []string{`text message "Hello"`, `text message "hi"`, `text message "Hello"`}},
		{"compressed, stored block", Client, &DeflateParams{}, "c1 0b 000500faff48656c6c6f00", []string{`text message "Hello"`}},
		{"compressed, final block", Client, &DeflateParams{}, "c1 08 f348cdc9c9070000", []string{`text message "Hello"`}},
		{"compressed, two blocks", Client, &DeflateParams{}, "c1 0d f248050000 00ffff cac9c90700", []string{`text message "Hello"`}},
		{"compressed, empty", Client, &DeflateParams{}, "c1 01 00", []string{`text message ""`}},
		{"compressed, no payload", Client, &DeflateParams{}, "c1 00", []string{`text message ""`}},
		{"uncompressed though negotiated", Client, &DeflateParams{}, "81 05 48656c6c6f", []string{`text message "Hello"`}},
		{"ping inside a compressed message", Client, &DeflateParams{}, "42 03 f248cd 89 01 78 80 04 c9c90700", []string{`ping "x"`, `binary message "Hello"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for name, cut := range map[string]func(int) int{"at once": allAtOnce, "byte by byte": oneByOne} {
				var d Decoder
				d.Init(test.role, 0, test.deflate)
				if got := decodeAll(t, &d, unhex(t, test.wire), cut); !equal(got, test.want) {
					t.Errorf("%s: got %.200q, want %.200q", name, got, test.want)
				}
				if !d.Idle() {
					t.Errorf("%s: the decoder is not idle at the end", name)
				}
			}
		})
	}
}

func equal(a, b []string) bool {
	return strings.Join(a, "\n") == strings.Join(b, "\n") && len(a) == len(b)
}

func TestDecodeRefuses(t *testing.T) {
	const limit = 1000
	var e Encoder
	e.Init(Server, &DeflateParams{}, DeflatePolicy{})
	frame, _ := e.AppendMessage(nil, OpBinary, make([]byte, limit+1))
	tooLong := hex.EncodeToString(frame)
	tests := []struct {
		name    string
		role    Role
		deflate *DeflateParams
		wire    string
		code    uint16
		reason  string // part of the error's text
	}{
		{"RSV1 without an extension", Client, nil, "c1 00", 1002, "RSV1"},
		{"RSV2", Client, &DeflateParams{}, "a1 00", 1002, "RSV2"},
		{"RSV3", Client, &DeflateParams{}, "91 00", 1002, "RSV3"},
		{"RSV1 on a ping", Client, &DeflateParams{}, "c9 00", 1002, "RSV1 on a ping"},
		{"RSV1 on a continuation", Client, &DeflateParams{}, "41 00 c0 00", 1002, "RSV1 on a continuation"},
		{"opcode 3", Client, nil, "83 00", 1002, "opcode 0x3"},
		{"opcode 7", Client, nil, "87 00", 1002, "opcode 0x7"},
		{"opcode 11", Client, nil, "8b 00", 1002, "opcode 0xb"},
		{"opcode 15", Client, nil, "8f 00", 1002, "opcode 0xf"},
		{"RSV1 and opcode 3", Client, &DeflateParams{}, "c3 00", 1002, "RSV1"},
		{"masked by a server", Client, nil, "81 80 00000000", 1002, "masked frame: a server must not"},
		{"not masked by a client", Server, nil, "81 00", 1002, "unmasked frame: a client must"},
		{"fragmented ping", Client, nil, "09 00", 1002, "fragmented ping"},
		{"fragmented close", Client, nil, "08 00", 1002, "fragmented close"},
		{"ping of 126 bytes", Client, nil, "89 7e007e", 1002, "ping frame with a payload of more than 125"},
		{"ping in 64 bits", Client, nil, "89 7f0000000000000001", 1002, "more than 125"},
		{"125 bytes in 16 bits", Client, nil, "82 7e007d", 1002, "125 in 16 bits: the shortest form"},
		{"65535 bytes in 64 bits", Client, nil, "82 7f000000000000ffff", 1002, "65535 in 64 bits: the shortest form"},
		{"length with the top bit", Client, nil, "82 7f8000000000000001", 1002, "most significant bit"},
		{"continuation without a message", Client, nil, "80 00", 1002, "without a message to continue"},
		{"continuation after the end", Client, nil, "81 00 80 00", 1002, "without a message to continue"},
		{"text inside a message", Client, nil, "01 00 81 00", 1002, "text frame inside a fragmented message"},
		{"close of 1 byte", Client, nil, "88 01 03", 1002, "payload of 1 byte"},
		{"close message not UTF-8", Client, nil, "88 03 03e8 ff", 1007, "close message is not valid UTF-8"},
		{"close message cut inside a rune", Client, nil, "88 03 03e8 c3", 1007, "close message is not valid UTF-8"},
		{"text ends inside a rune", Client, nil, "81 01 c3", 1007, "text message is not valid UTF-8"},
		{"text bad across fragments", Client, nil, "01 01 c3 80 01 28", 1007, "text message is not valid UTF-8"},
		{"one byte over the limit", Client, nil, "82 7e03e9", 1009, "message of 1001 bytes: the limit is 1000 bytes"},
		{"far over the limit", Client, nil, "82 7f7fffffffffffffff", 1009, "message of 9223372036854775807 bytes: the limit is 1000 bytes"},
		{"over the limit with the second fragment", Client, nil, "02 01 00 80 7e03e8" /* the limit */, 1009, "message of 1001 bytes: the limit is 1000 bytes"},
		{"over the limit, and not the last fragment", Client, nil, "02 7e03e9", 1009, "message of at least 1001 bytes"},
		{"far over the limit with the second fragment", Client, nil, "02 01 00 80 7f7fffffffffffffff", 1009, "9223372036854775808 bytes"},
		{"compressed far over the limit", Client, &DeflateParams{}, "c2 7e04a6", 1009, "compressed message of at least 1190 bytes: the limit is 1000"},
		{"compressed to over the limit", Client, &DeflateParams{}, tooLong, 1009, "compressed message of more than 1000 bytes"},
		{"compressed text not UTF-8", Client, &DeflateParams{}, "c1 07 000100feffff00", 1007, "text message is not valid UTF-8"},
		{"compressed garbage", Client, &DeflateParams{}, "c1 01 07", 1007, "deflate"},
	}
	for code := range 5010 {
		if ValidCloseCode(uint16(code)) {
			continue
		}
		if code > 1100 && code < 2990 && code%97 != 0 {
			continue
		}
		tests = append(tests, struct {
			name    string
			role    Role
			deflate *DeflateParams
			wire    string
			code    uint16
			reason  string
		}{fmt.Sprintf("close code %d", code), Client, nil, fmt.Sprintf("88 02 %04x", code), 1002, fmt.Sprintf("close code %d must not", code)})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var previous string
			for name, cut := range map[string]func(int) int{"at once": allAtOnce, "byte by byte": oneByOne} {
				var d Decoder
				d.Init(test.role, limit, test.deflate)
				got := decodeAll(t, &d, unhex(t, test.wire), cut)
				if len(got) == 0 || !strings.Contains(got[len(got)-1], test.reason) || !strings.Contains(got[len(got)-1], fmt.Sprint("close code ", test.code)) {
					t.Errorf("%s: got %q, want an error %d about %q", name, got, test.code, test.reason)
				}
				if previous != "" && previous != strings.Join(got, "\n") {
					t.Errorf("%s: got %q, the other way %q", name, got, previous)
				}
				previous = strings.Join(got, "\n")

				// A decoder that has failed returns the same error again.
				n, ev, err := d.Decode([]byte{0x81, 0x00})
				if n != 0 || ev != EventNone || err == nil || err.Error() != got[len(got)-1] {
					t.Errorf("%s: after the error, Decode gives %d, %v, %v", name, n, ev, err)
				}
				if d.Direct() != nil {
					t.Errorf("%s: after the error, Direct lends room", name)
				}
			}
		})
	}
}

func TestDecodeCloseCodes(t *testing.T) {
	for code, want := range map[uint16]bool{
		0: false, 999: false, 1000: true, 1003: true, 1004: false, 1005: false, 1006: false, 1007: true,
		1011: true, 1012: true, 1013: true, 1014: true, 1015: false, 1016: false, 2999: false, 3000: true, 4999: true, 5000: false, 65535: false,
	} {
		if got := ValidCloseCode(code); got != want {
			t.Errorf("ValidCloseCode(%d) is %t", code, got)
		}
	}
}

// TestDecodeTextFailsEarly checks that text fails at the first byte that cannot be part of
// UTF-8.
func TestDecodeTextFailsEarly(t *testing.T) {
	tests := []struct {
		name, text string // the last byte of text is the first bad one
	}{
		{"stray continuation byte", "41 80"},
		{"0xff", "41 ff"},
		{"overlong with c0", "c0"},
		{"overlong with c1", "41 c1"},
		{"overlong of three", "e0 9f"},
		{"overlong of four", "f0 8f"},
		{"surrogate", "41 41 ed a0"},
		{"beyond U+10FFFF", "f4 90"},
		{"f5", "f5"},
		{"second byte of two", "c3 28"},
		{"third byte of three", "e2 82 28"},
		{"fourth byte of four", "f0 9f 98 28"},
		{"Autobahn 6.4.1", "ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := unhex(t, test.text)
			for _, fragments := range []bool{false, true} {
				for _, atOnce := range []bool{false, true} {
					var d Decoder
					d.Init(Client, 0, nil)
					// The announced message is longer than the data.
					var wire []byte
					if fragments {
						for i, b := range text {
							op := OpContinuation
							if i == 0 {
								op = OpText
							}
							wire = append(wire, byte(op), 1, b)
						}
					} else {
						wire = append([]byte{0x81, 100}, text...)
					}
					last := len(wire) - 1
					if !atOnce {
						if got := decodeAll(t, &d, wire[:last], oneByOne); len(got) != 0 {
							t.Fatalf("before the last byte: %q", got)
						}
						wire = wire[last:]
					}
					if got := decodeAll(t, &d, wire, allAtOnce); len(got) != 1 || !strings.Contains(got[0], "1007") {
						t.Errorf("fragments %t, at once %t: %q", fragments, atOnce, got)
					}
				}
			}
		})
	}
}

// frames encodes messages of both kinds and many sizes, with control frames between.
func frames(role Role, deflate *DeflateParams, random *rand.Rand) []byte {
	var e Encoder
	e.Init(role, deflate, DeflatePolicy{Threshold: -1})
	var wire []byte
	for range 10 {
		size := random.IntN(1 << random.IntN(18))
		payload := []byte(strings.Repeat("abcdefghi€", size/12+1))[:size/12*12]
		op := OpBinary
		if random.IntN(2) == 0 {
			op = OpText
		}
		if random.IntN(2) == 0 {
			wire, _ = e.AppendMessage(wire, op, payload)
		} else {
			for { // in fragments
				n := random.IntN(len(payload) + 1)
				var key *[4]byte
				if role == Client {
					k := e.key()
					key = &k
				}
				wire = AppendHeader(wire, n == len(payload), false, op, n, key)
				wire = append(wire, payload[:n]...)
				if key != nil {
					Mask(uint32(key[0])|uint32(key[1])<<8|uint32(key[2])<<16|uint32(key[3])<<24, wire[len(wire)-n:])
				}
				if n == len(payload) {
					break
				}
				if random.IntN(2) == 0 {
					wire = e.AppendControl(wire, OpPing, payload[:min(n, maxControl)])
				}
				payload, op = payload[n:], OpContinuation
			}
		}
	}
	return e.AppendClose(wire, 1000, "bye")
}

// TestDecodeEveryWay checks that the events do not depend on the sizes of the reads, on the
// buffers, or on direct reads.
func TestDecodeEveryWay(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		role := Role(seed % 2)
		var deflate *DeflateParams
		if seed%4 >= 2 {
			deflate = &DeflateParams{ServerNoContextTakeover: seed%8 >= 4, ClientMaxWindowBits: 9}
		}
		wire := frames(role, deflate, random)
		var d Decoder
		d.Init(1-role, 0, deflate)
		want := decodeAll(t, &d, wire, allAtOnce)
		if len(want) < 11 || want[len(want)-1] != `close 1000 "bye"` {
			t.Fatalf("seed %d: %.300q", seed, want)
		}
		for round := range 5 {
			d.Init(1-role, 0, deflate)
			got := decodeRandomly(t, &d, wire, random)
			if !equal(got, want) {
				t.Fatalf("seed %d, round %d: got %.300q, want %.300q", seed, round, got, want)
			}
		}
	}
}

// decodeRandomly passes wire to d in random parts, with random calls of SetBuffer, Detach and
// Direct. It overwrites buffers that the decoder must no longer use.
func decodeRandomly(t testing.TB, d *Decoder, wire []byte, random *rand.Rand) (happened []string) {
	t.Helper()
	wire = bytes.Clone(wire)
	var buf []byte
	spoil := func() {
		buf = buf[:cap(buf)]
		for i := range buf {
			buf[i] = 0xEE
		}
		buf = nil
	}
	report := func(ev Event) {
		switch ev {
		case EventNone:
			return
		case EventMessage:
			op, data := d.Message()
			if data == nil {
				t.Fatal("the data of a message are nil")
			}
			if cap(buf) > 0 && len(data) > 0 && len(data) < cap(buf)/4 && !within(data, buf) {
				t.Fatalf("a message of %d bytes is not in the buffer of %d", len(data), cap(buf))
			}
			happened = append(happened, fmt.Sprintf("%v message %q", op, data))
			spoil()
		default:
			happened = append(happened, happening(ev, d))
		}
	}
	for len(wire) > 0 {
		switch random.IntN(8) {
		case 0:
			d.Detach()
			spoil()
		case 1:
			old := buf
			buf = make([]byte, random.IntN(1<<random.IntN(19)))
			d.SetBuffer(buf)
			for i := range old {
				old[i] = 0xEE
			}
		case 2:
			if op, data, n := d.Small(wire, make([]byte, random.IntN(64))); n > 0 {
				if data == nil {
					t.Fatal("the data of a small message are nil")
				}
				happened = append(happened, fmt.Sprintf("%v message %q", op, data))
				wire = wire[n:]
				continue
			}
		}
		if room := d.Direct(); room != nil && random.IntN(3) > 0 {
			n := copy(room, wire[:random.IntN(min(len(room), len(wire))+1)])
			wire = wire[n:]
			ev, err := d.Advance(n)
			if err != nil {
				return append(happened, err.Error())
			}
			report(ev)
			continue
		}
		p := wire[:random.IntN(min(len(wire), 1<<random.IntN(16))+1)]
		for {
			n, ev, err := d.Decode(p)
			if err != nil {
				return append(happened, err.Error())
			}
			report(ev)
			p, wire = p[n:], wire[n:]
			if ev == EventNone {
				break
			}
		}
	}
	return happened
}

// within reports whether b lies in the memory of buf.
func within(b, buf []byte) bool {
	start, at := uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return at >= start && at < start+uintptr(cap(buf))
}

func TestDecoderBuffers(t *testing.T) {
	frame := append([]byte{0x82, 100}, bytes.Repeat([]byte("x"), 100)...)
	begin := func(t *testing.T, n int) *Decoder {
		t.Helper()
		d := new(Decoder)
		d.Init(Client, 0, nil)
		return d
	}
	finish := func(t *testing.T, d *Decoder, rest []byte) []byte {
		t.Helper()
		n, ev, err := d.Decode(bytes.Clone(rest))
		if n != len(rest) || ev != EventMessage || err != nil {
			t.Fatalf("Decode gives %d, %v, %v", n, ev, err)
		}
		_, data := d.Message()
		if string(data) != strings.Repeat("x", 100) {
			t.Fatalf("the message is %q", data)
		}
		return data
	}
	t.Run("exactly its size without a buffer", func(t *testing.T) {
		d := begin(t, 0)
		if data := finish(t, d, frame); cap(data) > 112 {
			t.Errorf("100 bytes came with a capacity of %d", cap(data))
		}
		if op, data := d.Message(); data != nil || op != OpContinuation {
			t.Errorf("a second call of Message gives %v, %q", op, data)
		}
	})
	t.Run("in the buffer", func(t *testing.T) {
		d, buf := begin(t, 0), make([]byte, 7, 100)
		d.SetBuffer(buf)
		if data := finish(t, d, frame); !within(data, buf) {
			t.Error("the message is not in the buffer")
		}
		if data := finish(t, d, frame); within(data, buf) {
			t.Error("the next message is in the same buffer")
		}
	})
	t.Run("beside a buffer that is too small", func(t *testing.T) {
		d, buf := begin(t, 0), make([]byte, 0, 99)
		d.SetBuffer(buf)
		if data := finish(t, d, frame); within(data, buf) {
			t.Error("a message of 100 bytes is in a buffer of 99")
		}
	})
	t.Run("moves into a buffer that comes later", func(t *testing.T) {
		d, buf := begin(t, 0), make([]byte, 0, 100)
		d.Decode(bytes.Clone(frame[:60]))
		d.SetBuffer(buf)
		if data := finish(t, d, frame[60:]); !within(data, buf) {
			t.Error("the message is not in the buffer")
		}
	})
	t.Run("moves out of a buffer that is taken back", func(t *testing.T) {
		d, buf := begin(t, 0), make([]byte, 100)
		d.SetBuffer(buf)
		d.Decode(bytes.Clone(frame[:60]))
		d.Detach()
		clear(buf)
		if data := finish(t, d, frame[60:]); within(data, buf) {
			t.Error("the message is in a buffer that was taken back")
		}
	})
	t.Run("moves from a buffer to another", func(t *testing.T) {
		d, first, second := begin(t, 0), make([]byte, 100), make([]byte, 100)
		d.SetBuffer(first)
		d.Decode(bytes.Clone(frame[:60]))
		d.SetBuffer(second)
		clear(first)
		if data := finish(t, d, frame[60:]); !within(data, second) {
			t.Error("the message is not in the second buffer")
		}
	})
	t.Run("stays where it is when the later buffer is too small", func(t *testing.T) {
		d, buf := begin(t, 0), make([]byte, 50)
		d.Decode(bytes.Clone(frame[:60]))
		d.SetBuffer(buf)
		finish(t, d, frame[60:])
	})
	t.Run("compressed", func(t *testing.T) {
		var e Encoder
		e.Init(Server, &DeflateParams{}, DeflatePolicy{Threshold: -1})
		wire, _ := e.AppendMessage(nil, OpBinary, frame[2:])
		for _, test := range []struct {
			size int
			want bool
		}{{0, false}, {99, false}, {100, true}, {5000, true}} {
			var d Decoder
			d.Init(Client, 0, &DeflateParams{})
			buf := make([]byte, test.size)
			d.SetBuffer(buf)
			if data := finish(t, &d, wire); within(data, buf) != test.want || (!test.want && cap(data) > 112) {
				t.Errorf("with a buffer of %d bytes: in the buffer %t, capacity %d", test.size, !test.want, cap(data))
			}
		}
	})
}

func TestDirect(t *testing.T) {
	const size = 1 << 20
	payload := noise(size, 4)
	wire := append(AppendHeader(nil, true, false, OpBinary, size, nil), payload...)
	var d Decoder
	d.Init(Client, 0, nil)
	if d.Direct() != nil {
		t.Fatal("Direct lends room without a payload")
	}
	n, _, _ := d.Decode(wire[:1000])
	src := bytes.NewReader(wire[n:])
	rooms := 0
	for {
		room := d.Direct()
		if room == nil {
			break
		}
		if len(room) > src.Len() || len(room) < minDirect {
			t.Fatalf("a room of %d bytes where %d are missing", len(room), src.Len())
		}
		rooms++
		k, _ := src.Read(room)
		ev, err := d.Advance(k)
		if err != nil {
			t.Fatal(err)
		}
		if ev == EventMessage {
			if _, data := d.Message(); !bytes.Equal(data, payload) {
				t.Fatal("another message came")
			}
			if src.Len() != 0 || rooms > 10 {
				t.Fatalf("%d bytes were left and %d rooms were needed", src.Len(), rooms)
			}
			return
		}
	}
	t.Fatal("the message did not come")
}

// TestDirectLendsNothing: where Direct must not lend room.
func TestDirectLendsNothing(t *testing.T) {
	const size = 3 * minDirect
	begun := func(t *testing.T, compressed bool, op Opcode) *Decoder {
		t.Helper()
		d := new(Decoder)
		d.Init(Client, 0, &DeflateParams{})
		if _, ev, err := d.Decode(AppendHeader(nil, true, compressed, op, size, nil)); ev != EventNone || err != nil {
			t.Fatal(ev, err)
		}
		if n := len(d.Direct()); n < minDirect || n > size {
			t.Fatalf("Direct lends %d bytes for a payload of %d", n, size)
		}
		return d
	}
	none := func(t *testing.T, d *Decoder) {
		t.Helper()
		if room := d.Direct(); room != nil {
			t.Errorf("Direct lends %d bytes", len(room))
		}
	}
	t.Run("after Discard", func(t *testing.T) {
		d := begun(t, false, OpBinary)
		d.Discard()
		none(t, d)
	})
	t.Run("after an error in the payload", func(t *testing.T) {
		d := begun(t, false, OpText)
		if _, _, err := d.Decode([]byte{0xff}); err == nil {
			t.Fatal("0xff is not UTF-8")
		}
		none(t, d)
	})
	t.Run("when little is missing", func(t *testing.T) {
		d := begun(t, false, OpBinary)
		d.Decode(make([]byte, size-minDirect))
		if len(d.Direct()) != minDirect {
			t.Errorf("Direct lends %d bytes of %d", len(d.Direct()), minDirect)
		}
		d.Decode(make([]byte, 1))
		none(t, d)
	})
	t.Run("in parts, with little room", func(t *testing.T) {
		d := begun(t, false, OpBinary)
		d.TakeParts(t)
		d.Part(make([]byte, minDirect-1))
		none(t, d)
		d.Part(make([]byte, minDirect))
		if len(d.Direct()) != minDirect {
			t.Errorf("Direct lends %d bytes of %d", len(d.Direct()), minDirect)
		}
	})
	t.Run("in parts, compressed", func(t *testing.T) {
		d := begun(t, true, OpBinary)
		d.TakeParts(t)
		d.Part(make([]byte, size))
		none(t, d)
		d.Release()
	})
}

// TestDirectInParts: a message that is read into the memory of its parts is unmasked there.
func TestDirectInParts(t *testing.T) {
	payload := noise(10*minDirect, 6)
	for _, role := range []Role{Client, Server} {
		var e Encoder
		e.Init(1-role, nil, DeflatePolicy{})
		wire, _ := e.AppendMessage(nil, OpBinary, payload)
		var d Decoder
		d.Init(role, 0, nil)
		d.Announce(true)
		n, ev, err := d.Decode(wire)
		if ev != EventBegin || err != nil {
			t.Fatal(ev, err)
		}
		wire = wire[n:]
		d.TakeParts(t)
		var got []byte
		for direct := 0; ev != EventMessage; {
			room := make([]byte, 2*minDirect)
			if ev, err = d.Part(room); ev != EventNone || err != nil {
				t.Fatal(ev, err)
			}
			for ev == EventNone && err == nil {
				if lent := d.Direct(); lent != nil {
					n = copy(lent, wire[:minDirect-1])
					ev, err = d.Advance(n)
					direct++
				} else {
					n, ev, err = d.Decode(wire)
				}
				wire = wire[n:]
			}
			if err != nil || direct == 0 {
				t.Fatalf("role %v: %v after %d reads without a detour", role, err, direct)
			}
			got = append(got, room[:d.Filled()]...)
		}
		if !bytes.Equal(got, payload) {
			t.Errorf("role %v: another message came", role)
		}
	}
}

// TestSmall: which messages Small takes, and that it leaves all others to Decode.
func TestSmall(t *testing.T) {
	masked := func(op Opcode, payload string) []byte {
		var e Encoder
		e.Init(Client, nil, DeflatePolicy{})
		return e.appendFrame(nil, op, []byte(payload))
	}
	plain := func(op Opcode, payload string) []byte { return part(true, false, op, []byte(payload)) }
	long := strings.Repeat("x", maxControl)
	for _, test := range []struct {
		name  string
		role  Role
		wire  []byte
		taken bool
	}{
		{"text", Client, plain(OpText, "Hä"), true},
		{"text of a client", Server, masked(OpText, "Hä"), true},
		{"binary that is not UTF-8", Client, plain(OpBinary, "\xff"), true},
		{"binary of a client that is not UTF-8", Server, masked(OpBinary, "\xff"), true},
		{"no data", Client, plain(OpText, ""), true},
		{"no data of a client", Server, masked(OpBinary, ""), true},
		{"125 bytes", Client, plain(OpBinary, long), true},
		{"126 bytes", Client, plain(OpBinary, long+"x"), false},
		{"text that is not UTF-8", Client, plain(OpText, "\xff"), false},
		{"a part of the frame", Client, plain(OpBinary, "xyz")[:4], false},
		{"a fragment", Client, part(false, false, OpBinary, []byte("x")), false},
		{"a continuation", Client, plain(OpContinuation, "x"), false},
		{"a ping", Client, plain(OpPing, "x"), false},
		{"a compressed message", Client, part(true, true, OpBinary, []byte{0}), false},
		{"a masked one of a server", Client, masked(OpBinary, "x"), false},
		{"one of a client without a mask", Server, plain(OpBinary, "xxxxxxx"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var d Decoder
			d.Init(test.role, maxControl, &DeflateParams{})
			buf := make([]byte, maxControl)
			op, data, n := d.Small(test.wire, buf)
			if !test.taken {
				if op != 0 || data != nil || n != 0 {
					t.Errorf("Small = %v, %q, %d, want nothing", op, data, n)
				}
				return
			}
			want := decodeAll(t, &d, test.wire, oneByOne)
			if got := fmt.Sprintf("%v message %q", op, data); n != len(test.wire) || len(want) != 1 || got != want[0] || !within(data, buf) {
				t.Errorf("Small = %s, %d; want %q, %d, in the buffer", got, n, want, len(test.wire))
			}
		})
	}
}

func TestAdvanceBeyondRoom(t *testing.T) {
	var d Decoder
	d.Init(Client, 0, nil)
	defer func() {
		if recover() == nil {
			t.Error("Advance without room did not panic")
		}
	}()
	d.Advance(1)
}

// TestDecodeMemory checks that announced data takes no memory before it arrives, and received
// data little more than its size.
func TestDecodeMemory(t *testing.T) {
	t.Run("announced only", func(t *testing.T) {
		wire := AppendHeader(nil, true, false, OpBinary, 1<<30, nil)
		wire = append(wire, make([]byte, 100)...)
		took := allocated(func() {
			var d Decoder
			d.Init(Client, 0, nil)
			d.Decode(wire)
			d.Direct()
		})
		if took > 2*growStep {
			t.Errorf("1 GiB that was announced took %d bytes", took)
		}
	})
	for _, size := range []int{1 << 20, 5_000_000, 16 << 20, 16<<20 + 1, 17 << 20, 33 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			header := AppendHeader(nil, true, false, OpBinary, size, nil)
			read := func(d *Decoder) {
				d.Decode(header)
				for left := size; left > 0; {
					room := d.Direct()
					if room == nil {
						room = make([]byte, left)
						d.Decode(room)
						break
					}
					n := min(len(room), 100_000)
					d.Advance(n)
					left -= n
				}
				if _, data := d.Message(); len(data) != size {
					t.Errorf("%d bytes came as %d", size, len(data))
				}
			}
			if took := allocated(func() {
				var d Decoder
				d.Init(Client, 0, nil)
				read(&d)
			}); float64(took) > 2.1*float64(size) {
				t.Errorf("it took %d bytes, %.2f times the size", took, float64(took)/float64(size))
			}
			buf := make([]byte, size)
			if took := allocated(func() {
				var d Decoder
				d.Init(Client, 0, nil)
				d.SetBuffer(buf)
				read(&d)
			}); took > 16<<10 {
				t.Errorf("with a buffer it took %d bytes", took)
			}
		})
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

func TestDecodeAllocs(t *testing.T) {
	for name, deflate := range map[string]*DeflateParams{"plain": nil, "compressed": {}, "compressed without takeover": {ClientNoContextTakeover: true}} {
		t.Run(name, func(t *testing.T) {
			var e Encoder
			e.Init(Client, deflate, DeflatePolicy{})
			var d Decoder
			d.Init(Server, 0, deflate)
			payload := jsonMessages(1, 1500)[0]
			buf := make([]byte, 2000)
			var wire []byte
			allocs := testing.AllocsPerRun(200, func() {
				wire, _ = e.AppendMessage(wire[:0], OpText, payload)
				wire = e.AppendControl(wire, OpPing, payload[:20])
				for p := wire; len(p) > 0; {
					d.SetBuffer(buf)
					n, ev, err := d.Decode(p)
					if ev == EventNone || err != nil {
						t.Fatal(ev, err)
					}
					d.Message()
					p = p[n:]
				}
			})
			if allocs != 0 && !raceEnabled {
				t.Errorf("a message and a ping take %v allocations", allocs)
			}
		})
	}
}

// TestDecodeAllocsInPieces checks that several reads for a message need no more allocations, and
// that a message without a buffer needs one.
func TestDecodeAllocsInPieces(t *testing.T) {
	for name, deflate := range map[string]*DeflateParams{"plain": nil, "compressed": {}} {
		for _, buf := range [][]byte{make([]byte, 20_000), nil} {
			var e Encoder
			e.Init(Server, deflate, DeflatePolicy{})
			var d Decoder
			d.Init(Client, 0, deflate)
			payload := jsonMessages(1, 15_000)[0]
			want := 1.0
			if buf != nil {
				want = 0
			}
			var wire []byte
			allocs := testing.AllocsPerRun(200, func() {
				wire, _ = e.AppendMessage(wire[:0], OpText, payload)
				d.SetBuffer(buf)
				half := len(wire) / 2
				d.Decode(wire[:half])
				if _, ev, err := d.Decode(wire[half:]); ev != EventMessage || err != nil {
					t.Fatal(ev, err)
				}
				d.Message()
			})
			if allocs != want && !raceEnabled {
				t.Errorf("%s, with a buffer of %d bytes: a message in two pieces takes %v allocations, want %v", name, len(buf), allocs, want)
			}
		}
	}
}

func TestDecoderSize(t *testing.T) {
	if size := unsafe.Sizeof(Decoder{}); size > 320 {
		t.Errorf("a Decoder has %d bytes", size)
	}
	if size := unsafe.Sizeof(Encoder{}); size > 64 {
		t.Errorf("an Encoder has %d bytes", size)
	}
}

func TestDecodeFragments(t *testing.T) {
	message := func(fragments int, payload string) string {
		return "02 " + payload + strings.Repeat(" 00 "+payload, fragments-2) + " 80 " + payload
	}
	for _, test := range []struct {
		name  string
		limit int
		wire  string
		code  int // 0: no error
	}{
		{"as many as allowed", 4, message(4, "00"), 0},
		{"one more", 4, message(5, "00"), 1008},
		{"each message is counted for itself", 4, message(4, "00") + message(4, "00"), 0},
		{"control frames do not count", 2, "02 00" + strings.Repeat(" 89 00", 9) + " 80 00", 0},
		{"an unfragmented message", 1, "82 01 41", 0},
		{"two of one", 1, "02 00 80 00", 1008},
		{"with payloads", 4, message(5, "01 41"), 1008},
		{"no limit", -1, message(DefaultMaxFragments+2, "00"), 0},
		{"the default", 0, message(DefaultMaxFragments, "00"), 0},
		{"over the default", 0, message(DefaultMaxFragments+1, "00"), 1008},
	} {
		t.Run(test.name, func(t *testing.T) {
			var d Decoder
			d.Init(Client, 1<<20, nil)
			d.SetMaxFragments(test.limit)
			got := decodeAll(t, &d, unhex(t, test.wire), allAtOnce)
			last := ""
			if len(got) > 0 {
				last = got[len(got)-1]
			}
			failed := strings.HasSuffix(last, "(close code 1008)")
			if failed != (test.code == 1008) || failed && !strings.Contains(last, "fragments") {
				t.Errorf("got %q, want code %d", last, test.code)
			}
		})
	}
}
