package rfc6455

import (
	"bytes"
	"testing"
)

// TestWindow holds a window against the slice of all that was added.
func TestWindow(t *testing.T) {
	for _, size := range []int{256, 4 << 10, 32 << 10} {
		w := window{size: size}
		var all, scratch []byte
		check := func() {
			t.Helper()
			want := all[max(0, len(all)-size):]
			var got []byte
			if got, scratch = w.linear(scratch); !bytes.Equal(got, want) {
				t.Fatalf("size %d, %d bytes added: the window is not the last %d of them", size, len(all), len(want))
			}
			if got := w.appendTo([]byte("before")); !bytes.Equal(got, append([]byte("before"), want...)) {
				t.Fatalf("size %d, %d bytes added: appendTo appends another window", size, len(all))
			}
			if cap(w.b) > size {
				t.Fatalf("size %d, %d bytes added: the window takes %d bytes", size, len(all), cap(w.b))
			}
		}
		for round := range 3 {
			for i, n := range []int{0, 1, 10, 255, 256, 257, 1, 1000, size - 1, size, size + 1, 3*size + 7, 5, size / 2, size / 2} {
				msg := noise(n, uint64(100*round+i))
				w.add(msg)
				all = append(all, msg...)
				check()
			}
			w.clear()
			all = nil
			check()
		}
		w.release()
		if w.b != nil {
			t.Errorf("size %d: release keeps memory", size)
		}
	}
}

// TestWindowGrowsWithItsMessages: a little that was added takes little.
func TestWindowGrowsWithItsMessages(t *testing.T) {
	w := window{size: 1 << maxWindowBits}
	w.add(make([]byte, 100))
	if cap(w.b) > leastWindow {
		t.Errorf("100 bytes take %d", cap(w.b))
	}
	w.add(make([]byte, 1500))
	if cap(w.b) > 2*leastWindow {
		t.Errorf("1600 bytes take %d", cap(w.b))
	}
}
