//go:build js

package browsersocket

import (
	"strconv"

	"github.com/isosocket/isosocket/internal/jscall"
	"github.com/isosocket/isosocket/internal/jsontext"
)

// gatherLeast is from how many messages on it pays to copy them at once.
const gatherLeast = 3

// binaries fetches the data of a batch's binary messages: of a large one
// straight to where it is wanted, of small ones many at a time.
type binaries struct {
	taken   jscall.Value // the batch's MessageEvents, up from first
	first   int
	scratch jscall.Value

	// What follows is made when it is needed first.
	view    expression   // new Uint8Array(taken.shift().data)
	offsets jscall.Value // adds the elements of a list to the offsets
	gather  expression   // scratch.set(view(), offsets.shift())
	parse   jscall.Value

	gathered []byte // the data of the messages before end that were not read
	memory   []byte // where gathered lies
	end      int
}

// init makes view.
func (b *binaries) init() error {
	var js builtins
	shift := js.expression(js.property(b.taken, "shift"), b.taken)
	data := js.expression(js.get("Reflect", "get"), nil, shift, "data")
	b.view = js.expression(js.get("Reflect", "construct"), nil, js.get("Uint8Array"), js.list(data))
	return js.err
}

func (b *binaries) initGather() error {
	var js builtins
	b.memory = make([]byte, inboundScratch)
	offsets := js.list()
	b.offsets = js.call(js.get("Reflect", "apply"), "bind", nil, js.property(offsets, "push"), offsets)
	b.gather = js.expression(js.property(b.scratch, "set"), b.scratch,
		b.view, js.expression(js.property(offsets, "shift"), offsets))
	b.parse = js.get("JSON", "parse")
	return js.err
}

// reset is called for a new batch.
func (b *binaries) reset() { b.first, b.end = 0, 0 }

// read returns the data of batch[i], in buf[:0] if buf is not nil. It is called
// for the binary messages of a batch in order.
func (b *binaries) read(batch []jsontext.Event, i int, buf []byte) ([]byte, error) {
	size := batch[i].Size
	if b.view.IsUndefined() {
		if err := b.init(); err != nil {
			return nil, err
		}
	}
	if i >= b.end {
		if err := b.skip(i); err != nil {
			return nil, err
		}
		total, end := 0, i
		for end < len(batch) && batch[end].Binary && total+batch[end].Size <= inboundScratch {
			total += batch[end].Size
			end++
		}
		if end-i < gatherLeast {
			b.first++
			return b.readOne(size, buf)
		}
		b.first, b.end = end, end
		if err := b.readMany(batch[i:end], total); err != nil {
			return nil, err
		}
	}
	if buf == nil {
		buf = make([]byte, 0, size)
	}
	buf = append(buf[:0], b.gathered[:size]...)
	b.gathered = b.gathered[size:]
	return buf, nil
}

// skip drops the messages in front of i, which are text.
func (b *binaries) skip(i int) error {
	if b.first == i {
		return nil
	}
	_, err := b.taken.Call("splice", 0, i-b.first)
	b.first = i
	return err
}

func (b *binaries) readOne(size int, buf []byte) ([]byte, error) {
	view, err := b.view.Invoke()
	if err != nil {
		return nil, err
	}
	return copyBytes(buf, view, size)
}

// copyBytes copies the size bytes of view to buf[:0], which grows if it must.
func copyBytes(buf []byte, view jscall.Value, size int) ([]byte, error) {
	if buf == nil || cap(buf) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	_, err := jscall.CopyBytesToGo(buf, view)
	return buf, err
}

// readMany lets JavaScript lay the messages one behind the other, and copies
// the whole.
func (b *binaries) readMany(messages []jsontext.Event, total int) error {
	if b.memory == nil {
		if err := b.initGather(); err != nil {
			return err
		}
	}
	text := make([]byte, 0, 8*len(messages))
	text = append(text, '[')
	offset := 0
	for i, m := range messages {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(offset), 10)
		offset += m.Size
	}
	list, err := b.parse.Invoke(string(append(text, ']')))
	if err != nil {
		return err
	}
	if _, err := b.offsets.Invoke(list); err != nil {
		return err
	}
	if _, err := list.Call("forEach", b.gather.Value); err != nil {
		return err
	}
	b.gathered = b.memory[:total]
	_, err = jscall.CopyBytesToGo(b.gathered, b.scratch)
	return err
}
