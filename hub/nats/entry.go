package nats

import (
	"encoding/binary"
	"errors"
	"time"

	natsio "github.com/nats-io/nats.go"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/ws"
)

// packet is an entry as NATS carries it. Its fields come before the message's data, because
// headers cannot have all bytes.
type packet struct {
	flags  byte
	source string // stored: the epoch that the publisher knew; otherwise the publisher's epoch
	number uint64 // the offset; of a message that is not stored
	entry  hub.Entry
}

// Flags of a packet.
const (
	flagBirth    byte = 1 << iota // no message: the beginning of a topic
	flagNoChain                   // stored for its ID only; its topic has no history
	flagUnstored                  // carried by core NATS
)

// version is the first byte of a packet.
const version = 1

var errPacket = errors.New("a message under the prefix was not published by an engine, or by one of a later version")

func (p *packet) encode() []byte {
	e := &p.entry
	b := make([]byte, 0, 3+5*binary.MaxVarintLen16+len(p.source)+len(e.Key)+len(e.ID)+len(e.Except)+len(e.Message.Data)+binary.MaxVarintLen64)
	b = append(b, version, p.flags, byte(e.Message.Kind))
	for _, s := range []string{p.source, e.Key, e.ID, e.Except} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendUvarint(b, p.number)
	return append(b, e.Message.Data...)
}

// decode returns the packet in b, which must not be changed afterwards.
func decode(b []byte) (*packet, error) {
	if len(b) < 3 || b[0] != version {
		return nil, errPacket
	}
	p := &packet{flags: b[1]}
	p.entry.Message.Kind = ws.Kind(b[2])
	b = b[3:]
	for _, s := range []*string{&p.source, &p.entry.Key, &p.entry.ID, &p.entry.Except} {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, errPacket
		}
		*s = string(b[size : size+int(n)])
		b = b[size+int(n):]
	}
	var size int
	if p.number, size = binary.Uvarint(b); size <= 0 {
		return nil, errPacket
	}
	p.entry.Message.Data = b[size:]
	if p.flags&flagBirth == 0 && p.entry.Message.Check(0) != nil {
		return nil, errPacket
	}
	return p, nil
}

// stored is a message of the stream.
type stored struct {
	stream  string
	subject string
	seq     uint64
	last    uint64 // Nats-Last-Sequence
	pending uint64 // Nats-Num-Pending
	time    time.Time
	packet  *packet // nil if the data is none: the message is passed over
}

// parseStored returns the message of the stream that NATS has republished, or returned to a request.
func parseStored(m *natsio.Msg) (stored, error) {
	var s stored
	var err error
	s.stream, s.subject = m.Header.Get("Nats-Stream"), m.Header.Get("Nats-Subject")
	if s.seq, err = number(m.Header.Get("Nats-Sequence")); err != nil || s.seq == 0 {
		return s, errPacket
	}
	s.last, _ = number(m.Header.Get("Nats-Last-Sequence"))  // absent in some answers
	s.pending, _ = number(m.Header.Get("Nats-Num-Pending")) // likewise
	if s.time, err = time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp")); err != nil {
		return s, errPacket
	}
	return s, nil
}
