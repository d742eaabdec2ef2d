//go:build !js

package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/isosocket/isosocket/ws"
)

// TestScript checks that scripts have all sizes and both kinds, that their messages can be sent, and
// that each is recognised.
func TestScript(t *testing.T) {
	s := script{client: 7}
	var smallest, largest, texts, numbered int
	smallest = 1 << 30
	const messages = 5_000
	for n := range uint64(50 * messages) {
		smallest, largest = min(smallest, s.size(n)), max(largest, s.size(n))
	}
	for n := range uint64(messages) {
		m := s.message(nil, n)
		if m.Kind == ws.KindText {
			texts++
			if !utf8.Valid(m.Data) {
				t.Fatalf("message %d is no text", n)
			}
		}
		if !s.is(m, n) || s.is(m, n+1) && len(m.Data) > 4 {
			t.Fatalf("message %d, of %d bytes, is not recognised", n, len(m.Data))
		}
		if len(m.Data) >= headerSize {
			numbered++
			if got, err := s.number(m); got != n || err != nil {
				t.Fatalf("message %d is taken for %d: %v", n, got, err)
			}
		}
	}
	if smallest != 1 || largest != 1<<20 {
		t.Errorf("sizes from %d to %d, want 1 to 1 MiB", smallest, largest)
	}
	if texts < messages/3 || texts > messages*2/3 || numbered < messages/2 {
		t.Errorf("%d texts and %d numbered messages of %d", texts, numbered, messages)
	}
}

// TestSequence feeds the check of steady, churning and slow clients with what it must find.
func TestSequence(t *testing.T) {
	s := script{client: 3}
	const from, to = 100, 160
	normal := func() (all []ws.Message) {
		for n := uint64(from); n < to; n++ {
			all = append(all, s.message(nil, n))
		}
		return all
	}
	for _, tt := range []struct {
		name   string
		change func(all []ws.Message, i int) []ws.Message // at a message i
		want   string
	}{
		{"nothing", func(all []ws.Message, i int) []ws.Message { return all }, ""},
		{"lost", func(all []ws.Message, i int) []ws.Message { return append(all[:i], all[i+1:]...) }, "lost or reordered"},
		{"doubled", func(all []ws.Message, i int) []ws.Message {
			return append(all[:i+1], append([]ws.Message{all[i]}, all[i+1:]...)...)
		}, "doubled or reordered"},
		{"reordered", func(all []ws.Message, i int) []ws.Message {
			all[i], all[i+1] = all[i+1], all[i]
			return all
		}, "lost or reordered"},
		{"a byte changed", func(all []ws.Message, i int) []ws.Message {
			all[i].Data = bytes.Clone(all[i].Data)
			all[i].Data[len(all[i].Data)/2] ^= 1
			return all
		}, "changed"},
		{"cut", func(all []ws.Message, i int) []ws.Message {
			all[i].Data = all[i].Data[:len(all[i].Data)-1]
			return all
		}, "changed"},
		{"another kind", func(all []ws.Message, i int) []ws.Message {
			all[i].Kind = ws.KindText + ws.KindBinary - all[i].Kind
			return all
		}, "changed"},
		{"of another client", func(all []ws.Message, i int) []ws.Message {
			all[i] = script{client: 4}.message(nil, uint64(i+from))
			return all
		}, "changed"},
		{"long before", func(all []ws.Message, i int) []ws.Message {
			n := uint64(5)
			for s.size(n) < headerSize {
				n++
			}
			all[i] = s.message(nil, n)
			return all
		}, "lost, doubled or reordered"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found := 0
			for i := range to - from - 1 {
				sequence := sequence{script: s, next: from}
				var err error
				for _, m := range tt.change(normal(), i) {
					if err = sequence.arrived(m); err != nil {
						break
					}
				}
				switch {
				case tt.want == "":
					if err != nil {
						t.Fatal(err)
					}
				case err == nil:
					t.Fatalf("at message %d: it was not found", from+i)
				case strings.Contains(err.Error(), tt.want):
					found++
				}
			}
			// Changes of messages of a byte or two may look like others.
			if tt.want != "" && found < (to-from)*3/4 {
				t.Errorf("found in %d of %d places under its name", found, to-from-1)
			}
		})
	}
}
