package rfc6455

import "encoding/binary"

// Fragments appends the frames of one message that is not at hand as a whole (RFC 6455, section
// 5.4). [Encoder.Fragments] makes one. No other message may be appended before its last frame;
// control frames may. It is for one goroutine at a time.
type Fragments struct {
	e       *Encoder
	op      Opcode    // of the next frame
	f       *deflater // nil: the message is not compressed
	scratch []byte    // compressed payload, before its header is known
}

// Fragments begins a message, OpText or OpBinary. It is compressed if the handshake agreed on that.
func (e *Encoder) Fragments(op Opcode) *Fragments {
	m := &Fragments{e: e, op: op}
	if s := e.deflate; s != nil {
		if m.f, s.context = s.context, nil; m.f == nil {
			m.f = takeDeflater(s.level, s.bits, &s.window)
		}
	}
	return m
}

// Compresses reports whether the message is compressed.
func (m *Fragments) Compresses() bool { return m.f != nil }

// Append appends payload to dst as the next frame of the message, the last one if fin, and returns
// the longer slice. The payload is not changed and not kept. What the compressor holds back comes
// with a later frame; there may be no frame now.
func (m *Fragments) Append(dst, payload []byte, fin bool) []byte {
	if m.f == nil {
		return m.frame(dst, false, payload, fin)
	}
	m.scratch = m.f.part(m.scratch[:0], payload, fin)
	s := m.e.deflate
	if s.takeover {
		s.window.add(payload)
	}
	if fin {
		m.finish()
	}
	if len(m.scratch) == 0 && !fin {
		return dst
	}
	return m.frame(dst, true, m.scratch, fin)
}

// AppendHeader appends the header of the next frame, whose payload of n bytes follows as it is: for
// a server's message that is not compressed.
func (m *Fragments) AppendHeader(dst []byte, n int, fin bool) []byte {
	dst = AppendHeader(dst, fin, false, m.op, n, nil)
	m.op = OpContinuation
	return dst
}

func (m *Fragments) frame(dst []byte, compressed bool, payload []byte, fin bool) []byte {
	first := compressed && m.op != OpContinuation
	if m.e.keys == nil {
		dst = AppendHeader(dst, fin, first, m.op, len(payload), nil)
		dst = append(dst, payload...)
	} else {
		key := m.e.key()
		dst = AppendHeader(dst, fin, first, m.op, len(payload), &key)
		end := len(dst)
		dst = append(dst, payload...)
		Mask(binary.LittleEndian.Uint32(key[:]), dst[end:])
	}
	m.op = OpContinuation
	return dst
}

// finish gives the compressor back after the message.
func (m *Fragments) finish() {
	if s := m.e.deflate; s.takeover {
		s.context = m.f
	} else {
		m.f.release()
	}
	m.f = nil
}

// Abandon gives the compressor back where no more of the message will follow, and nothing on the
// connection. The Fragments must not be used after it.
func (m *Fragments) Abandon() {
	if m.f != nil {
		m.f.release()
		m.f = nil
	}
}

// part appends what the compressor makes of payload to dst, and with fin all that it holds, without
// the four bytes that end a flush (RFC 7692, section 7.2.1).
func (f *deflater) part(dst, payload []byte, fin bool) []byte {
	f.out = dst
	f.writer.Write(payload) // never fails, as below it Write does not
	if fin {
		f.writer.Flush()
		f.out = f.out[:len(f.out)-4]
	}
	dst, f.out = f.out, nil
	return dst
}
