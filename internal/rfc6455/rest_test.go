package rfc6455

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
)

// TestRest: a peer cannot tell an Encoder that rests from one that does not, and messages
// are still compressed with the context of those before.
func TestRest(t *testing.T) {
	messages := jsonMessages(60, 700)
	messages = append(messages, jsonMessages(1, 100_000)...)
	messages = append(messages, noise(40_000, 4), []byte("a"), bytes.Repeat([]byte("ab"), 30), make([]byte, 33_000), []byte("b"))
	messages = append(messages, jsonMessages(10, 300)...)
	for _, level := range []int{1, 3, 5, 6, 7, 9} {
		for _, bits := range []int{8, 12, 15} {
			if bits < maxWindowBits && level > 1 {
				continue // there is one level for those
			}
			for _, role := range []Role{Client, Server} {
				t.Run(fmt.Sprintf("level %d/%d bits/%v", level, bits, role), func(t *testing.T) {
					params := &DeflateParams{ServerMaxWindowBits: bits, ClientMaxWindowBits: bits}
					policy := DeflatePolicy{Level: level, Threshold: -1}
					rests, stays := newDeflateState(role, params, policy), newDeflateState(role, params, policy)
					own := newInflateState(1-role, params)
					p := &peer{window: 1 << bits, takeover: true}
					size, usual := 0, 0
					for i, m := range messages {
						if i%3 > 0 {
							rests.rest()
						}
						wire, ok := rests.message(nil, m)
						if !ok {
							t.Fatalf("message %d is not compressed", i)
						}
						if got := p.inflate(t, wire); !bytes.Equal(got, m) {
							t.Fatalf("message %d of %d bytes came as %d others", i, len(m), len(got))
						}
						if got, failed := own.message(nil, wire, len(m)); failed != nil || !bytes.Equal(got, m) {
							t.Fatalf("message %d of %d bytes came as %d others, %v", i, len(m), len(got), failed)
						}
						same, _ := stays.message(nil, m)
						size, usual = size+len(wire), usual+len(same)
					}
					if size > usual+usual/20 {
						t.Errorf("%d bytes, where %d are usual", size, usual)
					}
					rests.release()
					stays.release()
				})
			}
		}
	}
}

// TestRestKeepsTheContext: the message after Rest refers to the one before it, and after
// ResetContext to none.
func TestRestKeepsTheContext(t *testing.T) {
	for level := 1; level <= maxLevel; level++ {
		var e Encoder
		e.Init(Server, &DeflateParams{}, DeflatePolicy{Level: level, Threshold: -1})
		if e.Rest(); e.Holds() {
			t.Errorf("level %d: a compressor is held before any message", level)
		}
		message := noise(1000, 5)
		first, _ := e.AppendMessage(nil, OpBinary, message)
		if !e.Holds() {
			t.Errorf("level %d: no compressor is held after a message", level)
		}
		if e.Rest(); e.Holds() {
			t.Errorf("level %d: a compressor is held after Rest", level)
		}
		second, _ := e.AppendMessage(nil, OpBinary, message)
		if len(second) > len(first)/10 {
			t.Errorf("level %d: the same message took %d bytes and %d after Rest", level, len(first), len(second))
		}
		e.Rest()
		e.ResetContext()
		frame, _ := e.AppendMessage(nil, OpBinary, message)
		wire, _ := compressed(t, frame)
		alone := &peer{window: 1 << maxWindowBits}
		if got := alone.inflate(t, wire); !bytes.Equal(got, message) {
			t.Errorf("level %d: after ResetContext the message does not stand alone", level)
		}
		e.Release()
	}
}

// TestRestWithoutTakeover: no compressor is ever held.
func TestRestWithoutTakeover(t *testing.T) {
	var e Encoder
	e.Init(Server, &DeflateParams{ServerNoContextTakeover: true}, DeflatePolicy{})
	e.AppendMessage(nil, OpText, jsonMessages(1, 2000)[0])
	if e.Holds() {
		t.Error("a compressor is held")
	}
	e.Rest()
	if e.deflate.window.b != nil {
		t.Error("a window is held")
	}
}

// TestMemoryAtRest: both directions of connections that rest take what they keep of the
// messages, to the byte, and little more. Without takeover they take next to nothing.
func TestMemoryAtRest(t *testing.T) {
	const connections = 20
	messages := jsonMessages(40, 1<<10) // more than a window
	heap := func() uint64 {
		runtime.GC() // what pools hold goes with the second
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for _, c := range []struct {
		name   string
		params DeflateParams
		most   uint64 // bytes a connection
	}{
		{"takeover", DeflateParams{}, 32<<10 + restWindow + 1<<10},
		{"window of 10 bits", DeflateParams{ServerMaxWindowBits: 10, ClientMaxWindowBits: 10}, 2*(1<<10) + 1<<10},
		{"no takeover", DeflateParams{ServerNoContextTakeover: true, ClientNoContextTakeover: true}, 1 << 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			encoders, decoders := make([]Encoder, connections), make([]Decoder, connections)
			before := heap()
			for i := range connections {
				encoders[i].Init(Server, &c.params, DeflatePolicy{})
				decoders[i].Init(Client, 0, &c.params)
				for _, m := range messages {
					frame, err := encoders[i].AppendMessage(nil, OpText, m)
					if err != nil {
						t.Fatal(err)
					}
					if _, ev, err := decoders[i].Decode(frame); ev != EventMessage || err != nil {
						t.Fatal(ev, err)
					}
					if _, got := decoders[i].Message(); !bytes.Equal(got, m) {
						t.Fatalf("%q came as %q", m, got)
					}
				}
				encoders[i].Rest()
			}
			each := (max(heap(), before) - before) / connections
			t.Logf("%d bytes a connection", each)
			if each > c.most {
				t.Errorf("%d bytes a connection, at most %d are allowed", each, c.most)
			}
			runtime.KeepAlive(encoders)
			runtime.KeepAlive(decoders)
		})
	}
}

// FuzzRest runs a script of messages, rests and resets. Each byte is an action: its low
// bits say which, the high ones how long a message is.
func FuzzRest(f *testing.F) {
	f.Add(jsonMessages(1, 700)[0], []byte{0xf0, 1, 0xf0, 1, 0x30, 2, 0xf0}, uint8(15), uint8(1))
	f.Add([]byte("Hello"), []byte{0x10, 1, 0x10, 0xf3, 1, 0x10}, uint8(8), uint8(1))
	f.Add(noise(400, 9), []byte{0xf3, 1, 0xf3, 0xf0, 1, 0xf0, 2, 1, 0xf0}, uint8(9), uint8(7))
	f.Add(bytes.Repeat([]byte("abc"), 200), bytes.Repeat([]byte{0xf3, 1, 0x20, 1}, 9), uint8(15), uint8(9))
	f.Fuzz(func(t *testing.T, text, script []byte, bits, level uint8) {
		size := windowBits(int(bits))
		params := &DeflateParams{ClientMaxWindowBits: size}
		policy := DeflatePolicy{Level: 1 + int(level)%maxLevel, Threshold: -1}
		rests, stays := newDeflateState(Client, params, policy), newDeflateState(Client, params, policy)
		own := newInflateState(Server, params)
		p, q := &peer{window: 1 << size, takeover: true}, &peer{window: 1 << size, takeover: true}
		for i, action := range script[:min(len(script), 40)] {
			m := text[:len(text)*int(action>>4)/15]
			switch action & 3 {
			case 1:
				rests.rest()
				continue
			case 2:
				rests.resetContext()
				stays.resetContext()
				continue
			case 3:
				m = append(bytes.Repeat(m, 30), byte(i))
			}
			wire, ok := rests.message(nil, m)
			if ok != (len(m) > 0) {
				t.Fatalf("a message of %d bytes is compressed: %t", len(m), ok)
			}
			if !ok {
				continue
			}
			if got := p.inflate(t, wire); !bytes.Equal(got, m) {
				t.Fatalf("%q came as %q", m, got)
			}
			if got, failed := own.message(nil, wire, len(m)); failed != nil || !bytes.Equal(got, m) {
				t.Fatalf("%q came as %q, %v", m, got, failed)
			}
			same, _ := stays.message(nil, m)
			if got := q.inflate(t, same); !bytes.Equal(got, m) {
				t.Fatalf("without rests %q came as %q", m, got)
			}
		}
		rests.release()
		stays.release()
	})
}
