package wire

import "bytes"

// mark occurs once in a message of [Marked], and never in the header of a frame of less than
// 32,382 bytes, or in what a library puts around a message.
const mark = "~~"

// Marked returns a JSON document of size bytes, at least 11, that [Marks] counts.
func Marked(size int) []byte {
	const before, after = `{"m":"` + mark, `"}`
	return append(append([]byte(before), bytes.Repeat([]byte("x"), max(size-len(before)-len(after), 1))...), after...)
}

// Marks counts messages of [Marked] in a stream, also where a library puts several into one
// frame. Its zero value is ready for use.
type Marks struct{ half bool }

// Count reads the next bytes of the stream and returns how many messages begin in them.
func (m *Marks) Count(p []byte) (messages int) {
	if m.half && len(p) > 0 && p[0] == mark[1] {
		messages, p = 1, p[1:]
	}
	if len(p) > 0 {
		m.half = false
	}
	for {
		i := bytes.Index(p, []byte(mark))
		if i < 0 {
			break
		}
		messages, p = messages+1, p[i+len(mark):]
	}
	if len(p) > 0 {
		m.half = p[len(p)-1] == mark[0]
	}
	return messages
}
