package rfc6455

// Form is all that the frame of a message depends on, where it does not depend
// on its connection: connections with the same Form can share one frame. It is comparable.
type Form struct {
	compressed  bool
	level, bits int8
}

// Form returns how a message of n bytes goes out on its own, and false for a
// client, which masks every frame with another key.
func (e *Encoder) Form(n int) (Form, bool) {
	if e.keys != nil {
		return Form{}, false
	}
	if !e.Compresses(n) {
		return Form{}, true
	}
	return Form{compressed: true, level: int8(e.deflate.level), bits: int8(e.deflate.bits)}, true
}

// Compressed reports whether the frame may be compressed.
func (f Form) Compressed() bool { return f.compressed }

// Append appends a message, OpText or OpBinary, as one frame of a server's to
// dst and returns the longer slice. A frame that is compressed refers to nothing before
// it; after sending it, call [Encoder.ResetContext].
func (f Form) Append(dst []byte, op Opcode, payload []byte) []byte {
	var e Encoder
	if f.compressed {
		e.deflate = &deflateState{level: int(f.level), bits: int(f.bits)}
		if longer, ok := e.appendCompressed(dst, op, payload); ok {
			return longer
		}
	}
	return e.appendFrame(dst, op, payload)
}
