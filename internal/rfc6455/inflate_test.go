package rfc6455

import (
	"bytes"
	stdflate "compress/flate"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/flate"
)

// referenceInflate inflates a payload of RFC 7692 with another reader. whole is false when that
// finds it invalid, cut, or goes past its end; final when a final block comes before the end.
func referenceInflate(payload, dict []byte, limit int) (out []byte, whole, final bool) {
	read := func(tail string) ([]byte, error) {
		src := strings.NewReader(string(payload) + tail)
		return io.ReadAll(io.LimitReader(stdflate.NewReaderDict(src, dict), int64(limit)+2))
	}
	const finalBlock = "\x01\x00\x00\xff\xff"
	out, err := read("\x00\x00\xff\xff" + finalBlock)
	if err != nil {
		return out, false, false
	}
	// With one byte in the stored block instead of none, that byte must follow.
	marked, err := read("\x01\x00\xfe\xffX" + finalBlock)
	final = err == nil && bytes.Equal(marked, out)
	return out, len(out) <= limit && !final, final
}

func inflateOnce(payload, dict []byte, limit int) ([]byte, *Error) {
	s := inflateState{window: window{size: 1 << 15}, takeover: true}
	s.window.add(dict)
	return s.message(nil, payload, limit)
}

// cutTail removes the four bytes that a sender of RFC 7692 cuts.
func cutTail(t testing.TB, b []byte) []byte {
	t.Helper()
	short, found := bytes.CutSuffix(b, []byte{0, 0, 0xFF, 0xFF})
	if !found {
		t.Fatalf("%x does not end with an empty stored block", b)
	}
	return short
}

func TestInflateExamples(t *testing.T) {
	tests := []struct {
		name, payload, want string
	}{
		{"one block (RFC 7692, 7.2.3.1)", "f248cdc9c90700", "Hello"},
		{"stored block (7.2.3.3)", "000500faff48656c6c6f00", "Hello"},
		{"final block (7.2.3.4)", "f348cdc9c9070000", "Hello"},
		{"final block without the byte after it", "f348cdc9c90700", "Hello"},
		{"two blocks (7.2.3.5)", "f2480500" + "0000ffff" + "cac9c90700", "Hello"},
		{"empty message (7.2.3.6)", "00", ""},
		{"nothing at all", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			payload, err := hex.DecodeString(test.payload)
			if err != nil {
				t.Fatal(err)
			}
			got, failed := inflateOnce(payload, nil, 100)
			if failed != nil || string(got) != test.want {
				t.Fatalf("inflated to %q, %v; want %q", got, failed, test.want)
			}
		})
	}
}

func TestInflateContextExample(t *testing.T) {
	// RFC 7692, section 7.2.3.2: the second "Hello" refers to the first.
	s := newInflateState(Server, &DeflateParams{})
	for _, payload := range []string{"f248cdc9c90700", "f200110000"} {
		b, _ := hex.DecodeString(payload)
		got, failed := s.message(nil, b, 100)
		if failed != nil || string(got) != "Hello" {
			t.Fatalf("%s inflated to %q, %v", payload, got, failed)
		}
	}
	// Without context takeover the same payload refers to nothing.
	s = newInflateState(Server, &DeflateParams{ClientNoContextTakeover: true})
	b, _ := hex.DecodeString("f248cdc9c90700")
	s.message(nil, b, 100)
	b, _ = hex.DecodeString("f200110000")
	if got, failed := s.message(nil, b, 100); failed == nil {
		t.Fatalf("a match before the message gave %q without context takeover", got)
	}
}

// TestInflateAfterAFinalBlock: what follows a final block may refer to the messages before, even if
// they have one byte in all.
func TestInflateAfterAFinalBlock(t *testing.T) {
	// An empty final block; then three bytes from a distance of one.
	payload := []byte("\x01\x00\x00\xff\xff" + "\x02\x02\x00\x00")
	got, failed := inflateOnce(payload, []byte("a"), 100)
	if failed != nil || string(got) != "aaa" {
		t.Errorf("inflated to %q, %v", got, failed)
	}
}

// TestInflateIntoOneByte: a buffer of one byte is enough for a message of one byte.
func TestInflateIntoOneByte(t *testing.T) {
	f := &inflater{scratch: make([]byte, 0, smallBuffer)}
	f.reader = flate.NewReader(f)
	payload := []byte("\x00\x01\x00\xfe\xff" + "x" + "\x00")
	buf := make([]byte, 1)
	got, failed := f.message(buf, payload, nil, 100)
	if failed != nil || string(got) != "x" || !within(got, buf) {
		t.Errorf("inflated to %q, %v; in the buffer %t", got, failed, within(got, buf))
	}
}

// TestInflateLevels reads what every level of another writer makes of many sizes.
func TestInflateLevels(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	mixed := bytes.Clone(noise)
	copy(mixed[50_000:], jsonMessages(1, 200_000)[0])
	inputs := map[string][]byte{
		"noise": noise,
		"json":  jsonMessages(1, 300_000)[0],
		"zeros": make([]byte, 300_000),
		"mixed": mixed,
	}
	for name, input := range inputs {
		for level := -2; level <= 9; level++ {
			t.Run(fmt.Sprintf("%s/%d", name, level), func(t *testing.T) {
				for _, size := range []int{0, 1, 2, 10, 100, 1000, 32767, 32768, 32769, 100_000, len(input)} {
					input := input[:min(size, len(input))]
					var b bytes.Buffer
					w, _ := flate.NewWriter(&b, level)
					for i := 0; i < len(input); i += 70_000 { // several blocks, with flushes between
						w.Write(input[i:min(i+70_000, len(input))])
						w.Flush()
					}
					w.Flush()
					got, failed := inflateOnce(cutTail(t, b.Bytes()), nil, len(input))
					if failed != nil || !bytes.Equal(got, input) {
						t.Fatalf("size %d: got %d bytes, %v", size, len(got), failed)
					}
					if len(input) == 0 {
						continue
					}
					if _, failed = inflateOnce(cutTail(t, b.Bytes()), nil, len(input)-1); failed == nil || failed.Code != 1009 {
						t.Fatalf("size %d, limit one less: %v", size, failed)
					}
				}
			})
		}
	}
}

// TestInflateFarthest: a message may refer to the first byte of the 32,768 that came before it,
// unless the handshake agreed on a smaller window (RFC 7692, section 7.2.2), and to nothing before.
func TestInflateFarthest(t *testing.T) {
	// A block with the fixed codes: 258 bytes at a distance of 24,577 and what 13 more bits say,
	// the end of the block, and the header of an empty stored one.
	block := func(more int) (payload []byte) {
		bits := "0" + "10" + "11000101" + "11101"
		for i := range 13 {
			bits += string('0' + rune(more>>i&1))
		}
		bits += "0000000" + "000"
		for i, bit := range bits {
			if i%8 == 0 {
				payload = append(payload, 0)
			}
			payload[i/8] |= byte(bit-'0') << (i % 8)
		}
		return payload
	}
	for _, role := range []Role{Client, Server} {
		for _, before := range []int{32768, 40_000} {
			s := newInflateState(role, &DeflateParams{})
			history := noise(before, 12)
			for len(history) > 0 { // stored blocks of one message each
				n := min(len(history), 20_000)
				stored := append([]byte{0, byte(n), byte(n >> 8), ^byte(n), ^byte(n >> 8)}, history[:n]...)
				if got, failed := s.message(nil, append(stored, 0), n); failed != nil || !bytes.Equal(got, history[:n]) {
					t.Fatalf("%v: a stored block came as %d bytes, %v", role, len(got), failed)
				}
				history = history[n:]
			}
			want := noise(before, 12)[before-32768:][:258]
			if got, failed := s.message(nil, block(1<<13-1), 1000); failed != nil || !bytes.Equal(got, want) {
				t.Errorf("%v, after %d bytes: %d bytes from a distance of 32,768, %v", role, before, len(got), failed)
			}
		}
		s := newInflateState(role, &DeflateParams{})
		stored := append([]byte{0, 0xff, 0x7f, 0x00, 0x80}, noise(32767, 12)...)
		if _, failed := s.message(nil, append(stored, 0), 32767); failed != nil {
			t.Fatal(failed)
		}
		if got, failed := s.message(nil, block(1<<13-1), 1000); failed == nil {
			t.Errorf("%v: %d bytes from before the first byte", role, len(got))
		}
	}
}

func TestInflateCorrupt(t *testing.T) {
	tests := []struct{ name, payload, reason string }{
		{"reserved block kind", "06", "not valid deflate"},
		{"stored length", "000500faf048656c6c6f00", "not valid deflate"},
		{"stored block cut", "000500faff48656c", "not valid deflate"},
		{"stored header cut", "000500", "not valid deflate"},
		{"code cut", "f248cdc9", "not valid deflate"},
		{"match before all data", "f20011000000", "not valid deflate"},
		{"garbage after the final block", "f348cdc9c90700ff", "not valid deflate"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b, _ := hex.DecodeString(test.payload)
			got, failed := inflateOnce(b, nil, 1000)
			if failed == nil || failed.Code != 1007 || !strings.Contains(failed.Error(), test.reason) {
				t.Fatalf("got %q, %v; want an error about %q", got, failed, test.reason)
			}
		})
	}
}

// TestInflateManyFinalBlocks: a message of many final blocks after a long text takes neither time
// nor memory that multiplies the two.
func TestInflateManyFinalBlocks(t *testing.T) {
	const long, blocks = 1 << 20, 5000
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 9)
	w.Write(make([]byte, long))
	w.Flush()
	payload := append(b.Bytes(), strings.Repeat("\x03\x00", blocks)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, failed := inflateOnce(payload, make([]byte, 1<<15), long)
	runtime.ReadMemStats(&after)
	if failed != nil || len(got) != long {
		t.Fatalf("got %d bytes, %v", len(got), failed)
	}
	// Copying the text at every block would take 5 GB.
	if took := after.TotalAlloc - before.TotalAlloc; took > 256<<20 {
		t.Errorf("%d final blocks took %d MiB of memory", blocks, took>>20)
	}
}

// TestInflateBehindFinalBlocks: what follows a final block may refer to 32 KiB before it, in this
// message and in those before.
func TestInflateBehindFinalBlocks(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for _, context := range []int{0, 10, 30_000, 1 << 15} {
		for _, first := range []int{1, 1000, 20_000, 1<<15 - 1, 1 << 15, 60_000} {
			dict, want := noise[:context], bytes.Clone(noise[context:context+first])
			var b bytes.Buffer
			w, _ := flate.NewWriter(&b, 9)
			w.Write(want)
			w.Close()
			for range 3 {
				all := append(bytes.Clone(dict), want...)
				all = all[max(0, len(all)-1<<15):]
				more := all[:min(len(all), 300)] // as far back as can be
				w, _ = flate.NewWriterDict(&b, 9, all)
				w.Write(more)
				w.Close()
				want = append(want, more...)
			}
			b.WriteByte(0)
			got, failed := inflateOnce(b.Bytes(), dict, len(want))
			if failed != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes before, %d in the first block: got %d bytes, %v; want %d", context, first, len(got), failed, len(want))
			}
		}
	}
}

// TestInflateDropsLargeScratch: the memory of a large message that failed does not stay
// with the pool.
func TestInflateDropsLargeScratch(t *testing.T) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 9)
	w.Write(make([]byte, 4<<20))
	w.Flush()
	whole := cutTail(t, b.Bytes())
	for name, payload := range map[string][]byte{
		"over the limit": whole,
		"not deflate":    append(bytes.Clone(b.Bytes()), 6),
	} {
		f := inflaters.New().(*inflater)
		limit := 8 << 20
		if name == "over the limit" {
			limit = 2 << 20
		}
		if _, failed := f.message(nil, payload, nil, limit); failed == nil {
			t.Errorf("%s: no error", name)
		}
		if cap(f.scratch) > largeBuffer {
			t.Errorf("%s: %d bytes are kept", name, cap(f.scratch))
		}
	}
}

// TestInflateBomb: what inflates to far more than the limit fails at the limit, and takes no more
// memory than that.
func TestInflateBomb(t *testing.T) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 9)
	zeros := make([]byte, 1<<20)
	for range 64 {
		w.Write(zeros)
	}
	w.Flush()
	payload := cutTail(t, b.Bytes())
	const limit = 1 << 20
	var failed *Error
	took := allocated(func() { _, failed = inflateOnce(payload, nil, limit) })
	if failed == nil || failed.Code != 1009 {
		t.Fatalf("64 MiB at a limit of 1 MiB: %v", failed)
	}
	if took > 3*limit {
		t.Errorf("64 MiB in %d bytes took %d bytes of memory at a limit of %d", len(payload), took, limit)
	}
}

func FuzzInflate(f *testing.F) {
	for _, s := range []string{"f248cdc9c90700", "000500faff48656c6c6f00", "f348cdc9c9070000", "00", "", "f200110000"} {
		b, _ := hex.DecodeString(s)
		f.Add(b, []byte("Hello"))
	}
	for level := range 10 {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, level)
		w.Write(jsonMessages(1, 600)[0])
		w.Flush()
		f.Add(b.Bytes()[:b.Len()-4], []byte{})
	}
	f.Fuzz(func(t *testing.T, payload, dict []byte) {
		const limit = 1 << 16
		if len(dict) > 1<<15 {
			dict = dict[:1<<15]
		}
		got, failed := inflateOnce(payload, dict, limit)
		want, whole, final := referenceInflate(payload, dict, limit)
		if whole && (failed != nil || !bytes.Equal(got, want)) {
			t.Fatalf("inflated to %q, %v; the reference to %q", got, failed, want)
		}
		// The reference stops at a final block, after which more may come.
		if final && failed == nil && !bytes.HasPrefix(got, want) {
			t.Fatalf("inflated to %q, the reference to %q", got, want)
		}
		if !whole && !final && failed == nil && len(payload) > 0 {
			t.Fatalf("inflated to %q, the reference only to %q", got, want)
		}
		if failed == nil && len(got) > limit {
			t.Fatalf("%d bytes at a limit of %d", len(got), limit)
		}
	})
}
