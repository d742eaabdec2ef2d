//go:build js

package relay

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/internal/jscall"
)

// queueModel is the relay's queue in the plainest form.
type queueModel struct {
	scratch []any   // messages
	used    int     // the bytes that they take
	full    [][]any // the queue of full ones
	sizes   []int
	mode    Mode
	posted  bool
	turn    int
	total   int
	ceiling int
}

// sizeOf returns the size that a message counts, the most that it may take in scratch, and whether it is
// kept apart.
func sizeOf(message any) (counted, need int, apart bool) {
	switch m := message.(type) {
	case []byte:
		counted, need = len(m), len(m)+HeaderSize
	case string: // of characters that UTF-16 has in one unit
		units := len([]rune(m))
		if counted, need = len(m), 3*units+HeaderSize; need > largest {
			counted = units
		}
	}
	return counted, need, need > largest
}

// play runs the operations that ops describes on a relay and on the model, and compares every call into
// Go, every message and every number.
func play(t *testing.T, ops []byte) {
	all := ops
	next := func() byte {
		if len(ops) == 0 {
			return 0
		}
		b := ops[0]
		ops = ops[1:]
		return b
	}
	f := newFixture(t, 1000)
	m := &queueModel{ceiling: 1000}
	posts := 0
	post, err := jscall.FuncOf(func(jscall.Value, []jscall.Value) any { posts++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer post.Release()
	f.js.Set(f.js.Property(f.exports, "postMessage"), "value", post.Value())
	if f.js.Err != nil {
		t.Fatal(f.js.Err)
	}

	// A callback of JavaScript cannot end the test, which is on another goroutine.
	isWoken := false
	fail := func(format string, args ...any) {
		t.Helper()
		text := fmt.Sprintf("%x: "+format, append([]any{all}, args...)...)
		if isWoken {
			panic(text)
		}
		t.Fatal(text)
	}
	compare := func(got, want []any) {
		t.Helper()
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			fail("Go gets %.100q, want %.100q", got, want)
		}
		for i := range got {
			if fmt.Sprintf("%T", got[i]) != fmt.Sprintf("%T", want[i]) {
				fail("message %d is of type %T, want %T", i, got[i], want[i])
			}
		}
	}

	// take is Take on both.
	take := func(mode Mode) {
		n, list, err := f.Take(mode)
		if err != nil {
			fail("%v", err)
		}
		m.turn++
		var want []any
		size := m.used
		if len(m.full) > 0 {
			want, size = m.full[0], m.sizes[0]
			m.full, m.sizes, m.mode = m.full[1:], m.sizes[1:], Never
			if list.IsUndefined() {
				fail("Take gives %d bytes of scratch where %d are full", n, len(m.full)+1)
			}
		} else {
			if want = m.scratch; len(want) > 0 {
				mode = Never
			}
			m.scratch, m.used, m.mode = nil, 0, mode
		}
		m.posted = false
		if n != size {
			fail("Take gives %d bytes, want %d", n, size)
		}
		if n == 0 {
			return
		}
		b := f.read(min(n, InboundRoom))
		if !list.IsUndefined() {
			b = f.bytes(list)
		}
		compare(f.messages(b), want)
	}

	var expected []int // what wake is to be called with next
	var given []any    // and the messages that it is to read
	f.wake = func(n int, warning bool) Mode {
		isWoken = true
		defer func() { isWoken = false }()
		if len(expected) == 0 || n != expected[0] {
			fail("Go is called with %d, want %d", n, expected)
		}
		expected = expected[1:]
		if warning {
			m.ceiling = m.total + int(next())*100
			return Mode(m.ceiling)
		}
		m.turn++
		turn := m.turn
		switch {
		case n >= 0:
			b := AppendHeader(nil, Header(n))
			compare(f.messages(append(b, f.read(Header(n).Counted())...)), given)
		case n < -1:
			compare(f.messages(f.read(-n)), given)
		}
		given = nil
		choice := next()
		mode := Mode(choice % 3)
		if choice&0x80 != 0 {
			take(Mode(choice >> 2 % 3))
		}
		if m.turn == turn {
			m.mode, m.posted = mode, false
		}
		return mode
	}
	// wakes sets what the relay calls wake with for all that waits.
	wakes := func() {
		switch {
		case len(m.full) > 0:
			expected = append(expected, -1)
		case len(m.scratch) > 0:
			expected, given = append(expected, -m.used), m.scratch
			m.scratch, m.used = nil, 0
		}
	}

	deliver := func(message any) {
		counted, need, apart := sizeOf(message)
		taken := HeaderSize
		if !apart {
			taken += counted
		} else {
			need = HeaderSize
		}
		if m.used+need > InboundRoom {
			m.full, m.sizes = append(m.full, m.scratch), append(m.sizes, m.used)
			m.scratch, m.used = nil, 0
		}
		before := m.total
		m.total += counted + HeaderSize
		alone := m.mode == Promptly && len(m.scratch) == 0 && len(m.full) == 0 && !apart
		_, isText := message.(string)
		wantPosts := posts
		switch {
		case alone:
			expected, given = []int{counted<<2 | flag(isText)}, []any{message}
		default:
			m.scratch, m.used = append(m.scratch, message), m.used+taken
			switch {
			case m.mode == Promptly:
				wakes()
			case m.mode == Late && !m.posted:
				m.posted = true
				wantPosts++
			}
		}
		woken := len(expected) > 0 && !alone
		if before > m.ceiling {
			expected = append(expected, before)
		}
		f.deliver(message)
		if woken && m.mode == Late { // as Go has chosen just now
			m.posted = true
			wantPosts++
		}
		if len(expected) > 0 || posts != wantPosts {
			fail("Go is to be called with %d, and %d tasks are posted, want %d", expected, posts, wantPosts)
		}
	}

	for len(ops) > 0 {
		op := next()
		switch size := int(next()); op % 8 {
		case 0, 1, 2:
			deliver(strings.Repeat([]string{"x", "é", "€"}[op%3], size))
		case 3, 4:
			deliver(bytes.Repeat([]byte{op}, size*int(op>>3)))
		case 5:
			take(Mode(size % 3))
		case 6: // the task that was posted, or one that comes too late
			if m.mode == Late && m.posted {
				m.posted = false
				wakes()
			}
			if _, err := f.late.Invoke(nil); err != nil {
				fail("%v", err)
			}
			if len(expected) > 0 {
				fail("the task does not call Go with %d", expected)
			}
		case 7:
			if total, err := f.Total(); total != m.total || err != nil {
				fail("Total = %d, %v, want %d", total, err, m.total)
			}
		}
	}
	for len(m.full) > 0 || len(m.scratch) > 0 {
		take(Never)
	}
	take(Never)
}

// FuzzQueue: the relay and a plain queue agree on every operation. Go has no coverage of WebAssembly and
// no fuzzing on this target, so the operations are random: 300 sequences, or for the time that FUZZTIME
// says. scripts/fuzz.sh runs it so in Node.js.
func FuzzQueue(f *testing.F) {
	f.Add([]byte{5, 1, 0, 1, 3, 4, 6, 0, 7, 0})
	f.Add(slices.Repeat([]byte{5, 2, 0xFB, 250, 0xFC, 250, 1, 200, 6, 0}, 30))
	random := rand.New(rand.NewPCG(1, 1))
	count, until := 300, time.Time{}
	if s := os.Getenv("FUZZTIME"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			f.Fatalf("FUZZTIME is %q, not a duration", s)
		}
		until = time.Now().Add(d)
		random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	for range count {
		f.Add(operations(random))
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		play(t, ops)
		for time.Now().Before(until) {
			ops = operations(random)
			if !t.Run(fmt.Sprintf("%x", ops), func(t *testing.T) { play(t, ops) }) {
				return
			}
		}
	})
}

func operations(random *rand.Rand) []byte {
	ops := make([]byte, random.IntN(200))
	for i := range ops {
		ops[i] = byte(random.Uint32())
	}
	return ops
}
