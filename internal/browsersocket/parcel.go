//go:build js

package browsersocket

import (
	"strconv"

	"github.com/isosocket/isosocket/internal/jscall"
	"github.com/isosocket/isosocket/internal/jsontext"
	"github.com/isosocket/isosocket/ws"
)

const (
	// parcelMessage is the largest message that is gathered with others, and
	// parcelBytes how many bytes of them are.
	parcelMessage = 4 << 10
	parcelBytes   = 32 << 10
)

// parcel is a number of small messages of one kind that cross into JavaScript
// together: text as one JSON array, binary as one array of bytes that is cut
// there.
type parcel struct {
	parse jscall.Value // JSON.parse

	kind ws.Kind
	data []byte // of text the JSON array without its end
	ends []int  // where each binary message ends
}

func (p *parcel) empty() bool { return len(p.data) == 0 && len(p.ends) == 0 }

// fits reports whether m may be added.
func (p *parcel) fits(m ws.Message) bool {
	return p.empty() || p.kind == m.Kind && len(p.data)+len(m.Data) <= parcelBytes
}

func (p *parcel) add(m ws.Message) {
	p.kind = m.Kind
	if m.Kind == ws.KindBinary {
		p.data = append(p.data, m.Data...)
		p.ends = append(p.ends, len(p.data))
		return
	}
	separator := byte(',')
	if len(p.data) == 0 {
		separator = '['
	}
	p.data = append(p.data, separator, '"')
	p.data = append(jsontext.AppendEscaped(p.data, m.Data), '"')
}

func (p *parcel) clear() { p.data, p.ends = p.data[:0], p.ends[:0] }

// send calls send for every message.
func (p *parcel) send(send jscall.Value, array *scratch) error {
	if p.kind == ws.KindText {
		texts, err := p.parse.Invoke(string(append(p.data, ']')))
		if err != nil {
			return err
		}
		_, err = texts.Call("forEach", send)
		return err
	}
	if err := array.grow(len(p.data)); err != nil {
		return err
	}
	if _, err := jscall.CopyBytesToJS(array.array, p.data); err != nil {
		return err
	}
	var js builtins
	if array.cut.IsUndefined() {
		array.cut = js.call(js.get("Reflect", "apply"), "bind", nil, js.property(array.array, "subarray"), array.array)
	}
	views := js.call(js.invoke(p.parse, p.ranges()), "map", array.cut)
	js.call(views, "forEach", send)
	return js.err
}

// ranges returns the list of each message's begin and end.
func (p *parcel) ranges() string {
	text := make([]byte, 0, 16*len(p.ends))
	begin := 0
	for i, end := range p.ends {
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
