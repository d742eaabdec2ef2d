//go:build !js

package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/testing/leak"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// framer is a client of HTTP/2 that sends and reads single frames. It never gives the server more
// window than it has at first: 65,535 bytes for the connection, and window for each stream.
type framer struct {
	t    *testing.T
	conn net.Conn
	*http2.Framer
	settings map[http2.SettingID]uint32 // of the server
	next     uint32                     // the next stream
	scheme   string
}

func dialFramer(t *testing.T, s *httptest.Server, window uint32) *framer {
	t.Helper()
	config := trusting(s).Clone()
	config.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", s.Listener.Addr().String(), config)
	if err != nil {
		t.Fatal(err)
	}
	return newFramer(t, conn, window)
}

func newFramer(t *testing.T, conn net.Conn, window uint32) *framer {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(60 * time.Second))
	f := &framer{t: t, conn: conn, Framer: http2.NewFramer(conn, conn), settings: map[http2.SettingID]uint32{}, next: 1, scheme: "https"}
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	io.WriteString(conn, http2.ClientPreface)
	f.must(f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}))
	f.await("SETTINGS", func(frame http2.Frame) bool {
		settings, ok := frame.(*http2.SettingsFrame)
		if ok {
			settings.ForeachSetting(func(s http2.Setting) error {
				f.settings[s.ID] = s.Val
				return nil
			})
		}
		return ok
	})
	f.must(f.WriteSettingsAck())
	return f
}

func (f *framer) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// await reads frames until is reports true.
func (f *framer) await(what string, is func(http2.Frame) bool) {
	f.t.Helper()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			f.t.Fatalf("awaiting %s: %v", what, err)
		}
		if is(frame) {
			return
		}
	}
}

// awaitEcho reads the unmasked frame of a short text from the stream id, and nothing else of it.
func (f *framer) awaitEcho(id uint32, text string) {
	f.t.Helper()
	want := append([]byte{0x81, byte(len(text))}, text...)
	var got []byte
	f.await("the echo", func(frame http2.Frame) bool {
		if data, ok := frame.(*http2.DataFrame); ok && data.StreamID == id {
			got = append(got, data.Data()...)
		}
		return len(got) >= len(want)
	})
	if !bytes.Equal(got, want) {
		f.t.Fatalf("the echo is %x, want %x", got, want)
	}
}

// awaitReset reads RST_STREAM of the stream id.
func (f *framer) awaitReset(id uint32) {
	f.t.Helper()
	f.await("RST_STREAM", func(frame http2.Frame) bool {
		reset, ok := frame.(*http2.RSTStreamFrame)
		return ok && reset.StreamID == id
	})
}

// open sends a handshake with the fields after the usual ones, and returns its stream and the
// status of the answer.
func (f *framer) open(fields ...string) (id uint32, status string) {
	f.t.Helper()
	id = f.next
	f.next += 2
	f.headers(id, false, fields...)
	f.await("the answer", func(frame http2.Frame) bool {
		h, ok := frame.(*http2.MetaHeadersFrame)
		if !ok || h.StreamID != id {
			return false
		}
		status = h.PseudoValue("status")
		return true
	})
	return id, status
}

func (f *framer) headers(id uint32, endStream bool, fields ...string) {
	f.t.Helper()
	f.fields(id, endStream, append([]string{":method", "CONNECT", ":protocol", "websocket", ":scheme", f.scheme, ":path", "/", ":authority", "localhost",
		"sec-websocket-version", "13"}, fields...)...)
}

// fields opens the stream id with these fields and no others.
func (f *framer) fields(id uint32, endStream bool, fields ...string) {
	f.t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		f.must(encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	f.must(f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: endStream}))
}

// masked returns a frame with the masking key 0 (RFC 6455, section 5.2).
func masked(opcode byte, payload string) []byte {
	return append([]byte{0x80 | opcode, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
}

// ends collects the causes of the ends of connections.
type ends chan *errors.ConnectionClosed

func (e ends) serve(ctx context.Context, conn *server.Conn) error {
	err := echo(ctx, conn)
	<-conn.Done()
	closed, _ := errors.AsType[*errors.ConnectionClosed](conn.Err())
	e <- closed
	return err
}

func (e ends) await(t *testing.T) *errors.ConnectionClosed {
	t.Helper()
	select {
	case closed := <-e:
		return closed
	case <-time.After(20 * time.Second):
		t.Fatal("the connection did not end")
		return nil
	}
}

// The server announces the setting, and answers with 200 (RFC 8441, sections 3 and 5).
func TestHTTP2IsAnnounced(t *testing.T) {
	e := server.Handler(echo, nil)
	f := dialFramer(t, startHTTP2(t, e, nil), 1<<16)
	if got := f.settings[http2.SettingEnableConnectProtocol]; got != 1 {
		t.Errorf("SETTINGS_ENABLE_CONNECT_PROTOCOL is %d", got)
	}
	if _, status := f.open(); status != "200" {
		t.Errorf("the status is %s", status)
	}
	if _, status := f.open("content-length", "5"); status != "400" {
		t.Errorf("with a Content-Length, the status is %s", status)
	}
	f.conn.Close()
	mustShutdown(t, e)
}

// Without TLS, a client that knows that the server speaks HTTP/2 can connect as well.
func TestHTTP2WithoutTLS(t *testing.T) {
	seen := make(chan *server.Conn, 1)
	e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		seen <- conn
		return echo(ctx, conn)
	}, nil)
	s := httptest.NewUnstartedServer(e)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	f := newFramer(t, conn, 1<<16)
	f.scheme = "http"
	id, status := f.open()
	if got := <-seen; status != "200" || got.TLS() != nil || got.Native().TLS() != nil || got.Request().ProtoMajor != 2 {
		t.Errorf("the status is %s, the request %+v", status, got.Request())
	}
	f.must(f.WriteData(id, false, masked(1, "hello")))
	f.awaitEcho(id, "hello")
	f.conn.Close()
	mustShutdown(t, e)
}

// A CONNECT that is not extended is no handshake.
func TestHTTP2PlainConnect(t *testing.T) {
	e := server.Handler(echo, nil)
	f := dialFramer(t, startHTTP2(t, e, nil), 1<<16)
	f.fields(1, false, ":method", "CONNECT", ":authority", "localhost:443")
	f.await("405", func(frame http2.Frame) bool {
		h, ok := frame.(*http2.MetaHeadersFrame)
		return ok && h.PseudoValue("status") == "405"
	})
	mustShutdown(t, e)
}

// A handshake that ends its stream at once is refused.
func TestHTTP2HandshakeThatEndsItsStream(t *testing.T) {
	e := server.Handler(echo, nil)
	f := dialFramer(t, startHTTP2(t, e, nil), 1<<16)
	f.headers(1, true)
	f.await("400", func(frame http2.Frame) bool {
		h, ok := frame.(*http2.MetaHeadersFrame)
		return ok && h.PseudoValue("status") == "400"
	})
	mustShutdown(t, e)
}

// After a clean close the stream ends with END_STREAM, as TCP does with FIN (RFC 8441, section 5).
func TestHTTP2CloseEndsTheStream(t *testing.T) {
	leak.Check(t)
	for name, test := range map[string]struct {
		serve func(ctx context.Context, conn *server.Conn) error
		send  []byte
		want  []byte // the server's close frame
	}{
		"by the client":           {echo, masked(8, "\x03\xE8"), []byte{0x88, 2, 0x03, 0xE8}},
		"by the server":           {func(context.Context, *server.Conn) error { return nil }, masked(8, "\x03\xE8"), []byte{0x88, 2, 0x03, 0xE8}},
		"after an unmasked frame": {echo, []byte{0x81, 1, 'x'}, []byte{0x88, 0x7E}},
	} {
		t.Run(name, func(t *testing.T) {
			// The stream ends long before the server stops waiting for an answer to its close.
			e := server.Handler(test.serve, &server.Options{CloseTimeout: 2 * time.Minute})
			f := dialFramer(t, startHTTP2(t, e, nil), 1<<16)
			id, _ := f.open()
			f.must(f.WriteData(id, false, test.send))
			var got []byte
			f.await("the end of the stream", func(frame http2.Frame) bool {
				switch frame := frame.(type) {
				case *http2.DataFrame:
					got = append(got, frame.Data()...)
					return frame.StreamEnded()
				case *http2.RSTStreamFrame:
					t.Fatalf("the stream is reset with %v", frame.ErrCode)
				}
				return false
			})
			if test.want[1] == 2 && !bytes.Equal(got, test.want) || got[0] != 0x88 {
				t.Errorf("the server sent %x", got)
			}
			f.conn.Close()
			mustShutdown(t, e)
		})
	}
}

// However a stream ends, the connection ends with 1006, and nothing remains.
func TestHTTP2StreamIsCut(t *testing.T) {
	leak.Check(t)
	sent := append(masked(1, "hello"), masked(9, "?")...)
	sent = append(sent, masked(2, strings.Repeat("x", 100))...)
	for name, cut := range map[string]func(f *framer, id uint32){
		"RST_STREAM": func(f *framer, id uint32) { f.must(f.WriteRSTStream(id, http2.ErrCodeCancel)) },
		"END_STREAM": func(f *framer, id uint32) { f.must(f.WriteData(id, true, nil)) },
		"GOAWAY and the end of TCP": func(f *framer, id uint32) {
			f.must(f.WriteGoAway(0, http2.ErrCodeNo, nil))
			f.conn.Close()
		},
		"the end of TCP":             func(f *framer, id uint32) { f.conn.Close() },
		"a frame that breaks HTTP/2": func(f *framer, id uint32) { f.must(f.WriteWindowUpdate(id, 1<<31-1)) },
	} {
		t.Run(name, func(t *testing.T) {
			ends := make(ends, 1)
			e := server.Handler(ends.serve, nil)
			s := startHTTP2(t, e, func(s *http.Server) { s.ErrorLog = nil })
			var f *framer
			for at := range len(sent) + 1 {
				if f == nil || f.next > 1 && strings.Contains(name, "TCP") {
					f = dialFramer(t, s, 1<<16)
				}
				id, status := f.open()
				if status != "200" {
					t.Fatal(status)
				}
				waitUntil(t, "the function runs", func() bool { return e.Len() == 1 })
				f.must(f.WriteData(id, false, sent[:at]))
				cut(f, id)
				closed := ends.await(t)
				waitUntil(t, "the function has returned", func() bool { return e.Len() == 0 })
				if closed == nil || closed.Reason != errors.AbnormalClosure || closed.Remote {
					t.Fatalf("cut after %d bytes, the connection ended with %v", at, closed)
				}
			}
			mustShutdown(t, e)
			if got := e.Stats(); got.Open != 0 || got.Closed[server.Closing{Reason: errors.AbnormalClosure}] != uint64(len(sent)+1) {
				t.Errorf("%+v", got.Closed)
			}
		})
	}
}

// GOAWAY alone ends nothing, in the middle of a message either: it only refuses new streams.
func TestHTTP2GoAway(t *testing.T) {
	e := server.Handler(echo, nil)
	f := dialFramer(t, startHTTP2(t, e, nil), 1<<16)
	id, _ := f.open()
	message := masked(1, "hello")
	f.must(f.WriteData(id, false, message[:7]))
	f.must(f.WriteGoAway(0, http2.ErrCodeNo, nil))
	f.must(f.WriteData(id, false, message[7:]))
	f.awaitEcho(id, "hello")
	f.conn.Close()
	mustShutdown(t, e)
}

// A peer that gives no window holds up its own connection alone. CloseNow resets the stream, and
// no goroutine waits on.
func TestHTTP2PeerWithoutWindow(t *testing.T) {
	leak.Check(t)
	stalled := make(chan *server.Conn, 1)
	sends := make(chan error, 1)
	e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		if conn.URL().Path == "/echo" {
			return echo(ctx, conn)
		}
		stalled <- conn
		for {
			if err := conn.Send(ctx, ws.Binary(make([]byte, 64<<10))); err != nil {
				sends <- err
				return err
			}
		}
	}, &server.Options{SendBuffer: 128 << 10})
	f := dialFramer(t, startHTTP2(t, e, nil), 1000)
	id, _ := f.open()
	conn := <-stalled
	got := 0
	f.await("1,000 bytes", func(frame http2.Frame) bool {
		if data, ok := frame.(*http2.DataFrame); ok && data.StreamID == id {
			got += len(data.Data())
		}
		return got == 1000
	})
	select {
	case err := <-sends:
		t.Fatalf("Send = %v while the peer gives no window", err)
	case <-time.After(100 * time.Millisecond):
	}
	began := time.Now()
	conn.CloseNow(4008, "too slow")
	if err := <-sends; !errors.Is(err, errors.CloseReason(4008)) {
		t.Errorf("Send = %v", err)
	}
	f.awaitReset(id)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %v", took)
	}
	mustShutdown(t, e)
}

// With net/http's defaults, one stream's window is as large as the connection's, so a program that
// does not receive stops the other streams, until it receives again.
func TestHTTP2DefaultWindowsAreShared(t *testing.T) {
	leak.Check(t)
	release := make(chan struct{})
	e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		if conn.URL().Path == "/silent" {
			select {
			case <-release:
			case <-conn.Done():
			}
		}
		return echo(ctx, conn)
	}, &server.Options{ReceiveBuffer: 16 << 10})
	c := connectHTTP2(t, startHTTP2(t, e, nil))
	silent := mustOpen(t, c, "/silent", nil)
	other := mustOpen(t, c, "/", nil)
	const messages = 400
	sent := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < messages && err == nil; i++ {
			err = silent.Send(context.Background(), ws.Binary(make([]byte, 10_000)))
		}
		sent <- err
	}()
	stalled := func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		if err := other.Send(ctx, ws.Binary(make([]byte, 10_000))); err != nil {
			t.Fatal(err)
		}
		_, err := other.Receive(ctx)
		return errors.Is(err, context.DeadlineExceeded)
	}
	waitUntil(t, "the other stream stalls", stalled)
	close(release)
	if m, err := other.Receive(timeout(t)); err != nil || len(m.Data) != 10_000 {
		t.Errorf("after the release, the other stream received %d bytes, %v", len(m.Data), err)
	}
	for range messages {
		if m, err := silent.Receive(timeout(t)); err != nil || len(m.Data) != 10_000 {
			t.Fatalf("received %d bytes, %v", len(m.Data), err)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	silent.CloseNow(errors.NormalClosure, "")
	other.CloseNow(errors.NormalClosure, "")
	mustShutdown(t, e)
}

// With a smaller window for each stream, it stops only its own.
func TestHTTP2ProgramThatDoesNotReceive(t *testing.T) {
	leak.Check(t)
	release := make(chan struct{})
	e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		if conn.URL().Path == "/silent" {
			<-release
		}
		return echo(ctx, conn)
	}, &server.Options{MaxMessageSize: -1, ReceiveBuffer: 16 << 10})
	s := startHTTP2(t, e, func(s *http.Server) {
		s.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 1 << 20, MaxConcurrentStreams: 1000}
	})
	c := connectHTTP2(t, s)
	silent := mustOpen(t, c, "/silent", nil)
	go func() {
		for range 100 {
			if silent.Send(context.Background(), ws.Binary(make([]byte, 10_000))) != nil {
				return
			}
		}
	}()
	other := mustOpen(t, c, "/", nil)
	for range 20 {
		mustSendBack(t, other, ws.Binary(make([]byte, 100_000)))
	}
	close(release)
	for range 100 {
		if m, err := silent.Receive(timeout(t)); err != nil || len(m.Data) != 10_000 {
			t.Fatal(len(m.Data), err)
		}
	}
	for _, conn := range []*ws.Conn{silent, other} {
		if err := conn.Close(errors.NormalClosure, ""); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	mustShutdown(t, e)
}

// http.Server.Shutdown waits for WebSockets over HTTP/2, so that endpoints must end first; Stop
// does that.
func TestHTTP2Stop(t *testing.T) {
	leak.Check(t)
	for name, stop := range map[string]func(ctx context.Context, s *http.Server, e *server.Endpoint) error{
		"Stop": func(ctx context.Context, s *http.Server, e *server.Endpoint) error {
			return server.Stop(ctx, s, &server.DrainOptions{Spread: -1}, e)
		},
		"Shutdown of the endpoint, then of the server": func(ctx context.Context, s *http.Server, e *server.Endpoint) error {
			return errors.Join(e.Shutdown(ctx), s.Shutdown(ctx))
		},
		"of the server alone, then of the endpoint": func(ctx context.Context, s *http.Server, e *server.Endpoint) error {
			short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			if err := s.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("http.Server.Shutdown alone = %v", err)
			}
			return errors.Join(e.Shutdown(ctx), s.Shutdown(ctx))
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := server.Handler(echo, nil)
			s := startHTTP2(t, e, nil)
			conn := mustOpen(t, connectHTTP2(t, s), "/", nil)
			mustSendBack(t, conn, ws.Text("hello"))
			ended := make(chan error, 1)
			go func() {
				_, err := conn.Receive(context.Background())
				ended <- err
			}()
			if err := stop(timeout(t), s.Config, e); err != nil {
				t.Error(err)
			}
			if err := <-ended; !errors.Is(err, errors.GoingAway) && !errors.Is(err, errors.ServiceRestart) {
				t.Errorf("the client saw %v", err)
			}
		})
	}
}

// A drain lets the function finish its work, as over HTTP/1.1, and cuts it when its context ends.
func TestHTTP2Drain(t *testing.T) {
	leak.Check(t)
	for _, stubborn := range []bool{false, true} {
		t.Run(fmt.Sprint("stubborn ", stubborn), func(t *testing.T) {
			e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
				<-ctx.Done()
				if stubborn {
					<-conn.Done()
				}
				return conn.Send(context.Background(), ws.Text("last"))
			}, nil)
			conn := mustOpen(t, connectHTTP2(t, startHTTP2(t, e, nil)), "/", nil)
			waitUntil(t, "the function runs", func() bool { return e.Len() == 1 })
			var wg sync.WaitGroup
			wg.Go(func() {
				patience := time.Minute
				if stubborn {
					patience = 300 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				err := e.Drain(ctx, &server.DrainOptions{Spread: -1})
				if cut, ok := errors.AsType[*server.DrainError](err); ok != stubborn || ok && cut.Cut != 1 {
					t.Errorf("Drain = %v", err)
				}
			})
			if !stubborn {
				if m, err := conn.Receive(timeout(t)); err != nil || m.String() != "last" {
					t.Errorf("received %v, %v", m, err)
				}
			}
			assertEnd(t, conn, errors.ServiceRestart, "server restarting")
			wg.Wait()
			mustShutdown(t, e)
		})
	}
}

// A server that closes its connections ends all functions.
func TestHTTP2ServerCloses(t *testing.T) {
	leak.Check(t)
	ends := make(ends, 2)
	e := server.Handler(ends.serve, nil)
	s := startHTTP2(t, e, nil)
	c := connectHTTP2(t, s)
	for range 2 {
		mustSendBack(t, mustOpen(t, c, "/", nil), ws.Text("hello"))
	}
	s.Config.Close()
	for range 2 {
		if closed := ends.await(t); closed == nil || closed.Reason != errors.AbnormalClosure {
			t.Errorf("ended with %v", closed)
		}
	}
	mustShutdown(t, e)
}
