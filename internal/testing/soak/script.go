//go:build !js

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strconv"
	"sync"

	"github.com/isosocket/isosocket/ws"
)

// headerSize is the size of the header that messages of this size and more begin with: the number
// in 16 hexadecimal digits, and in 8 the checksum of client, number and the rest.
const headerSize = 24

// script is the sequence of messages of one client. Sender and receiver know it, so that every
// byte of a message can be checked, also of messages that are too small for a header.
type script struct {
	client uint64
	// least and most limit the size of its messages. 0 means 1 and 1 MiB.
	least, most int
}

// faultyScript returns that of a client behind proxies, all of whose messages have a number, and
// pushScript that of what the server sends to a slow reader.
func faultyScript(client uint64) script {
	return script{client: client, least: headerSize, most: 64 << 10}
}

func pushScript(client uint64) script { return script{client: client, most: pushMost} }

// bodies has the bytes of which messages consist: text that compresses, and random bytes.
var bodies = sync.OnceValue(func() (b struct{ text, random []byte }) {
	r := rand.NewChaCha8([32]byte{})
	b.random = make([]byte, 1<<20+1<<16)
	r.Read(b.random)
	words := []string{"connection", "message", "close", "handshake", "frame", "ping", "pong", "42", "true", "null", "{", "}", ":", ","}
	choose := rand.New(r)
	for len(b.text) < len(b.random) {
		b.text = append(b.text, words[choose.IntN(len(words))]...)
		b.text = append(b.text, ' ')
	}
	return b
})

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// mix returns a number that seems random, the same for the same arguments.
func mix(a, b uint64) uint64 {
	z := a*0x9e3779b97f4a7c15 + b*0xd1b54a32d192ed03 + 0x632be59bd9b4e019
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// size returns the size of message n: 7 of 10 have at most 128 bytes, one of 4,000 up to 1 MiB.
func (s script) size(n uint64) int {
	z := mix(s.client, n)
	class, where := z%4000, int(z>>33)
	size := 1
	switch {
	case class < 2800:
		size += where % 128
	case class < 3950:
		size += where % (4 << 10)
	case class < 3999:
		size += where % (32 << 10)
	case where%2 == 0:
		size = 1 << 20
	default:
		size += where % (1 << 20)
	}
	if s.most > 0 {
		size = min(size, s.most)
	}
	return max(size, s.least)
}

// kind returns the kind of message n.
func (s script) kind(n uint64) ws.Kind {
	if mix(s.client, n)>>16&1 == 0 {
		return ws.KindText
	}
	return ws.KindBinary
}

// body returns the bytes of message n after its header. They must not be changed.
func (s script) body(n uint64) []byte {
	size := s.size(n)
	if size >= headerSize {
		size -= headerSize
	}
	from := bodies().text
	if s.kind(n) == ws.KindBinary {
		from = bodies().random
	}
	start := int(mix(n, s.client) % (1 << 16))
	return from[start : start+size]
}

// header returns the header of a message with that body.
func (s script) header(n uint64, body []byte) []byte {
	var key [16]byte
	binary.BigEndian.PutUint64(key[:8], s.client)
	binary.BigEndian.PutUint64(key[8:], n)
	sum := crc32.Update(crc32.Checksum(key[:], castagnoli), castagnoli, body)
	return fmt.Appendf(make([]byte, 0, headerSize), "%016x%08x", n, sum)
}

// message returns message n. Its data is in buf, if that is large enough.
func (s script) message(buf []byte, n uint64) ws.Message {
	body := s.body(n)
	buf = buf[:0]
	if s.size(n) >= headerSize {
		buf = append(buf, s.header(n, body)...)
	}
	return ws.Message{Kind: s.kind(n), Data: append(buf, body...)}
}

// is reports whether m is message n.
func (s script) is(m ws.Message, n uint64) bool {
	if len(m.Data) != s.size(n) || m.Kind != s.kind(n) {
		return false
	}
	body := s.body(n)
	data := m.Data
	if len(data) >= headerSize {
		if !bytes.Equal(data[:headerSize], s.header(n, body)) {
			return false
		}
		data = data[headerSize:]
	}
	return bytes.Equal(data, body)
}

// number returns the number of a message with a header, or an error if it is not the message of
// that number.
func (s script) number(m ws.Message) (uint64, error) {
	if len(m.Data) < headerSize {
		return 0, fmt.Errorf("%d bytes are no numbered message", len(m.Data))
	}
	n, err := strconv.ParseUint(string(m.Data[:16]), 16, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number of a message", m.Data[:16])
	}
	if !s.is(m, n) {
		return 0, fmt.Errorf("the message with the number %d, of %d bytes, was changed or belongs to another client", n, len(m.Data))
	}
	return n, nil
}

// sequence checks messages that must arrive once, in order and without a gap.
type sequence struct {
	script
	next uint64 // the number that must arrive next
}

// arrived checks the next message.
func (s *sequence) arrived(m ws.Message) error {
	if s.is(m, s.next) {
		s.next++
		return nil
	}
	// A small message has no number, so its neighbours are compared.
	const near = 64
	for d := uint64(1); d <= near; d++ {
		if d <= s.next && s.is(m, s.next-d) {
			return fmt.Errorf("message %d arrived in place of %d: it was doubled or reordered", s.next-d, s.next)
		}
		if s.is(m, s.next+d) {
			return fmt.Errorf("message %d arrived in place of %d, which was lost or reordered", s.next+d, s.next)
		}
	}
	if n, err := s.number(m); err == nil {
		return fmt.Errorf("message %d arrived in place of %d: messages were lost, doubled or reordered", n, s.next)
	} else if len(m.Data) >= headerSize {
		return fmt.Errorf("in place of message %d: %w", s.next, err)
	}
	return fmt.Errorf("%d bytes arrived in place of message %d, of %d bytes: it was changed", len(m.Data), s.next, s.size(s.next))
}
