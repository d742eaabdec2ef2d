//go:build !js

package peer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/internal/testing/leak"
	"github.com/isosocket/isosocket/ws/wstest"
)

func TestMain(m *testing.M) { leak.Main(m) }

func start(t *testing.T) *Server {
	t.Helper()
	s, err := Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// connect does the handshake with a behaviour, and sends more directly after its request.
func connect(t *testing.T, url, path string, more ...byte) (net.Conn, *bufio.Reader) {
	t.Helper()
	address := strings.TrimPrefix(url, "ws://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n%s", path, address, more)
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	// RFC 6455, section 1.3, has this key and its answer.
	if response.StatusCode != 101 || response.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("the handshake was answered with %s %v", response.Status, response.Header)
	}
	return conn, reader
}

// mustRead reads exactly want.
func mustRead(t *testing.T, r io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read % x, %v, want % x", got[:n], err, want)
	}
}

func mustEnd(t *testing.T, r io.Reader) {
	t.Helper()
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Fatalf("read % x, %v, want the end of the stream", rest, err)
	}
}

// observed returns the events that a connection recorded.
func observed(t *testing.T, s *Server, query string) []string {
	t.Helper()
	conn, reader := connect(t, s.Addresses().Control, "/observed?"+query)
	head := make([]byte, 2)
	if _, err := io.ReadFull(reader, head); err != nil || head[0] != fin|opText || head[1] > 125 {
		t.Fatalf("read % x, %v", head, err)
	}
	text := make([]byte, head[1])
	if _, err := io.ReadFull(reader, text); err != nil {
		t.Fatal(err)
	}
	var events []string
	if err := json.Unmarshal(text, &events); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	conn.Write(maskedFrame(fin|opClose, closePayload(1000, "")))
	return events
}

func TestEcho(t *testing.T) {
	s := start(t)
	conn, reader := connect(t, s.Addresses().URL, "/echo?id=x")
	conn.Write(maskedFrame(fin|opText, []byte("hi")))
	mustRead(t, reader, []byte{0x81, 2, 'h', 'i'})
	conn.Write(append(maskedFrame(opBinary, []byte("a")), maskedFrame(fin|opPing, []byte("p"))...))
	mustRead(t, reader, []byte{0x8a, 1, 'p'})
	conn.Write(maskedFrame(fin|opContinuation, bytes.Repeat([]byte("b"), 125)))
	mustRead(t, reader, append([]byte{0x82, 126, 0, 126, 'a'}, bytes.Repeat([]byte("b"), 125)...))
	conn.Write(maskedFrame(fin|opClose, closePayload(4000, "bye")))
	mustRead(t, reader, frame(fin|opClose, closePayload(4000, "bye")))
	mustEnd(t, reader)
	conn.Close()
	events := observed(t, s, "id=x")
	if len(events) != 3 || events[0] != `text "hi"` || events[2] != `close 4000 "bye"` {
		t.Errorf("the server saw %q", events)
	}
}

func TestViolationsOfTheClientAreRecorded(t *testing.T) {
	s := start(t)
	for i, test := range []struct {
		name string
		sent []byte
		want string
	}{
		{"not masked", frame(fin|opText, []byte("x")), "violation: a frame that is not masked"},
		{"reserved bit", maskedFrame(fin|rsv1|opText, nil), "violation: a reserved bit"},
		{"unknown opcode", maskedFrame(fin|0x3, nil), "violation: the opcode 0x3 here"},
		{"continuation of nothing", maskedFrame(fin|opContinuation, nil), "violation: the opcode 0x0 here"},
		{"message in a message", append(maskedFrame(opText, nil), maskedFrame(fin|opText, nil)...), "violation: the opcode 0x1 here"},
		{"long ping", maskedFrame(fin|opPing, make([]byte, 126)), "violation: a control frame that is too long or fragmented"},
		{"not UTF-8", maskedFrame(fin|opText, []byte{0xff}), "violation: text that is not UTF-8"},
		{"16 bits for a short length", []byte{0x82, 0xfe, 0, 5, 0, 0, 0, 0, 1, 2, 3, 4, 5}, "violation: a length that is not in its shortest form"},
		{"64 bits for a short length", []byte{0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 5}, "violation: a length that is not in its shortest form"},
		{"a length of 2^63", []byte{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0}, "violation: a frame of 9223372036854775808 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, reader := connect(t, s.Addresses().URL, fmt.Sprintf("/echo?id=%d", i))
			conn.Write(test.sent)
			mustEnd(t, reader)
			conn.Close()
			if events := observed(t, s, fmt.Sprintf("id=%d", i)); len(events) != 1 || events[0] != test.want {
				t.Errorf("the server saw %q, want %q", events, test.want)
			}
		})
	}
}

func TestTellAndUntil(t *testing.T) {
	s := start(t)
	conn, reader := connect(t, s.Addresses().URL, "/closewhen?id=x&code=4001&message=now")
	if events := observed(t, s, "id=x&now=1"); len(events) != 0 {
		t.Errorf("before the close the server saw %q", events)
	}
	control, answer := connect(t, s.Addresses().Control, "/tell?id=x")
	mustRead(t, answer, frame(fin|opText, []byte("told")))
	control.Write(maskedFrame(fin|opClose, nil))
	mustRead(t, reader, frame(fin|opClose, closePayload(4001, "now")))
	conn.Write(maskedFrame(fin|opClose, nil))
	if events := observed(t, s, "id=x&until=close+1005+%22%22"); len(events) != 1 {
		t.Errorf("the server saw %q", events)
	}
}

func TestRefusals(t *testing.T) {
	s := start(t)
	base := "http" + strings.TrimPrefix(s.Addresses().URL, "ws")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	for _, test := range []struct {
		path   string
		status int
	}{
		{"/echo", http.StatusUpgradeRequired},
		{"/status?code=403", http.StatusForbidden},
		{"/status?code=7", http.StatusBadRequest},
		{"/redirect?code=307&to=/echo", http.StatusTemporaryRedirect},
		{"/nothing", http.StatusNotFound},
		{"/library/echo", http.StatusNotFound}, // there is no library under test
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", "http://page.example")
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		allowed := response.Header.Get("Access-Control-Allow-Origin")
		if response.StatusCode != test.status || test.status != http.StatusNotFound && allowed != "http://page.example" {
			t.Errorf("%s: status %d, allowed origin %q", test.path, response.StatusCode, allowed)
		}
	}
}

func TestCloseEndsOpenConnections(t *testing.T) {
	s := start(t)
	_, silent := connect(t, s.Addresses().URL, "/silent")
	_, stalled := connect(t, s.Addresses().URL, "/stall")
	s.Close()
	for _, r := range []io.Reader{silent, stalled} {
		if _, err := io.Copy(io.Discard, r); errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after Close a connection is open: %v", err)
		}
	}
	s.Close() // again
}

// TestStallEndsAfterTell sends to a peer that reads nothing until no more data fits, and then
// checks that the peer reads at full speed. If a receive buffer is reduced after data has
// arrived, its window may be smaller than the sender's segments, and TCP then sends one every
// 200 ms by a timer.
func TestStallEndsAfterTell(t *testing.T) {
	s := start(t)
	message := maskedFrame(fin|opBinary, make([]byte, 32<<10))
	conn, reader := connect(t, s.Addresses().URL, "/stall?id=x", message...)
	sent := len(message)
	for err := error(nil); err == nil; {
		if err := conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		var n int
		n, err = conn.Write(message)
		if sent += n; err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	connect(t, s.Addresses().Control, "/tell?id=x")
	start := time.Now()
	echo := int64(sent / len(message) * len(frame(fin|opBinary, make([]byte, 32<<10))))
	if n, err := io.CopyN(io.Discard, reader, echo); err != nil {
		t.Fatalf("%d of %d bytes came back: %v", n, echo, err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("%d bytes took %v to come back", echo, took)
	}
}

// FuzzRead passes arbitrary input to the frame reader.
func FuzzRead(f *testing.F) {
	f.Add(maskedFrame(fin|opText, []byte("hello")))
	f.Add(maskedFrame(fin|opBinary, make([]byte, 300)))
	f.Add(append(maskedFrame(opText, []byte("a")), maskedFrame(fin|opContinuation, []byte("b"))...))
	f.Add(frame(fin|opClose, closePayload(1000, "x")))
	f.Add([]byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) >= 10 && data[1]&0x7f == 127 && data[6] > 0 {
			return // the rest would only allocate and wait for more input
		}
		l := &link{reader: bufio.NewReader(bytes.NewReader(data))}
		for {
			m, err := l.read()
			if err != nil {
				return
			}
			if len(m.payload) > len(data) {
				t.Fatalf("%d bytes of payload out of %d", len(m.payload), len(data))
			}
			m.closing()
		}
	})
}

// A client that is played masks its frames, takes only unmasked ones, and is recorded like a server.
func TestPlay(t *testing.T) {
	s := start(t)
	play := func(uri string) (net.Conn, *bufio.Reader) {
		near, far := net.Pipe()
		t.Cleanup(func() { near.Close() })
		near.SetDeadline(time.Now().Add(20 * time.Second))
		go func() {
			if err := s.Play(far, uri); err != nil {
				t.Error(err)
			}
		}()
		return near, bufio.NewReader(near)
	}
	conn, reader := play("/echo?id=played")
	conn.Write(frame(fin|opText, []byte("hi")))
	mustRead(t, reader, maskedFrame(fin|opText, []byte("hi")))
	conn.Write(maskedFrame(fin|opText, []byte("hi")))
	mustEnd(t, reader)
	if events := observed(t, s, "id=played"); len(events) != 2 || events[1] != "violation: a frame that is masked" {
		t.Errorf("the client saw %q", events)
	}

	_, reader = play("/large?id=large&size=4")
	half := append([]byte{fin | opBinary, maskedBit | 4, 0, 0, 0, 0}, wstest.Pattern(4)[:2]...)
	mustRead(t, reader, half)
	conn, _ = play("/tell?id=large") // its answer is not read
	mustRead(t, reader, wstest.Pattern(4)[2:])
	conn.Close()

	conn, reader = play("/violate?what=a+masked+frame")
	conn.Write(frame(fin|opText, []byte("open")))
	mustRead(t, reader, frame(fin|opText, []byte("x")))

	for _, uri := range []string{"echo", "/nothing", "/library/echo", "/request", "/quiet", "/status?code=403"} {
		near, far := net.Pipe()
		if err := s.Play(far, uri); err == nil {
			t.Errorf("%q: no error", uri)
		}
		mustEnd(t, near)
		near.Close()
	}
}
