package rfc6455

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	stdflate "compress/flate"
)

// peer inflates the output of a deflateState with the standard library, like a peer with the
// given window.
type peer struct {
	window   int
	takeover bool
	history  []byte
}

func (p *peer) inflate(t testing.TB, payload []byte) []byte {
	t.Helper()
	src := io.MultiReader(bytes.NewReader(payload), bytes.NewReader([]byte("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
	out, err := io.ReadAll(stdflate.NewReaderDict(src, p.history))
	if err != nil {
		t.Fatalf("the standard library cannot inflate %x: %v", payload[:min(len(payload), 100)], err)
	}
	if p.takeover {
		p.history = append(p.history, out...)
		p.history = p.history[max(0, len(p.history)-p.window):]
	}
	return out
}

func noise(n int, seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// compressed returns the payload of one unmasked frame, and whether it is compressed.
func compressed(t testing.TB, frame []byte) ([]byte, bool) {
	t.Helper()
	var d Decoder
	d.Init(Client, 0, &DeflateParams{})
	size, failed := d.parse(frame)
	if failed != nil || size+int(d.rest) != len(frame) {
		t.Fatalf("a frame with a header of %d bytes and a payload of %d has %d bytes, %v", size, d.rest, len(frame), failed)
	}
	return frame[size:], d.compressed
}

func TestDeflate(t *testing.T) {
	inputs := map[string][]byte{
		"json":      jsonMessages(1, 150_000)[0],
		"noise":     noise(150_000, 1),
		"zeros":     make([]byte, 150_000),
		"repeating": bytes.Repeat(noise(1000, 2), 150),
		"few":       bytes.Repeat([]byte("ab"), 75_000),
	}
	for _, level := range []int{0, 5, 9} {
		for _, bits := range []int{8, 9, 12, 15} {
			for _, takeover := range []bool{true, false} {
				t.Run(fmt.Sprintf("level %d/%d bits/takeover %t", level, bits, takeover), func(t *testing.T) {
					for name, input := range inputs {
						var e Encoder
						params := &DeflateParams{ServerNoContextTakeover: !takeover, ServerMaxWindowBits: bits}
						e.Init(Server, params, DeflatePolicy{Level: level, Threshold: -1})
						p := &peer{window: 1 << bits, takeover: takeover}
						for i, size := range []int{0, 1, 3, 8, 50, 500, 500, 3000, 40_000, 16 << 10, 32 << 10, 100, 150_000, 20_000} {
							payload := input[:size]
							if i%2 == 1 {
								payload = input[len(input)-size:]
							}
							frame, err := e.AppendMessage(nil, OpBinary, payload)
							if err != nil {
								t.Fatal(err)
							}
							wire, is := compressed(t, frame)
							if is {
								wire = p.inflate(t, wire)
							}
							if !bytes.Equal(wire, payload) {
								t.Fatalf("%s, message %d: %d bytes came as %d", name, i, size, len(wire))
							}
							if len(frame) > size+maxHeader+size/1000+16 {
								t.Errorf("%s, message %d: %d bytes grew to %d", name, i, size, len(frame))
							}
						}
						e.Release()
					}
				})
			}
		}
	}
}

// TestDeflateWindow checks that only windows of at least 1000 bytes find repetitions at a
// distance of 1000 bytes, within a message and between messages.
func TestDeflateWindow(t *testing.T) {
	period := noise(1000, 3)
	for _, level := range []int{1, 6} {
		for bits := minWindowBits; bits <= maxWindowBits; bits++ {
			var e Encoder
			e.Init(Server, &DeflateParams{ServerMaxWindowBits: bits}, DeflatePolicy{Level: level, Threshold: -1})
			long, _ := e.AppendMessage(nil, OpBinary, bytes.Repeat(period, 20))
			short, _ := e.AppendMessage(nil, OpBinary, period)
			reaches := 1<<bits >= len(period)
			if got := len(long) < 10*len(period); got != reaches {
				t.Errorf("level %d, window of %d bytes: %d bytes with a period of 1000 take %d", level, 1<<bits, 20*len(period), len(long))
			}
			if got := len(short) < len(period)/2; got && !reaches {
				t.Errorf("level %d, window of %d bytes: a message of 1000 bytes that came before takes %d", level, 1<<bits, len(short))
			}
		}
	}
}

// TestDeflateContext checks the effect of the example in RFC 7692, section 7.2.3.2.
func TestDeflateContext(t *testing.T) {
	var e Encoder
	e.Init(Server, &DeflateParams{}, DeflatePolicy{Threshold: -1})
	text := jsonMessages(1, 300)[0]
	first, _ := e.AppendMessage(nil, OpText, text)
	second, _ := e.AppendMessage(nil, OpText, text)
	if len(second) > len(first)/2 {
		t.Errorf("the same message took %d bytes and then %d: it does not refer to the one before", len(first), len(second))
	}
}

// TestDeflateResetContext checks that the next message does not refer to earlier ones.
func TestDeflateResetContext(t *testing.T) {
	for _, level := range []int{1, 5} {
		var e Encoder
		e.Init(Server, &DeflateParams{}, DeflatePolicy{Level: level, Threshold: -1})
		payload := jsonMessages(1, 2000)[0]
		e.AppendMessage(nil, OpText, payload)
		e.ResetContext()
		frame, _ := e.AppendMessage(nil, OpText, payload)
		wire, is := compressed(t, frame)
		if !is {
			t.Fatal("the message is not compressed")
		}
		alone := &peer{window: 1 << 15}
		if got := alone.inflate(t, wire); !bytes.Equal(got, payload) {
			t.Errorf("level %d: the message does not stand alone", level)
		}
	}
}

func FuzzDeflate(f *testing.F) {
	f.Add(jsonMessages(1, 700)[0], jsonMessages(2, 300)[1], uint8(15), true)
	f.Add([]byte("Hello"), []byte("Hello"), uint8(8), true)
	f.Add(noise(400, 9), make([]byte, 600), uint8(9), false)
	f.Add([]byte{}, bytes.Repeat([]byte("abc"), 200), uint8(10), true)
	f.Fuzz(func(t *testing.T, first, second []byte, bits uint8, takeover bool) {
		window := windowBits(int(bits))
		s := newDeflateState(Client, &DeflateParams{ClientMaxWindowBits: window, ClientNoContextTakeover: !takeover}, DeflatePolicy{Threshold: -1})
		own := newInflateState(Server, &DeflateParams{ClientMaxWindowBits: window, ClientNoContextTakeover: !takeover})
		p := &peer{window: 1 << window, takeover: takeover}
		for range 3 {
			for _, m := range [][]byte{first, second, bytes.Repeat(first, 3)} {
				wire, ok := s.message([]byte("before"), m)
				if !ok {
					if string(wire) != "before" {
						t.Fatalf("what stood before became %q", wire)
					}
					continue
				}
				wire = bytes.TrimPrefix(wire, []byte("before"))
				if got := p.inflate(t, wire); !bytes.Equal(got, m) {
					t.Fatalf("%q came as %q", m, got)
				}
				if got, failed := own.message(nil, wire, len(m)); failed != nil || !bytes.Equal(got, m) {
					t.Fatalf("%q came as %q, %v", m, got, failed)
				}
			}
		}
		s.release()
	})
}

// TestDeflateMakesNoFinalBlock: no block of a message is a final one, which would need padding
// (RFC 7692, section 7.2.1).
func TestDeflateMakesNoFinalBlock(t *testing.T) {
	for level := 1; level <= maxLevel; level++ {
		for _, bits := range []int{8, 12, 15} {
			s := newDeflateState(Server, &DeflateParams{ServerNoContextTakeover: true, ServerMaxWindowBits: bits}, DeflatePolicy{Level: level})
			for _, size := range []int{300, 3000, 100_000} {
				payload := jsonMessages(1, size)[0]
				wire, ok := s.message(nil, payload)
				out, whole, final := referenceInflate(wire, nil, len(payload))
				if !ok || !whole || final || !bytes.Equal(out, payload) {
					t.Errorf("level %d, %d bits: %d bytes came as %d; compressed %t, whole %t, with a final block %t",
						level, bits, len(payload), len(out), ok, whole, final)
				}
			}
			s.release()
		}
	}
}

// TestUncompressedLeavesTheContext: messages that travel as they are change the window of neither
// side (RFC 7692, section 7.2.3.2).
func TestUncompressedLeavesTheContext(t *testing.T) {
	for _, rests := range []bool{false, true} {
		var e Encoder
		e.Init(Server, &DeflateParams{}, DeflatePolicy{Threshold: 500})
		own := newInflateState(Client, &DeflateParams{})
		p := &peer{window: 1 << 15, takeover: true}
		for i, size := range []int{2000, 300, 2000, 499, 0, 2000} {
			payload := jsonMessages(1, 3000)[0][:size]
			frame, err := e.AppendMessage(nil, OpText, payload)
			if err != nil {
				t.Fatal(err)
			}
			wire, is := compressed(t, frame)
			if is != (size >= 500) {
				t.Fatalf("message %d of %d bytes is compressed: %t", i, size, is)
			}
			if is {
				if got := p.inflate(t, wire); !bytes.Equal(got, payload) {
					t.Errorf("message %d came as others", i)
				}
				if got, failed := own.message(nil, wire, size); failed != nil || !bytes.Equal(got, payload) {
					t.Errorf("message %d came as others, %v", i, failed)
				}
				if i > 0 && len(wire) > 100 {
					t.Errorf("message %d takes %d bytes: it does not refer to the same one before", i, len(wire))
				}
			}
			if rests {
				e.Rest()
			}
		}
		e.Release()
	}
}
