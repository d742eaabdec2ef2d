package wire

import (
	"bytes"
	"net"
	"testing"
)

// stream returns a stream of messages of many sizes with control frames and fragments, and the
// number of messages.
func stream(masked bool) (b []byte, messages int) {
	for _, size := range []int{0, 1, 64, 125, 126, 127, 300, 65535, 65536, 70000} {
		if masked {
			b = AppendClientFrame(b, Binary, false, Payload(size))
		} else {
			b = AppendServerFrame(b, Binary, Payload(size))
		}
		messages++
	}
	if !masked {
		b = append(b, 0x89, 2, 'h', 'i')                // a ping
		b = append(b, Text, 1, 'a', 0x8a, 0, 0x80, 0)   // two fragments, with a pong between them
		b = append(b, Binary, 0, 0x00, 1, 'b', 0x80, 0) // three
		messages += 2
	}
	return b, messages
}

func TestScannerCountsWithReadsOfAnySize(t *testing.T) {
	for name, masked := range map[string]bool{"from a server": false, "from a client": true} {
		b, want := stream(masked)
		for _, step := range []int{1, 2, 3, 5, 7, 13, 4096, len(b)} {
			var s Scanner
			got := 0
			for rest := b; len(rest) > 0; {
				n := min(step, len(rest))
				messages, err := s.Scan(rest[:n])
				if err != nil {
					t.Fatalf("%s, %d bytes at a time: %v", name, step, err)
				}
				got += messages
				rest = rest[n:]
			}
			if got != want {
				t.Errorf("%s, %d bytes at a time: %d messages, want %d", name, step, got, want)
			}
		}
	}
}

func TestScannerRefusesInvalidFrames(t *testing.T) {
	for name, b := range map[string][]byte{
		"close frame":      {0x88, 2, 3, 0xe8},
		"reserved opcode":  {0x83, 0},
		"reserved control": {0x8b, 0},
	} {
		var s Scanner
		if _, err := s.Scan(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestClientFrameSize(t *testing.T) {
	for _, n := range []int{0, 125, 126, 65535, 65536} {
		if got, want := ClientFrameSize(n), len(AppendClientFrame(nil, Binary, false, make([]byte, n))); got != want {
			t.Errorf("ClientFrameSize(%d) = %d, want %d", n, got, want)
		}
	}
}

// unmasked returns a client's frame as a server's frame.
func unmasked(t *testing.T, frame []byte) []byte {
	t.Helper()
	var s Scanner
	copy(s.header[:], frame)
	n := s.headerSize()
	key := frame[n-4 : n]
	payload := bytes.Clone(frame[n:])
	for i := range payload {
		payload[i] ^= key[i&3]
	}
	out := AppendServerFrame(nil, frame[0]&0x0f, payload)
	out[0] = frame[0]
	return out
}

func TestScriptsContainTheirDocuments(t *testing.T) {
	for _, c := range []Compression{None, Isolated} {
		s, err := JSON(c)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range s.Documents {
			for _, frame := range [][]byte{s.First[i], s.Again[i]} {
				got, ok, err := Message(unmasked(t, frame))
				if err != nil || !ok || !bytes.Equal(got, want) {
					t.Fatalf("%q: document %d is decoded as %d bytes, %v, %v; want %d", c, i, len(got), ok, err, len(want))
				}
			}
		}
	}
}

// TestMessageSkipsPings covers a server that pings before it answers.
func TestMessageSkipsPings(t *testing.T) {
	stream := []byte("\x89\x02hi\x8a\x00\x81\x05Hello")
	for n := range stream {
		if _, ok, err := Message(stream[:n]); ok || err != nil {
			t.Fatalf("of %d bytes: %v, %v", n, ok, err)
		}
	}
	if got, ok, err := Message(stream); err != nil || !ok || string(got) != "Hello" {
		t.Errorf("%q, %v, %v", got, ok, err)
	}
}

func TestHandshake(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			defer conn.Close()
			err = Accept(conn)
		}
		accepted <- err
	}()
	conn, agreed, rest, err := Dial(l.Addr().String(), "permessage-deflate")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if agreed != "" || len(rest) > 0 {
		t.Errorf("agreed on %q followed by %d bytes, want neither", agreed, len(rest))
	}
	if err := <-accepted; err != nil {
		t.Error(err)
	}
}
