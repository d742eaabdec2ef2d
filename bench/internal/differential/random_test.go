package differential

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// stream returns frames, most of them right, some wrong in one place. The fuzzer's mutations seldom get
// a mask or compressed data right.
func stream(r role, random *rand.Rand) []byte {
	var wire []byte
	continued := false
	for range 1 + random.IntN(4) {
		op := []byte{1, 2, 1, 2, 8, 9, 10}[random.IntN(7)]
		if continued && op < 3 {
			op = 0
		}
		fin := byte(0x80)
		if op < 3 {
			if continued = random.IntN(3) == 0; continued {
				fin = 0
			}
		}
		payload := content(op, random)
		first := op | fin
		if r == inflating && (op == 1 || op == 2) && random.IntN(4) > 0 {
			first |= 0x40
			payload = deflated(payload, random)
		}
		switch random.IntN(12) { // wrong in many cases
		case 0:
			first ^= 1 << random.IntN(8)
		case 1:
			if len(payload) > 0 {
				payload = payload[:random.IntN(len(payload))]
			}
		case 2:
			if len(payload) > 0 {
				payload[random.IntN(len(payload))] ^= 1 << random.IntN(8)
			}
		case 3:
			payload = bytes.Repeat([]byte{'a'}, []int{125, 126, 127, 500, 600, 601, 700}[random.IntN(7)])
		}
		wire = append(wire, first)
		wire = append(wire, length(len(payload), r, random)...)
		if wire[len(wire)-1]&0x80 != 0 || r != client {
			k := [4]byte{}
			binary.LittleEndian.PutUint32(k[:], random.Uint32())
			wire = append(wire, k[:]...)
			for i := range payload {
				payload[i] ^= k[i%4]
			}
		}
		wire = append(wire, payload...)
	}
	if random.IntN(8) == 0 {
		wire = wire[:random.IntN(len(wire)+1)]
	}
	return wire
}

func content(op byte, random *rand.Rand) []byte {
	text := []string{"", "a", "Hello", "κόσμε", "\xf0\x9f\x98\x80", "\xc3", "\xed\xa0\x80", "\xff", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}[random.IntN(9)]
	if op != 8 || random.IntN(6) == 0 {
		return []byte(text)
	}
	code := []int{0, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 1016, 2999, 3000, 4999, 5000, 65535}[random.IntN(24)]
	return append([]byte{byte(code >> 8), byte(code)}, text...)
}

func deflated(payload []byte, random *rand.Rand) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, []int{1, 9, 0, -2}[random.IntN(4)])
	if err != nil {
		panic(err) // the levels are constants
	}
	w.Write(payload)
	if random.IntN(4) == 0 {
		w.Close() // a final block
		return b.Bytes()
	}
	w.Flush()
	return b.Bytes()[:b.Len()-4]
}

func length(n int, r role, random *rand.Rand) []byte {
	mask := byte(0)
	if (r != client) != (random.IntN(40) == 0) {
		mask = 0x80
	}
	form := 0
	if n > 125 {
		form = 1
	}
	if random.IntN(20) == 0 {
		form = random.IntN(3)
	}
	switch {
	case form == 0 && n < 126:
		return []byte{mask | byte(n)}
	case form == 2:
		if random.IntN(4) == 0 {
			return binary.BigEndian.AppendUint64([]byte{mask | 127}, random.Uint64()>>random.IntN(64))
		}
		return binary.BigEndian.AppendUint64([]byte{mask | 127}, uint64(n))
	}
	return binary.BigEndian.AppendUint16([]byte{mask | 126}, uint16(n))
}

// TestRandomStreams is FuzzReaders for streams whose frames are nearly right.
func TestRandomStreams(t *testing.T) {
	g := newGwsReader()
	random := rand.New(rand.NewPCG(1, 1))
	count, found := 5_000, 0
	if s := os.Getenv("RANDOM_STREAMS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("RANDOM_STREAMS is %q, not a number of streams", s)
		}
		count, random = n, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	for range count {
		r := role(random.IntN(int(roles)))
		wire := stream(r, random)
		ours := isosocketReads(r, wire)
		for peer, theirs := range readers(t, g, r, wire) {
			if why := compare(peer, r, wire, ours, theirs); why != "" {
				t.Errorf("role %d, bytes %x\n%s", r, wire, why)
				if found++; found == 20 {
					t.FailNow()
				}
			}
		}
	}
}
