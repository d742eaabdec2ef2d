//go:build !js

package attacks

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

const mebibyte = 1 << 20

// attacked is a connection of this library and the attacker's end of it.
type attacked struct {
	conn   *ws.Conn
	raw    net.Conn
	reader *bufio.Reader // of raw
	masked bool          // the attacker is a client
}

// onBothRoles runs attack against a server and against a client.
func onBothRoles(t *testing.T, compression *ws.Compression, attack func(t *testing.T, a *attacked)) {
	t.Helper()
	for name, open := range map[string]func(*testing.T, *ws.Compression) *attacked{"server": attackServer, "client": attackClient} {
		t.Run(name, func(t *testing.T) {
			a := open(t, compression)
			a.raw.SetDeadline(time.Now().Add(60 * time.Second))
			attack(t, a)
		})
	}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// startServer serves h until the test ends.
func startServer(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// endpoint serves an Endpoint until the test ends.
func endpoint(t *testing.T, serve func(context.Context, *server.Conn) error, o *server.Options) *httptest.Server {
	t.Helper()
	e := server.Handler(serve, o)
	s := startServer(t, e)
	t.Cleanup(func() {
		if err := e.Shutdown(within(t)); err != nil {
			t.Error(err)
		}
	})
	return s
}

// handshake is a client's request with more lines in its header.
func handshake(lines ...string) string {
	return "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + strings.Join(append(lines, ""), "\r\n") + "\r\n"
}

// ask sends a request as it stands and returns the answer.
func ask(t *testing.T, s *httptest.Server, request string) (*http.Response, net.Conn, *bufio.Reader) {
	t.Helper()
	raw, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	raw.SetDeadline(time.Now().Add(60 * time.Second))
	wrote := make(chan error, 1)
	go func() { // the server may answer before it has read everything
		_, err := io.WriteString(raw, request)
		wrote <- err
	}()
	reader := bufio.NewReader(raw)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		if err := <-wrote; err != nil {
			t.Fatal(err)
		}
	} else {
		t.Cleanup(func() { raw.Close(); <-wrote })
	}
	return response, raw, reader
}

// deflateLine offers compression.
const deflateLine = "Sec-WebSocket-Extensions: permessage-deflate"

func attackServer(t *testing.T, compression *ws.Compression) *attacked {
	conns := make(chan *ws.Conn, 1)
	s := endpoint(t, func(_ context.Context, conn *server.Conn) error {
		conns <- conn.Conn
		<-conn.Done()
		return nil
	}, &server.Options{Compression: compression, CloseTimeout: time.Second})
	var lines []string
	if compression != nil {
		lines = []string{deflateLine}
	}
	response, raw, reader := ask(t, s, handshake(lines...))
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", response.StatusCode)
	}
	conn := <-conns
	t.Cleanup(func() { conn.CloseNow(errors.NormalClosure, "") })
	return &attacked{conn, raw, reader, true}
}

// answerHandshake reads a client's request and sends what answer returns for its
// Sec-WebSocket-Accept.
func answerHandshake(raw net.Conn, answer func(accept string) string) (*bufio.Reader, error) {
	reader := bufio.NewReader(raw)
	request, err := http.ReadRequest(reader)
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum([]byte(request.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err = io.WriteString(raw, answer(base64.StdEncoding.EncodeToString(sum[:])))
	return reader, err
}

func switching(accept string, lines ...string) string {
	return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + accept + "\r\n" +
		strings.Join(append(lines, ""), "\r\n") + "\r\n"
}

// dialAnswer dials a server that answers with what answer returns, and then keeps the connection.
func dialAnswer(t *testing.T, o *isosocket.DialOptions, answer func(accept string) string) (*ws.Conn, net.Conn, *bufio.Reader, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	type end struct {
		raw    net.Conn
		reader *bufio.Reader
	}
	ends := make(chan end, 1)
	go func() {
		raw, err := l.Accept()
		if err != nil {
			ends <- end{}
			return
		}
		reader, _ := answerHandshake(raw, answer)
		ends <- end{raw, reader}
	}()
	conn, err := isosocket.Dial(within(t), "ws://"+l.Addr().String(), o)
	l.Close()
	e := <-ends
	if e.raw != nil {
		t.Cleanup(func() { e.raw.Close() })
	}
	return conn, e.raw, e.reader, err
}

func attackClient(t *testing.T, compression *ws.Compression) *attacked {
	conn, raw, reader, err := dialAnswer(t, &isosocket.DialOptions{Compression: compression, CloseTimeout: time.Second}, func(accept string) string {
		if compression == nil {
			return switching(accept)
		}
		return switching(accept, deflateLine)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow(errors.NormalClosure, "") })
	return &attacked{conn, raw, reader, false}
}

// appendFrame appends a frame whose header announces length, with payload, masked with zeros from a
// client.
func (a *attacked) appendFrame(b []byte, first byte, length uint64, payload []byte) []byte {
	mask := byte(0)
	if a.masked {
		mask = 0x80
	}
	switch {
	case length < 126:
		b = append(b, first, mask|byte(length))
	case length < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, first, mask|126), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, first, mask|127), length)
	}
	if a.masked {
		b = append(b, 0, 0, 0, 0)
	}
	return append(b, payload...)
}

// mustClose reads to the close frame and checks its code and the end that the program sees.
func (a *attacked) mustClose(t *testing.T, code errors.CloseReason) {
	t.Helper()
	_, err := a.conn.Receive(within(t))
	closed, ok := errors.AsType[*errors.ConnectionClosed](err)
	if !ok || closed.Reason != code || closed.Remote {
		t.Fatalf("Receive = %v, want the end with %d of this side", err, code)
	}
	for {
		var head [2]byte
		if _, err := io.ReadFull(a.reader, head[:]); err != nil {
			t.Fatalf("no close frame came: %v", err)
		}
		payload := make([]byte, 4+125)
		n := int(head[1] & 0x7f)
		skip := 0
		if head[1]&0x80 != 0 {
			skip = 4
		}
		if _, err := io.ReadFull(a.reader, payload[:skip+n]); err != nil {
			t.Fatal(err)
		}
		if head[0] != 0x88 {
			continue
		}
		for i := range n {
			if skip > 0 {
				payload[skip+i] ^= payload[i%4]
			}
		}
		if got := errors.CloseReason(binary.BigEndian.Uint16(payload[skip:])); got != code {
			t.Fatalf("the close frame has %d, want %d", got, code)
		}
		return
	}
}

// allocates fails the test if f allocates more than bound bytes, in all, whether they are freed or
// not. That is more than f ever holds.
func allocates(t *testing.T, bound uint64, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	took := after.TotalAlloc - before.TotalAlloc
	if took > bound {
		t.Errorf("it took %.1f MiB of memory, want at most %.1f", float64(took)/mebibyte, float64(bound)/mebibyte)
	}
	t.Logf("it took %.1f MiB of memory; the bound is %.1f", float64(took)/mebibyte, float64(bound)/mebibyte)
}
