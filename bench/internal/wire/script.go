package wire

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
)

// Script is an endless sequence of prebuilt client messages.
type Script struct {
	// Documents are the payloads of the messages, in turn.
	Documents [][]byte

	// First and Again are the frames of the first round through Documents and of every later
	// one. They differ with context takeover.
	First, Again [][]byte
}

// Frame returns the frame of message i, which counts from 0.
func (s *Script) Frame(i int) []byte {
	if i < len(s.First) {
		return s.First[i]
	}
	return s.Again[i%len(s.Again)]
}

// Compression says how a script's messages are compressed.
type Compression string

// The ways to compress.
const (
	None     Compression = ""
	Isolated Compression = "isolated" // each message by itself
	Takeover Compression = "takeover" // with the context of the previous ones
)

// Offer returns the value of Sec-WebSocket-Extensions that offers c.
func (c Compression) Offer() string {
	switch c {
	case Isolated:
		return "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	case Takeover:
		return "permessage-deflate"
	}
	return ""
}

// Repeat returns a script of one binary message of size bytes.
func Repeat(size int) *Script {
	payload := Payload(size)
	frames := [][]byte{AppendClientFrame(nil, Binary, false, payload)}
	return &Script{Documents: [][]byte{payload}, First: frames, Again: frames}
}

// Payload returns size bytes, always the same, that deflate cannot compress.
func Payload(size int) []byte {
	payload := make([]byte, size)
	r := rand.New(rand.NewPCG(6455, uint64(size)))
	for i := range payload {
		payload[i] = byte(r.Uint32())
	}
	return payload
}

// documents fill a window of 32 KiB twice. The window then has the same contents in the second
// and in every later round.
const documents = 64

// JSON returns a script of text messages of about 1 KiB of JSON each.
func JSON(c Compression) (*Script, error) {
	s := new(Script)
	for i := range documents {
		s.Documents = append(s.Documents, document(i))
	}
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.DefaultCompression)
	if err != nil {
		return nil, err
	}
	round := func() ([][]byte, error) {
		var frames [][]byte
		for _, d := range s.Documents {
			if c == None {
				frames = append(frames, AppendClientFrame(nil, Text, false, d))
				continue
			}
			out.Reset()
			if c == Isolated {
				w.Reset(&out)
			}
			if _, err := w.Write(d); err != nil {
				return nil, err
			}
			if err := w.Flush(); err != nil {
				return nil, err
			}
			deflated := bytes.TrimSuffix(out.Bytes(), []byte{0, 0, 0xff, 0xff})
			frames = append(frames, AppendClientFrame(nil, Text, true, deflated))
		}
		return frames, nil
	}
	if s.First, err = round(); err == nil {
		s.Again, err = round()
	}
	return s, err
}

// Document returns one JSON document of about size bytes.
func Document(size int) []byte {
	d := document(0)
	for len(d) < size {
		d = append(d, d...)
	}
	return d[:size]
}

func document(i int) []byte {
	r := rand.New(rand.NewPCG(7692, uint64(i)))
	words := []string{"open", "filled", "cancelled", "pending", "north", "south", "harbour", "station", "lantern", "meadow"}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"id":%d,"type":"snapshot","at":"2026-01-02T03:04:%02d.%03dZ","items":[`, 100000+i, i%60, r.IntN(1000))
	for n := 0; b.Len() < 960; n++ {
		if n > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"key":"%s-%d","status":"%s","price":%d.%02d,"quantity":%d}`,
			words[r.IntN(len(words))], r.IntN(1000), words[r.IntN(4)], r.IntN(500), r.IntN(100), r.IntN(10000))
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// Message returns the first message of stream, inflated if it is compressed. The message must
// not be fragmented. Message skips pings and pongs before it. ok is false until the whole
// message has arrived.
func Message(stream []byte) (data []byte, ok bool, err error) {
	var s Scanner
	if len(stream) < 2 {
		return nil, false, nil
	}
	copy(s.header[:], stream)
	n := s.headerSize()
	if len(stream) < n {
		return nil, false, nil
	}
	first := s.header[0]
	if err := s.begin(); err != nil {
		return nil, false, err
	}
	control := first&0x08 != 0
	if !s.fin && !control {
		return nil, false, fmt.Errorf("wire: the first message is fragmented")
	}
	if uint64(len(stream)-n) < s.left {
		return nil, false, nil
	}
	if control {
		return Message(stream[n+int(s.left):])
	}
	data = stream[n : n+int(s.left)]
	if first&rsv1Bit != 0 {
		r := flate.NewReader(io.MultiReader(bytes.NewReader(data), bytes.NewReader([]byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff})))
		if data, err = io.ReadAll(r); err != nil {
			return nil, false, fmt.Errorf("wire: inflate: %w", err)
		}
	}
	return data, true, nil
}
