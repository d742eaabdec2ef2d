package isosocket

import (
	"strconv"

	"github.com/hack-pad/safejs"

	"github.com/isosocket/isosocket/internal/jsontext"
	"github.com/isosocket/isosocket/ws"
)

const (
	// heapMessage is the largest message that is gathered with others, and
	// heapBytes how many bytes of them are.
	heapMessage = 4 << 10
	heapBytes   = 32 << 10
)

// heap is a number of small messages of one kind that cross into JavaScript
// together: text as one JSON array, binary as one array of bytes that is cut
// there.
type heap struct {
	parse safejs.Value // JSON.parse

	kind ws.Kind
	data []byte // of text the JSON array without its end
	ends []int  // where each binary message ends
}

func (h *heap) empty() bool { return len(h.data) == 0 && len(h.ends) == 0 }

// fits reports whether m may be added.
func (h *heap) fits(m ws.Message) bool {
	return h.empty() || h.kind == m.Kind && len(h.data)+len(m.Data) <= heapBytes
}

func (h *heap) add(m ws.Message) {
	h.kind = m.Kind
	if m.Kind == ws.KindBinary {
		h.data = append(h.data, m.Data...)
		h.ends = append(h.ends, len(h.data))
		return
	}
	separator := byte(',')
	if len(h.data) == 0 {
		separator = '['
	}
	h.data = append(h.data, separator, '"')
	h.data = append(jsontext.AppendEscaped(h.data, m.Data), '"')
}

func (h *heap) clear() { h.data, h.ends = h.data[:0], h.ends[:0] }

// send calls send for every message.
func (h *heap) send(send safejs.Value, array *scratch) error {
	if h.kind == ws.KindText {
		texts, err := h.parse.Invoke(string(append(h.data, ']')))
		if err != nil {
			return err
		}
		_, err = texts.Call("forEach", send)
		return err
	}
	if err := array.grow(len(h.data)); err != nil {
		return err
	}
	if _, err := safejs.CopyBytesToJS(array.array, h.data); err != nil {
		return err
	}
	var js builtins
	if array.cut.IsUndefined() {
		array.cut = js.call(js.get("Reflect", "apply"), "bind", nil, js.property(array.array, "subarray"), array.array)
	}
	views := js.call(js.invoke(h.parse, h.ranges()), "map", array.cut)
	js.call(views, "forEach", send)
	return js.err
}

// ranges returns the list of each message's begin and end.
func (h *heap) ranges() string {
	text := make([]byte, 0, 16*len(h.ends))
	begin := 0
	for i, end := range h.ends {
		separator := byte(',')
		if i == 0 {
			separator = '['
		}
		text = append(text, separator, '[')
		text = strconv.AppendInt(text, int64(begin), 10)
		text = append(text, ',')
		text = append(strconv.AppendInt(text, int64(end), 10), ']')
		begin = end
	}
	return string(append(text, ']'))
}
