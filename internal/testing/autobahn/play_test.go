//go:build !js

package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha1"
	"encoding/base64"
	encoding "encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/internal/testing/h2client"
	"github.com/isosocket/isosocket/internal/testing/leak"
	_ "github.com/isosocket/isosocket/server/http2"
)

func TestMain(m *testing.M) { leak.Main(m) }

// pause is how long the peer waits where the suite waits a second.
const pause = 10 * time.Millisecond

// fuzzer is the peer of the testee. It shares no code with the codec.
type fuzzer struct {
	conn  net.Conn
	in    *bufio.Reader
	masks bool // it is the client

	deflated   bool
	takeover   bool // of what the testee sends
	small      bool // what the fuzzer sends may refer to little or nothing
	dictionary []byte
}

func (z *fuzzer) header(first byte, n int) []byte {
	mask := byte(0)
	if z.masks {
		mask = 0x80
	}
	h := []byte{first}
	switch {
	case n < 126:
		h = append(h, mask|byte(n))
	case n < 65536:
		h = binary16(append(h, mask|126), n)
	default:
		h = encoding.BigEndian.AppendUint64(append(h, mask|127), uint64(n))
	}
	if z.masks {
		h = append(h, 1, 2, 3, 4)
	}
	return h
}

func binary16(b []byte, n int) []byte { return encoding.BigEndian.AppendUint16(b, uint16(n)) }

func (z *fuzzer) frame(first byte, payload []byte) []byte {
	b := append(z.header(first, len(payload)), payload...)
	if z.masks {
		for i := range payload {
			b[len(b)-len(payload)+i] ^= byte(i%4 + 1)
		}
	}
	return b
}

// write writes b in pieces of chop bytes.
func (z *fuzzer) write(b []byte, chop int) error {
	if chop == 0 {
		chop = len(b)
	}
	for len(b) > 0 {
		n := min(chop, len(b))
		if _, err := z.conn.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// read returns a frame of the testee, whose form it checks.
func (z *fuzzer) read() (first byte, payload []byte, err error) {
	var h [2]byte
	if _, err := io.ReadFull(z.in, h[:]); err != nil {
		return 0, nil, err
	}
	if masked := h[1]&0x80 != 0; masked == z.masks {
		return 0, nil, fmt.Errorf("a frame of the testee is masked: %t", masked)
	}
	n := uint64(h[1] & 0x7F)
	long := make([]byte, map[uint64]int{126: 2, 127: 8}[n])
	if _, err := io.ReadFull(z.in, long); err != nil {
		return 0, nil, err
	}
	switch n {
	case 126:
		n = uint64(encoding.BigEndian.Uint16(long))
	case 127:
		n = encoding.BigEndian.Uint64(long)
	}
	key := make([]byte, 4)
	if !z.masks {
		if _, err := io.ReadFull(z.in, key); err != nil {
			return 0, nil, err
		}
	}
	if n > maxMessage {
		return 0, nil, fmt.Errorf("a frame of %d bytes", n)
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(z.in, payload)
	if !z.masks {
		for i := range payload {
			payload[i] ^= key[i%4]
		}
	}
	return h[0], payload, err
}

// next returns the next message, pong or close as an event: its kind, a space, and its payload, or the
// code of a close frame.
func (z *fuzzer) next() (string, error) {
	var message []byte
	var kind string
	compressed := false
	for {
		first, payload, err := z.read()
		if err != nil {
			return "", err
		}
		switch op := first & 0x0F; op {
		case closing:
			if len(payload) == 0 {
				return "close 1005", nil
			}
			return fmt.Sprintf("close %d", encoding.BigEndian.Uint16(payload)), nil
		case ping:
			return is("ping", string(payload)), nil
		case pong:
			return is("pong", string(payload)), nil
		case text, 2:
			kind, compressed = []string{1: "text", 2: "binary"}[op], first&0x40 != 0
		}
		if message = append(message, payload...); first&fin == 0 {
			continue
		}
		if compressed {
			if !z.deflated {
				return "", errors.New("RSV1 without compression")
			}
			if message, err = z.inflate(message); err != nil {
				return "", err
			}
		}
		return is(kind, string(message)), nil
	}
}

func (z *fuzzer) inflate(b []byte) ([]byte, error) {
	r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(b), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")), z.dictionary)
	out, err := io.ReadAll(r)
	if z.takeover {
		z.dictionary = append(z.dictionary, out...)
		z.dictionary = z.dictionary[max(0, len(z.dictionary)-32<<10):]
	}
	return out, err
}

// play plays c, and returns what was wrong.
func (z *fuzzer) play(c testCase) error {
	if err := z.conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return err
	}
	if c.messages != nil {
		if err := z.exchange(c.messages, c.chop); err != nil {
			return err
		}
		return z.finish(testCase{})
	}
	sent := make(chan error, 1)
	go func() { sent <- z.send(c) }()
	for _, want := range c.want {
		got, err := z.next()
		if err != nil || got != want {
			return fmt.Errorf("%.80q, %v came, want %.80q", got, err, want)
		}
	}
	// A testee that fails need not read the rest.
	if err := <-sent; err != nil && len(c.codes) == 0 {
		return err
	}
	return z.finish(c)
}

func (z *fuzzer) send(c testCase) error {
	var all []byte
	flush := func() error {
		err := z.write(all, c.chop)
		all = nil
		return err
	}
	for _, x := range c.send {
		if x.pause {
			if err := flush(); err != nil {
				return err
			}
			time.Sleep(pause)
		}
		b := z.frame(x.first, x.payload)
		if x.split > 0 { // the testee fails before the rest
			b = b[:len(b)-len(x.payload)+x.split]
		}
		all = append(all, b...)
	}
	return flush()
}

// finish ends the connection as c says.
func (z *fuzzer) finish(c testCase) error {
	if len(c.codes) == 0 {
		if err := z.write(z.frame(fin|closing, []byte{1000 >> 8, 1000 & 0xFF}), 0); err != nil {
			return err
		}
		c.codes = []int{1000}
	}
	for {
		got, err := z.next()
		if err != nil && c.alone && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
			return nil
		}
		if err == nil && c.open && !strings.HasPrefix(got, "close") {
			continue
		}
		if err != nil || !slices.ContainsFunc(c.codes, func(code int) bool { return got == fmt.Sprintf("close %d", code) }) {
			return fmt.Errorf("%.80q, %v came, want a close frame with one of %v", got, err, c.codes)
		}
		break
	}
	if c.alone { // it has failed, and may wait for the answer
		z.write(z.frame(fin|closing, nil), 0)
	}
	if z.masks { // the server closes the connection (RFC 6455, section 7.1.1)
		if n, err := io.Copy(io.Discard, z.in); n > 0 || err != nil && !isReset(err) {
			return fmt.Errorf("%d bytes after the close frame, %v", n, err)
		}
	}
	return nil
}

func isReset(err error) bool {
	return strings.Contains(err.Error(), "connection reset") || strings.Contains(err.Error(), "forcibly closed")
}

// exchange sends messages, each when the one before has come back.
func (z *fuzzer) exchange(x *exchange, chop int) error {
	op, kind := byte(text), "text"
	if x.binary {
		op, kind = 2, "binary"
	}
	var deflated bytes.Buffer
	level := flate.BestSpeed
	if z.small {
		level = flate.NoCompression // stored blocks, which refer to nothing before them
	}
	w, err := flate.NewWriter(&deflated, level)
	if err != nil {
		return err
	}
	at := 0
	for i := range x.count {
		var message []byte
		for len(message) < x.size {
			n := min(x.size-len(message), len(x.data)-at)
			message = append(message, x.data[at:at+n]...)
			at = (at + n) % len(x.data)
		}
		if !x.binary && x.offer != "" {
			message = bytes.ToValidUTF8(message, []byte("?"))
		}
		payload, first := message, op
		if z.deflated {
			deflated.Reset()
			w.Write(message)
			w.Flush()
			payload, first = bytes.Clone(deflated.Bytes()[:deflated.Len()-4]), op|0x40
			if z.small {
				w.Reset(&deflated)
			}
		}
		size := x.fragment
		if size == 0 {
			size = max(len(payload), 1)
		}
		var wire []byte
		for _, part := range fragments(first, string(payload), size) {
			wire = append(wire, z.frame(part.first, part.payload)...)
		}
		sent := make(chan error, 1)
		go func() { sent <- z.write(wire, chop) }()
		got, err := z.next()
		if err == nil {
			err = <-sent
		}
		if err != nil || got != is(kind, string(message)) {
			return fmt.Errorf("message %d of %d bytes: %.80q, %v came, want %.80q", i, len(message), got, err, message)
		}
	}
	return nil
}

// negotiated sets what the extensions of the handshake's answer allow.
func (z *fuzzer) negotiated(answer string) {
	z.deflated = strings.HasPrefix(answer, "permessage-deflate")
	own, other := "server", "client"
	if z.masks {
		own, other = other, own
	}
	z.takeover = !strings.Contains(answer, other+"_no_context_takeover")
	z.small = strings.Contains(answer, own+"_no_context_takeover") || strings.Contains(answer, own+"_max_window_bits")
}

func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// opening opens a connection of a client to the server under test, with an offer of extensions, which may
// be "", and returns the extensions of the answer.
type opening func(offer string) (conn net.Conn, in *bufio.Reader, extensions string, err error)

// overTCP opens connections by the handshake of HTTP/1.1.
func overTCP(address string) opening {
	return func(offer string) (net.Conn, *bufio.Reader, string, error) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return nil, nil, "", err
		}
		const key = "dGhlIHNhbXBsZSBub25jZQ=="
		request := "GET / HTTP/1.1\r\nHost: " + address + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + key + "\r\nSec-WebSocket-Version: 13\r\n"
		if offer != "" {
			request += "Sec-WebSocket-Extensions: " + offer + "\r\n"
		}
		in := bufio.NewReader(conn)
		var response *http.Response
		if _, err = io.WriteString(conn, request+"\r\n"); err == nil {
			response, err = http.ReadResponse(in, nil)
		}
		if err == nil && (response.StatusCode != 101 || response.Header.Get("Sec-WebSocket-Accept") != acceptOf(key)) {
			err = fmt.Errorf("the server answers %s, %v", response.Status, response.Header)
		}
		if err != nil {
			conn.Close()
			return nil, nil, "", err
		}
		return conn, in, response.Header.Get("Sec-WebSocket-Extensions"), nil
	}
}

// overHTTP2 opens connections as streams of c.
func overHTTP2(c *h2client.Client) opening {
	return func(offer string) (net.Conn, *bufio.Reader, string, error) {
		header := http.Header{}
		if offer != "" {
			header.Set("Sec-WebSocket-Extensions", offer)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		s, response, err := c.Open(ctx, "/", header)
		if err != nil {
			return nil, nil, "", err
		}
		if s == nil {
			return nil, nil, "", fmt.Errorf("the server answers %d, %v", response.StatusCode, response.Header)
		}
		return s, bufio.NewReader(s), response.Header.Get("Sec-WebSocket-Extensions"), nil
	}
}

// againstServer plays c as a client.
func againstServer(c testCase, open opening) error {
	offer := ""
	if c.messages != nil {
		offer = c.messages.offer
	}
	conn, in, extensions, err := open(offer)
	if err != nil {
		return err
	}
	defer conn.Close()
	z := &fuzzer{conn: conn, in: in, masks: true}
	z.negotiated(extensions)
	if offer != "" && !z.deflated {
		return fmt.Errorf("the server declines %q", offer)
	}
	return z.play(c)
}

// answers are those of the suite's server to the client's offer in 13, by their number: what it asks of
// the client. It declines what the client does not offer.
var answers = []string{"", "", "; client_no_context_takeover", "; client_max_window_bits=9", "; client_max_window_bits=15",
	"; client_no_context_takeover; client_max_window_bits=9", "; client_no_context_takeover; client_max_window_bits=15",
	"; client_no_context_takeover; client_max_window_bits=9"}

// againstClient plays c as a server.
func againstClient(c testCase, l net.Listener) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		conn, err := isosocket.Dial(ctx, "ws://"+l.Addr().String()+"/", clientOptions())
		if err == nil {
			_ = echo(ctx, conn)
			<-conn.Done()
		}
		done <- err
	}()
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	z := &fuzzer{conn: conn, in: bufio.NewReader(conn)}
	err = func() error {
		defer conn.Close()
		request, err := http.ReadRequest(z.in)
		if err != nil {
			return err
		}
		answer := ""
		if offer := request.Header.Get("Sec-WebSocket-Extensions"); c.messages != nil && c.messages.offer != "" {
			answer = "permessage-deflate"
			var group int
			if _, err := fmt.Sscanf(c.id, "13.%d.", &group); err == nil {
				answer += answers[group]
			}
			if !strings.Contains(offer, "permessage-deflate") || strings.Contains(answer, "client_max_window_bits") && !strings.Contains(offer, "client_max_window_bits") {
				return fmt.Errorf("the client offers %q, which does not allow %q", offer, answer)
			}
			z.negotiated(answer)
			answer = "Sec-WebSocket-Extensions: " + answer + "\r\n"
		}
		if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
			acceptOf(request.Header.Get("Sec-WebSocket-Key"))+"\r\n"+answer+"\r\n"); err != nil {
			return err
		}
		return z.play(c)
	}()
	if failed := <-done; failed != nil {
		return failed
	}
	return err
}

// expectedFile has the result of each case.
const expectedFile = "../../../docs/autobahn.json"

// TestCases plays every case in both roles, as the server also over streams of HTTP/2, all on one
// connection. Those of 12 and 13 are shortened; see compressed.
func TestCases(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(echoServer())
	defer s.Close()
	h2 := httptest.NewUnstartedServer(echoServer())
	h2.EnableHTTP2 = true
	h2.StartTLS()
	defer h2.Close()
	client, err := h2client.Dial(t.Context(), h2.Listener.Addr().String(), h2.Client().Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, c := range cases() {
		if testing.Short() && c.messages != nil && c.messages.size > 1<<20 {
			continue
		}
		if err := againstServer(c, overTCP(s.Listener.Addr().String())); err != nil {
			t.Errorf("%s against the server: %v", c.id, err)
		}
		if err := againstServer(c, overHTTP2(client)); err != nil {
			t.Errorf("%s against the server over HTTP/2: %v", c.id, err)
		}
		if err := againstClient(c, l); err != nil {
			t.Errorf("%s against the client: %v", c.id, err)
		}
	}
}

// TestExpected: docs/autobahn.json has the cases of the table, each with the result of both roles, and
// only those are informational that the suite does not judge.
func TestExpected(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile(expectedFile)
	if err != nil {
		t.Fatal(err)
	}
	want := expected{}
	for _, c := range cases() {
		result := "OK"
		if c.open {
			result = "INFORMATIONAL"
		}
		want[c.id] = map[string]string{"client": result, "server": result}
	}
	if len(want) != 517 {
		t.Errorf("the table has %d cases, want 517", len(want))
	}
	if string(want.format()) != string(file) {
		t.Errorf("docs/autobahn.json differs from the table of cases:\n%s", want.format())
	}
}
