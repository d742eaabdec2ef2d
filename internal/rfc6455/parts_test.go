package rfc6455

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// inParts decodes wire, cut as random says, with every message taken in parts or whole as random
// says, and returns what happened in the form of happening. A message that is taken in parts must
// begin where the model says: it is the same as the whole one.
func inParts(d *Decoder, wire []byte, random *rand.Rand) (happened []string) {
	wire = bytes.Clone(wire)
	var data []byte // of the message that is taken in parts
	var op Opcode
	var room []byte
	begin := func() {
		var have []byte
		op, have = d.TakeParts(nil)
		data = append([]byte(nil), have...)
	}
	end := func() {
		happened = append(happened, fmt.Sprintf("%v %q", op, data))
	}
	fresh := func() (Event, error) {
		room = make([]byte, 1+random.IntN(300))
		return d.Part(room)
	}
	take := func() { data = append(data, room[:d.Filled()]...) }
	if random.IntN(2) == 0 {
		d.Announce(true)
	}
	var ev Event
	var err error
	rounds := 0
	for {
		if rounds++; rounds > 100_000 {
			return append(happened, "no end")
		}
		n := 0
		if ev == EventNone && err == nil {
			chunk := wire[:min(len(wire), random.IntN(40))]
			if direct := d.Direct(); len(direct) > 0 && random.IntN(2) == 0 {
				n = min(len(direct), len(chunk))
				copy(direct, chunk)
				ev, err = d.Advance(n)
			} else {
				n, ev, err = d.Decode(chunk)
			}
			wire = wire[n:]
			if ev == EventNone && err == nil && len(wire) == 0 && len(chunk) == 0 {
				return happened
			}
		}
		was := ev
		ev = EventNone
		switch {
		case err != nil:
			if failed, ok := errors.AsType[*Error](err); ok {
				return append(happened, fmt.Sprint(failed.Code))
			}
			return append(happened, err.Error())
		case was == EventBegin:
			begin()
			ev, err = fresh()
		case was == EventPart:
			take()
			ev, err = fresh()
		case was == EventLarge:
			if random.IntN(4) == 0 {
				err = d.Refuse()
				continue
			}
			begin()
			ev, err = fresh()
		case was == EventMessage:
			if op != OpContinuation {
				take()
				d.DropRoom()
				end()
				op = OpContinuation
			} else {
				whole, message := d.Message()
				happened = append(happened, fmt.Sprintf("%v %q", whole, message))
			}
			d.Announce(random.IntN(2) == 0)
		case was == EventPing || was == EventPong:
			happened = append(happened, fmt.Sprintf("%v %q", was, d.Control()))
		case was == EventClose:
			code, message := d.Close()
			return append(happened, fmt.Sprintf("close %d %q", code, message))
		case op == OpContinuation && d.Begun() && !d.InParts() && random.IntN(8) == 0:
			begin() // in the middle of one that was to come whole
			ev, err = fresh()
		}
	}
}

// TestParts: messages that are taken in parts are the same as whole ones, however the bytes and the
// parts are cut, and a stream that fails does so with the same code.
func TestParts(t *testing.T) {
	for seed := range uint64(3000) {
		random := rand.New(rand.NewPCG(seed, 1))
		var params *DeflateParams
		if random.IntN(2) == 0 {
			params = &DeflateParams{ServerMaxWindowBits: 9 + random.IntN(7), ClientMaxWindowBits: 9 + random.IntN(7),
				ServerNoContextTakeover: random.IntN(2) == 0, ClientNoContextTakeover: random.IntN(2) == 0}
		}
		role := Role(random.IntN(2))
		var e Encoder
		e.Init(role, params, DeflatePolicy{Threshold: -1})
		var wire []byte
		var want []string
		for range 1 + random.IntN(5) {
			wire, want = appendRandom(&e, wire, want, random)
		}
		var d Decoder
		d.Init(1-role, 200, params)
		d.SetMaxParts(0)
		got := inParts(&d, wire, random)
		d.Discard()
		if refused := len(got) > 0 && got[len(got)-1] == "1009"; refused {
			got = got[:len(got)-1]
			want = want[:min(len(want), len(got))]
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("seed %d: got\n%.2000s\nwant\n%.2000s", seed, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// appendRandom appends a message in fragments or in one frame, with control frames between them.
func appendRandom(e *Encoder, wire []byte, want []string, random *rand.Rand) ([]byte, []string) {
	op := OpText + Opcode(random.IntN(2))
	var data []byte
	for range random.IntN(60) {
		data = append(data, []string{"a", "message ", "ü", "世界", "😀", "0123456789"}[random.IntN(6)]...)
	}
	if op == OpBinary && random.IntN(2) == 0 {
		data = noise(random.IntN(600), random.Uint64())
	}
	said := fmt.Sprintf("%v %q", op, data)
	if random.IntN(2) == 0 {
		wire, _ = e.AppendMessage(wire, op, data)
		return wire, append(want, said)
	}
	m := e.Fragments(op)
	for {
		n := random.IntN(len(data) + 1)
		fin := random.IntN(3) == 0
		if fin {
			n = len(data)
		}
		wire = m.Append(wire, data[:n], fin)
		if data = data[n:]; fin {
			return wire, append(want, said)
		}
		if random.IntN(3) == 0 {
			wire = e.AppendControl(wire, OpPing, []byte("p"))
			want = append(want, `ping "p"`)
		}
	}
}

// FuzzParts: bytes that mean something else in parts than they mean whole.
func FuzzParts(f *testing.F) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 2))
		var e Encoder
		params := &DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
		e.Init(Server, params, DeflatePolicy{Threshold: -1})
		var wire []byte
		for range 3 {
			wire, _ = appendRandom(&e, wire, nil, random)
		}
		f.Add(wire, seed)
	}
	f.Fuzz(func(t *testing.T, wire []byte, seed uint64) {
		if len(wire) > 1<<14 {
			return
		}
		params := &DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
		var whole, parts Decoder
		whole.Init(Client, 1<<20, params)
		parts.Init(Client, 1<<20, params)
		want := events(&whole, wire)
		got := inParts(&parts, wire, rand.New(rand.NewPCG(seed, 3)))
		parts.Discard()
		if n := len(got); n > 0 && got[n-1] == "1007" {
			// What is wrong with a compressed message shows in its beginning, and else at its end.
			if n > len(want) || want[n-1] != "1007" {
				got = got[:n-1]
				want = want[:min(len(want), len(got))]
			}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("in parts\n%.2000s\nwhole\n%.2000s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// events is what happens where every message is taken whole.
func events(d *Decoder, wire []byte) (happened []string) {
	wire = bytes.Clone(wire)
	for {
		n, ev, err := d.Decode(wire)
		wire = wire[n:]
		if failed, ok := errors.AsType[*Error](err); ok {
			return append(happened, fmt.Sprint(failed.Code))
		}
		switch ev {
		case EventNone:
			return happened
		case EventMessage:
			op, message := d.Message()
			happened = append(happened, fmt.Sprintf("%v %q", op, message))
		case EventPing, EventPong:
			happened = append(happened, fmt.Sprintf("%v %q", ev, d.Control()))
		case EventClose:
			code, message := d.Close()
			return append(happened, fmt.Sprintf("close %d %q", code, message))
		}
	}
}

// TestInvalidParts: a message that is not valid fails with the same code in parts as whole, however
// it is cut.
func TestInvalidParts(t *testing.T) {
	frame := func(first byte, payload string) string {
		if len(payload) > 125 {
			t.Fatalf("a payload of %d bytes", len(payload))
		}
		return string([]byte{first, byte(len(payload))}) + payload
	}
	deflated := func(text string) string {
		var e Encoder
		e.Init(Server, &DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}, DeflatePolicy{Threshold: -1})
		wire, _ := e.AppendMessage(nil, OpBinary, []byte(text))
		if wire[0] != 0xc2 || wire[1] > 125 {
			t.Fatalf("the frame of %q begins with %x", text, wire[:2])
		}
		return string(wire[2:])
	}
	const finText, finBinary, text, fin, compressed = 0x81, 0x82, 0x01, 0x80, 0x40
	for _, test := range []struct{ name, wire, want string }{
		{"text", frame(finText, "abc\xff"), "1007"},
		{"text that ends within a rune", frame(finText, "abc\xe4\xb8"), "1007"},
		{"text with a rune that is not continued", frame(finText, "abc\xe4(xyz"), "1007"},
		{"text in fragments", frame(text, "abc\xe4") + frame(fin, "(xyz"), "1007"},
		{"text whose last fragment ends within a rune", frame(text, "abc") + frame(fin, "\xe4"), "1007"},
		{"text that ends within a rune, and an empty fragment", frame(text, "abc\xe4") + frame(fin, ""), "1007"},
		{"compressed text", frame(compressed|finText, deflated("abc\xffabc")), "1007"},
		{"compressed text that ends within a rune", frame(compressed|finText, deflated("abc\xe4")), "1007"},
		{"a block of an invalid type", frame(compressed|finBinary, "\x07\x00\x00"), "1007"},
		{"a block with an invalid length", frame(compressed|finBinary, "\x00\x01\x00\x01\x00a"), "1007"},
		{"a block that does not end", frame(compressed|finBinary, "\x00\x10\x00\xef\xffabc"), "1007"},
		{"a final block that takes more than the bytes that the sender cut off", frame(compressed|finBinary, "\x01\x0d\x00\xf2\xffabc"), "1007"},
		{"a distance before the beginning", frame(compressed|finBinary, "\x02\x06\x00\x00\x00"), "1007"},
		{"too much", frame(compressed|finBinary, deflated(strings.Repeat("a", 3000))), "1009"},
		{"no payload", frame(compressed|finBinary, ""), `binary ""`},
	} {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(200) {
				params := &DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
				var whole, parts Decoder
				whole.Init(Client, 2000, params)
				parts.Init(Client, 2000, params)
				if got := strings.Join(events(&whole, []byte(test.wire)), "\n"); got != test.want {
					t.Fatalf("whole: %s, want %s", got, test.want)
				}
				if got := strings.Join(inParts(&parts, []byte(test.wire), rand.New(rand.NewPCG(seed, 4))), "\n"); got != test.want {
					t.Fatalf("in parts, cut by %d: %s, want %s", seed, got, test.want)
				}
				parts.Discard()
			}
		})
	}
}

func TestNamesOfEvents(t *testing.T) {
	for ev, want := range []string{"none", "message", "ping", "pong", "close", "begin", "part", "large", "unknown event"} {
		if got := Event(ev).String(); got != want {
			t.Errorf("event %d is %q, want %q", ev, got, want)
		}
	}
}

// TestCloseFrameEndsParts: a close frame in the middle of a message that is received in parts ends
// it, and releases what inflates it.
func TestCloseFrameEndsParts(t *testing.T) {
	params := &DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	for name, first := range map[string]byte{"plain": 0x02, "compressed": 0x42} {
		t.Run(name, func(t *testing.T) {
			var d Decoder
			d.Init(Client, 1000, params)
			d.Announce(true)
			wire := []byte{first, 1, 0x00, 0x88, 2, 0x03, 0xe8}
			n, ev, err := d.Decode(wire)
			if ev != EventBegin || err != nil {
				t.Fatalf("%v, %v", ev, err)
			}
			d.TakeParts(t)
			if !d.InParts() {
				t.Fatal("the message is not received in parts")
			}
			ev, err = d.Part(make([]byte, 10))
			for ev == EventNone && err == nil {
				wire = wire[n:]
				n, ev, err = d.Decode(wire)
			}
			if ev != EventClose || err != nil || d.InParts() || d.Taker() != nil {
				t.Errorf("%v, %v; in parts %v", ev, err, d.InParts())
			}
		})
	}
}

// TestFragmentsAreCompressed: a message that is written in parts is compressed as others are.
func TestFragmentsAreCompressed(t *testing.T) {
	params := &DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	for _, takeover := range []bool{false, true} {
		params.ServerNoContextTakeover = !takeover
		var e Encoder
		e.Init(Server, params, DeflatePolicy{})
		for message := range 2 {
			m := e.Fragments(OpText)
			if !m.Compresses() {
				t.Errorf("takeover %v, message %d: it is not compressed", takeover, message)
			}
			wire := m.Append(nil, bytes.Repeat([]byte("abc"), 5000), true)
			if wire[0] != 0xc1 || len(wire) > 200 {
				t.Errorf("takeover %v, message %d: %d bytes begin with %#x", takeover, message, len(wire), wire[0])
			}
		}
	}
}

// TestDiscardFindsTheCloseFrame: a decoder that discards messages finds the close frame behind them,
// however the bytes are cut.
func TestDiscardFindsTheCloseFrame(t *testing.T) {
	wire := append([]byte{0x02, 126, 0x01, 0x2c}, make([]byte, 300)...)     // the beginning of a message
	wire = append(append(wire, 0x80, 126, 0x00, 200), make([]byte, 200)...) // its end
	wire = append(append(wire, 0x82, 3, 1, 2, 3), 0x88, 2, 0x03, 0xe8)      // another one, and a close frame
	for size := 1; size <= len(wire); size += 7 {
		var d Decoder
		d.Init(Client, 1000, nil)
		d.Discard()
		var ev Event
		for rest := wire; len(rest) > 0 && ev == EventNone; {
			n, came, err := d.Decode(bytes.Clone(rest[:min(size, len(rest))]))
			if err != nil {
				t.Fatalf("in pieces of %d: %v", size, err)
			}
			ev, rest = came, rest[n:]
			if ev == EventMessage {
				ev = EventNone
			}
		}
		if code, _ := d.Close(); ev != EventClose || code != 1000 {
			t.Errorf("in pieces of %d: %v, %d", size, ev, code)
		}
	}
}

// TestSpacesInExtensions: spaces and tabs are allowed between the elements (RFC 9110, section 5.6.3).
func TestSpacesInExtensions(t *testing.T) {
	for _, offer := range []string{
		"permessage-deflate;client_max_window_bits=10", "permessage-deflate ; client_max_window_bits = 10", "\tpermessage-deflate;\tclient_max_window_bits\t=\t10 ,",
		"x ;\ty = z , permessage-deflate; client_max_window_bits =10",
	} {
		if err := CheckExtensions([]string{offer}); err != nil {
			t.Errorf("%q: %v", offer, err)
		}
	}
}

// stored returns a compressed message that is larger than its data: one stored block.
func stored(data []byte) []byte {
	n := len(data)
	payload := append([]byte{0, byte(n), byte(n >> 8), ^byte(n), ^byte(n >> 8)}, data...)
	payload = append(payload, 0) // the beginning of the empty block whose rest the sender cuts off
	return append([]byte{0xc2, 126, byte(len(payload) >> 8), byte(len(payload))}, payload...)
}

// TestIncompressibleMessageAtTheLimit: the limit is one of the data, not of what it is compressed to.
func TestIncompressibleMessageAtTheLimit(t *testing.T) {
	params := &DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	const limit = 1000
	for size, want := range map[int]string{limit: fmt.Sprintf("binary %q", noise(limit, 1)), limit + 1: "1009"} {
		wire := stored(noise(size, 1))
		for seed := range uint64(100) {
			var whole, parts Decoder
			whole.Init(Client, limit, params)
			parts.Init(Client, limit, params)
			if got := strings.Join(events(&whole, wire), "\n"); got != want {
				t.Fatalf("%d bytes, whole: %.100s, want %.100s", size, got, want)
			}
			if got := strings.Join(inParts(&parts, wire, rand.New(rand.NewPCG(seed, 5))), "\n"); got != want {
				t.Fatalf("%d bytes, in parts: %.100s, want %.100s", size, got, want)
			}
			parts.Discard()
		}
	}
}

// TestInflatedMessagesAreSeparate: a message is not overwritten by the next one, however large it is.
func TestInflatedMessagesAreSeparate(t *testing.T) {
	params := &DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	for _, size := range []int{1000, largeBuffer - 1, largeBuffer + 1, 4 * largeBuffer} {
		var e Encoder
		e.Init(Server, params, DeflatePolicy{Threshold: -1})
		var d Decoder
		d.Init(Client, 1<<30, params)
		var all [][]byte
		for i := range 4 {
			wire, err := e.AppendMessage(nil, OpBinary, bytes.Repeat([]byte{byte(i)}, size))
			if err != nil {
				t.Fatal(err)
			}
			_, ev, err := d.Decode(wire)
			if ev != EventMessage || err != nil {
				t.Fatal(ev, err)
			}
			_, data := d.Message()
			all = append(all, data)
		}
		for i, data := range all {
			if !bytes.Equal(data, bytes.Repeat([]byte{byte(i)}, size)) {
				t.Errorf("message %d of %d bytes was overwritten", i, size)
			}
		}
	}
}

// TestPartEndsWithItsFragment: a part that is full at the end of a fragment is delivered then, not
// when the next fragment comes.
func TestPartEndsWithItsFragment(t *testing.T) {
	var d Decoder
	d.Init(Client, 0, nil)
	d.Decode(part(false, false, OpBinary, []byte("x")))
	d.TakeParts(t)
	d.Part(make([]byte, 10))
	if _, ev, err := d.Decode(part(false, false, OpContinuation, make([]byte, 9))); ev != EventNone || err != nil || d.Filled() != 9 {
		t.Errorf("with 9 bytes of 10: %v, %v", ev, err)
	}
	if _, ev, err := d.Decode(part(false, false, OpContinuation, make([]byte, 1))); ev != EventPart || err != nil || d.Filled() != 10 {
		t.Errorf("with 10 bytes of 10: %v, %v", ev, err)
	}
}

// TestFragmentsOfTheCompressor: no byte that the compressor gives before the end of the message is
// lost.
func TestFragmentsOfTheCompressor(t *testing.T) {
	params := &DeflateParams{}
	var e Encoder
	e.Init(Server, params, DeflatePolicy{})
	var d Decoder
	d.Init(Client, 0, params)
	for range 2 {
		message := noise(500_000, 7)
		m := e.Fragments(OpBinary)
		var wire []byte
		early := 0
		for rest := message; len(rest) > 0; {
			n := min(len(rest), 50_000)
			before := len(wire)
			wire = m.Append(wire, rest[:n], n == len(rest))
			if rest = rest[n:]; len(rest) > 0 && len(wire) > before {
				early++
			}
		}
		if early == 0 {
			t.Error("no frame came before the last one")
		}
		if got, want := decodeAll(t, &d, wire, allAtOnce), fmt.Sprintf("binary message %q", message); len(got) != 1 || got[0] != want {
			t.Errorf("%.100q came, want %.100s", got, want)
		}
	}
	e.Release()
}

// TestCompressedMessageInPieces: a compressed payload that outgrows the first buffer for it is whole.
func TestCompressedMessageInPieces(t *testing.T) {
	data := noise(50_000, 8)
	wire := stored(data)
	for _, size := range []int{1, 100, 1000, 3000, smallBuffer, smallBuffer + 1, 20_000} {
		var d Decoder
		d.Init(Client, 0, &DeflateParams{})
		got := decodeAll(t, &d, wire, func(left int) int { return min(left, size) })
		if want := fmt.Sprintf("binary message %q", data); len(got) != 1 || got[0] != want {
			t.Errorf("in pieces of %d: %.100q", size, got)
		}
	}
}
