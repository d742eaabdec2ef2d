package rfc6455

import (
	"bytes"
	"testing"
)

// part returns one frame of a server's message.
func part(fin, compressed bool, op Opcode, payload []byte) []byte {
	return append(AppendHeader(nil, fin, compressed, op, len(payload), nil), payload...)
}

// TestDecoderHeld: what a Decoder holds is what it reports, and it goes with the message.
func TestDecoderHeld(t *testing.T) {
	t.Run("nothing", func(t *testing.T) {
		var d Decoder
		d.Init(Client, 0, &DeflateParams{})
		if n := d.Held(); n != 0 {
			t.Errorf("%d bytes", n)
		}
	})
	t.Run("the beginning of a message", func(t *testing.T) {
		var d Decoder
		d.Init(Client, 0, nil)
		wire := part(true, false, OpBinary, noise(5000, 1))
		d.Decode(wire[:4000])
		if n := d.Held(); n != cap(d.msg) || n < 3900 {
			t.Errorf("%d bytes, with %d received of 5000", n, 4000)
		}
		if _, ev, err := d.Decode(wire[4000:]); ev != EventMessage || err != nil {
			t.Fatal(ev, err)
		}
		if n := d.Held(); n != 0 {
			t.Errorf("%d bytes after the message", n)
		}
	})
	// With context takeover a small window is held, and never more.
	params := &DeflateParams{ServerMaxWindowBits: 9, ClientMaxWindowBits: 9}
	for name, end := range map[string]func(*testing.T, *Decoder){
		"a close frame in a compressed message": func(t *testing.T, d *Decoder) {
			if _, ev, err := d.Decode(part(true, false, OpClose, nil)); ev != EventClose || err != nil {
				t.Fatal(ev, err)
			}
		},
		"Discard in a compressed message": func(t *testing.T, d *Decoder) { d.Discard() },
		"Release in a compressed message": func(t *testing.T, d *Decoder) { d.Release() },
	} {
		t.Run(name, func(t *testing.T) {
			var d Decoder
			d.Init(Client, 0, params)
			if _, ev, err := d.Decode(part(false, true, OpBinary, noise(1000, 2))); ev != EventNone || err != nil {
				t.Fatal(ev, err)
			}
			if n := d.Held(); n < 1000 {
				t.Fatalf("%d bytes in a message of 1000", n)
			}
			if end(t, &d); d.Held() != 0 {
				t.Errorf("%d bytes after the end", d.Held())
			}
		})
	}
}

// TestReleaseEndsParts: Release ends what inflates a message that is received in parts.
func TestReleaseEndsParts(t *testing.T) {
	var d Decoder
	d.Init(Client, 0, &DeflateParams{})
	d.Announce(true)
	if _, ev, err := d.Decode(part(false, true, OpBinary, []byte{0})); ev != EventBegin || err != nil {
		t.Fatal(ev, err)
	}
	d.TakeParts(t)
	if ev, err := d.Part(make([]byte, 10)); ev != EventNone || err != nil {
		t.Fatal(ev, err)
	}
	if d.Release(); d.InParts() || d.Taker() != nil || d.parts.pump != nil {
		t.Errorf("after Release: in parts %t, taker %v", d.InParts(), d.Taker())
	}
}

// TestEncoderHeld: an Encoder holds a window and, until Rest, a compressor.
func TestEncoderHeld(t *testing.T) {
	var e Encoder
	e.Init(Server, nil, DeflatePolicy{})
	e.AppendMessage(nil, OpBinary, make([]byte, 1000))
	if n := e.Held(); n != 0 {
		t.Errorf("%d bytes without compression", n)
	}
	e.Init(Server, &DeflateParams{}, DeflatePolicy{Threshold: -1})
	if n := e.Held(); n != 0 {
		t.Errorf("%d bytes before the first message", n)
	}
	e.AppendMessage(nil, OpBinary, make([]byte, 1000))
	working := e.Held()
	e.Rest()
	if resting := e.Held(); resting < 1000 || resting > 32<<10 || working != resting+deflaterSize {
		t.Errorf("%d bytes, and %d after Rest; the compressor has %d", working, resting, deflaterSize)
	}
	e.Release()
}

// TestDetachLeavesAWholeMessage: a message that Message has not returned yet stays in its buffer.
func TestDetachLeavesAWholeMessage(t *testing.T) {
	var d Decoder
	d.Init(Client, 0, nil)
	buf := make([]byte, 300)
	d.SetBuffer(buf)
	if _, ev, err := d.Decode(part(true, false, OpBinary, noise(300, 3))); ev != EventMessage || err != nil {
		t.Fatal(ev, err)
	}
	d.Detach()
	if _, data := d.Message(); !within(data, buf) || !bytes.Equal(data, noise(300, 3)) {
		t.Error("the message is not in the buffer")
	}
}

// TestPartsLeaveNothing: a message that was taken in parts belongs to its taker, from the first byte,
// and the Decoder forgets it.
func TestPartsLeaveNothing(t *testing.T) {
	var d Decoder
	d.Init(Client, 0, nil)
	buf := make([]byte, 300)
	d.SetBuffer(buf)
	payload := noise(200, 4)
	d.Decode(part(false, false, OpBinary, payload[:100]))
	_, data := d.TakeParts(t)
	if !within(data, buf) || !bytes.Equal(data, payload[:100]) {
		t.Errorf("%d bytes, in the buffer %t", len(data), within(data, buf))
	}
	if n := d.Held(); n != 0 {
		t.Errorf("the decoder holds %d bytes of a message that another has", n)
	}
	room := make([]byte, 200)
	d.Part(room)
	if _, ev, err := d.Decode(part(true, false, OpContinuation, payload[100:])); ev != EventMessage || err != nil {
		t.Fatal(ev, err)
	}
	if got := room[:d.Filled()]; !bytes.Equal(got, payload[100:]) {
		t.Errorf("the second part is %x", got)
	}
	if _, data := d.Message(); data != nil {
		t.Errorf("Message returns %d bytes of a message in parts", len(data))
	}
	if d.DropRoom(); d.parts != nil {
		t.Error("the state of a message in parts is kept")
	}
}

// TestLargePayloadInPartsIsNotKept: what had come of a large compressed message before it was taken
// in parts does not stay until its end.
func TestLargePayloadInPartsIsNotKept(t *testing.T) {
	var d Decoder
	d.Init(Client, 0, &DeflateParams{})
	data := noise(2*largeBuffer, 5)
	var first []byte // stored blocks, as many as come before TakeParts
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 60_000)
		first = append(first, 0, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		first, rest = append(first, rest[:n]...), rest[n:]
	}
	if _, ev, err := d.Decode(part(false, true, OpBinary, first)); ev != EventNone || err != nil {
		t.Fatal(ev, err)
	}
	if n := d.Held(); n <= largeBuffer {
		t.Fatalf("%d bytes are held", n)
	}
	d.TakeParts(t)
	got, room := []byte(nil), make([]byte, 50_000)
	ev, err := d.Part(room)
	for ; ev == EventPart && err == nil; ev, err = d.Part(room) {
		got = append(got, room[:d.Filled()]...)
	}
	for _, last := range [][]byte{part(false, false, OpContinuation, []byte{0}), part(true, false, OpContinuation, nil)} {
		if ev != EventNone || err != nil {
			t.Fatal(ev, err)
		}
		if _, ev, err = d.Decode(last); d.parts.pump != nil && cap(d.parts.pump.wire) > largeBuffer {
			t.Errorf("%d bytes are kept for the payload", cap(d.parts.pump.wire))
		}
	}
	if got = append(got, room[:d.Filled()]...); ev != EventMessage || err != nil || !bytes.Equal(got, data) {
		t.Errorf("%v, %v: %d bytes of %d", ev, err, len(got), len(data))
	}
}
