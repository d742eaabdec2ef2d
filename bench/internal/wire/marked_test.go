package wire

import "testing"

func TestMarksCountsWithReadsOfAnySize(t *testing.T) {
	var stream []byte
	const messages = 20
	for range messages {
		stream = AppendServerFrame(stream, Text, append(Marked(120), "~ \n"...))
		stream = AppendServerFrame(stream, Text, []byte("not one"))
	}
	for size := 1; size <= len(stream); size++ {
		var m Marks
		n := 0
		for p := stream; len(p) > 0; {
			k := min(size, len(p))
			n += m.Count(p[:k])
			p = p[k:]
		}
		if n != messages {
			t.Fatalf("reads of %d bytes: %d messages, want %d", size, n, messages)
		}
	}
	if got := len(Marked(100)); got != 100 {
		t.Errorf("Marked(100) has %d bytes", got)
	}
}
