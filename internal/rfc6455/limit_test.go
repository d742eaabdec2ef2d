package rfc6455

import (
	"strings"
	"testing"
)

// TestLimitOfOneByte: one byte is a limit as others are, for whole messages and for parts.
func TestLimitOfOneByte(t *testing.T) {
	for size, want := range map[int]string{1: `binary message "\x00"`, 2: "message of 2 bytes: the limit is 1 bytes"} {
		var d Decoder
		d.Init(Client, 1, nil)
		if got := decodeAll(t, &d, part(true, false, OpBinary, make([]byte, size)), allAtOnce); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%d bytes: %q, want %s", size, got, want)
		}
	}
	var d Decoder
	d.Init(Client, 1000, nil)
	d.SetMaxParts(1) // below the limit of whole messages, which then holds
	if _, ev, err := d.Decode(part(true, false, OpBinary, make([]byte, 1001))); ev != EventNone || err == nil {
		t.Errorf("1001 bytes: %v, %v", ev, err)
	}
}

// TestBoundOfCompressedMessages: a compressed message may announce an eighth and 64 bytes more than
// the limit of its data, and no byte more.
func TestBoundOfCompressedMessages(t *testing.T) {
	const limit = 1000
	for size, refused := range map[int]bool{limit + limit/8 + 64: false, limit + limit/8 + 65: true} {
		var d Decoder
		d.Init(Client, limit, &DeflateParams{})
		_, ev, err := d.Decode(AppendHeader(nil, true, true, OpBinary, size, nil))
		if ev != EventNone || (err != nil) != refused {
			t.Errorf("%d bytes are announced: %v, %v", size, ev, err)
		}
	}
}

// TestLargeMessages: a message between the limit of whole messages and that of parts is announced,
// again and again, until it is taken in parts or refused.
func TestLargeMessages(t *testing.T) {
	const whole = 100
	for _, test := range []struct {
		name  string
		parts int64
		size  int
		want  Event
		text  string // of the error of Decode, else of Refuse
	}{
		{"a whole one", 1000, whole, EventMessage, ""},
		{"one byte more", 1000, whole + 1, EventLarge, "message of 101 bytes: the limit is 100 bytes"},
		{"the most", 1000, 1000, EventLarge, "message of 1000 bytes: the limit is 100 bytes"},
		{"too much", 1000, 1001, EventNone, "message of 1001 bytes: the limit is 100 bytes"},
		{"no limit", 0, 1 << 20, EventLarge, "message of 1048576 bytes: the limit is 100 bytes"},
		{"no limit, by a negative number", -1, 1 << 20, EventLarge, "message of 1048576 bytes: the limit is 100 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			wire := part(true, false, OpBinary, noise(test.size, 1))
			for _, refuse := range []bool{false, true} {
				var d Decoder
				d.Init(Client, whole, nil)
				d.SetMaxParts(test.parts)
				n, ev, err := d.Decode(wire)
				if ev != test.want || (err != nil) != (ev == EventNone) {
					t.Fatalf("Decode = %v, %v; want %v", ev, err, test.want)
				}
				if ev == EventLarge {
					if again, ev, err := d.Decode(wire[n:]); again != 0 || ev != EventLarge || err != nil {
						t.Fatalf("a second Decode = %d, %v, %v", again, ev, err)
					}
					if d.Direct() != nil {
						t.Error("Direct lends room for a message that nobody has taken")
					}
					if refuse {
						err = d.Refuse()
					} else {
						d.TakeParts(t)
						room := make([]byte, test.size)
						d.Part(room)
						if _, ev, err := d.Decode(wire[n:]); ev != EventMessage || err != nil || d.Filled() != test.size {
							t.Errorf("in parts: %v, %v, %d bytes", ev, err, d.Filled())
						}
					}
				}
				if err != nil && !strings.Contains(err.Error(), test.text) {
					t.Errorf("%v, want %s", err, test.text)
				}
			}
		})
	}
}
