//go:build !js

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/chat"
	"github.com/isosocket/isosocket/internal/testing/transcript"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

const patience = 30 * time.Second

// command is isosocket as a separate process.
type command struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdin          io.WriteCloser
	stdout, stderr *transcript.Transcript
	exited         chan struct{}
}

// startCommand runs isosocket with args until the test ends.
func startCommand(t *testing.T, args ...string) *command {
	t.Helper()
	c := &command{t: t, cmd: exec.Command(os.Args[0], args...), stdout: transcript.New(), stderr: transcript.New(), exited: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), "ISOSOCKET_TEST_COMMAND=1")
	c.cmd.Stdout, c.cmd.Stderr = c.stdout, c.stderr
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.exited)
		_ = c.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.exited
	})
	return c
}

func (c *command) types(lines ...string) {
	c.t.Helper()
	for _, line := range lines {
		if _, err := io.WriteString(c.stdin, line+"\n"); err != nil {
			c.t.Fatal(err)
		}
	}
}

// writes waits until s, an output of c, contains words.
func (c *command) writes(s *transcript.Transcript, words string) {
	c.t.Helper()
	late := time.After(patience)
	for {
		text, more := s.Read()
		if strings.Contains(text, words) {
			return
		}
		select {
		case <-more:
		case <-c.exited:
			if strings.Contains(s.String(), words) {
				return
			}
			c.t.Fatalf("%v ended without %q\nstdout: %s\nstderr: %s", c.cmd.Args[1:], words, c.stdout, c.stderr)
		case <-late:
			c.t.Fatalf("%v did not write %q\nstdout: %s\nstderr: %s", c.cmd.Args[1:], words, c.stdout, c.stderr)
		}
	}
}

func (c *command) ends(status int) {
	c.t.Helper()
	select {
	case <-c.exited:
	case <-time.After(patience):
		c.t.Fatalf("%v does not end\nstdout: %s\nstderr: %s", c.cmd.Args[1:], c.stdout, c.stderr)
	}
	if got := c.cmd.ProcessState.ExitCode(); got != status {
		c.t.Errorf("%v: exit status %d, want %d\nstdout: %s\nstderr: %s", c.cmd.Args[1:], got, status, c.stdout, c.stderr)
	}
}

func (c *command) signal(s os.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

var served = regexp.MustCompile(`http://([^/]+)/`)

// startServe runs isosocket serve on a free port and returns its address.
func startServe(t *testing.T, flags ...string) (c *command, host string) {
	t.Helper()
	c = startCommand(t, append([]string{"serve", "-addr", "127.0.0.1:0"}, flags...)...)
	c.writes(c.stdout, "Ctrl-C stops it")
	return c, served.FindStringSubmatch(c.stdout.String())[1]
}

// startEchoes returns the address of a server with a path for each behaviour that dial must
// distinguish.
func startEchoes(t *testing.T) string {
	t.Helper()
	type key struct{}
	mux := http.NewServeMux()
	handle := func(path string, o *server.Options, f func(ctx context.Context, conn *server.Conn) error) {
		e := server.Handler(f, o)
		mux.Handle(path, e)
		t.Cleanup(func() { _ = e.Shutdown(context.Background()) })
	}
	handle("/echo", &server.Options{Subprotocols: []string{"b", "a"}}, echo)
	handle("/header", nil, func(ctx context.Context, conn *server.Conn) error {
		return conn.Send(ctx, ws.Text(strings.Join(conn.Header()["X-Test"], "|")))
	})
	handle("/kind", nil, func(ctx context.Context, conn *server.Conn) error {
		for m, err := range conn.Messages(ctx) {
			if err != nil {
				return err
			}
			_ = conn.Send(ctx, ws.Text(m.Kind.String()+" "+m.String()))
		}
		return nil
	})
	handle("/4001", nil, func(ctx context.Context, conn *server.Conn) error {
		_ = conn.Send(ctx, ws.Text("first this"))
		return conn.Close(4001, "then \x1b[2Jthat")
	})
	handle("/1001", nil, func(_ context.Context, conn *server.Conn) error { return conn.Close(errors.GoingAway, "") })
	handle("/cut", nil, func(ctx context.Context, conn *server.Conn) error {
		_ = conn.Send(ctx, ws.Text("first this"))
		_ = conn.Flush(ctx)
		_, _ = conn.Receive(ctx) // until the client has received it
		return ctx.Value(key{}).(net.Conn).Close()
	})
	handle("/escape", nil, func(ctx context.Context, conn *server.Conn) error {
		_ = conn.Send(ctx, ws.Text("a\x1bb"))
		return conn.Send(ctx, ws.Binary([]byte{0, 0xff}))
	})
	s := httptest.NewUnstartedServer(mux)
	s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, key{}, c) }
	s.Start()
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	noWebSocket := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "only\ncoffee \x1bhere", http.StatusTeapot)
	}))
	t.Cleanup(noWebSocket.Close)
	nothing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "gone fishing", http.StatusServiceUnavailable)
	}))
	t.Cleanup(nothing.Close)
	for _, c := range []struct {
		name   string
		args   []string
		status int
		words  string // of stdout if status is 0, else of stderr
	}{
		{"nothing", nil, 1, "usage:"},
		{"help", []string{"help"}, 0, "usage:"},
		{"-h", []string{"-h"}, 0, "usage:"},
		{"help dial", []string{"help", "dial"}, 0, "usage: isosocket dial [flags] URL"},
		{"help serve", []string{"help", "serve"}, 0, "-max-message SIZE"},
		{"help of nothing", []string{"help", "dance"}, 1, `unknown command "dance"`},
		{"dial -h", []string{"dial", "-h"}, 0, "Exit status: 0"},
		{"serve -h", []string{"serve", "--help"}, 0, "-addr HOST:PORT"},
		{"unknown command", []string{"dance"}, 1, `isosocket: unknown command "dance"; the known ones are serve, dial and help`},
		{"unknown flag", []string{"dial", "-loud", "ws://a/"}, 1, "isosocket dial: flag provided but not defined: -loud; isosocket help dial lists the flags"},
		{"no URL", []string{"dial"}, 1, "one URL is needed, not 0; for example: isosocket dial ws://"},
		{"two URLs", []string{"dial", "ws://a/", "ws://b/"}, 1, "one URL is needed, not 2"},
		{"bad scheme", []string{"dial", "ftp://a/"}, 1, `the scheme "ftp" is not ws, wss, http or https`},
		{"no host", []string{"dial", "ws:///x"}, 1, "it has no host"},
		{"bad subprotocol", []string{"dial", "-subprotocol", "a b", "ws://a/"}, 1, `"a b" is not a token`},
		{"empty subprotocol", []string{"dial", "-subprotocol", "a,,b", "ws://a/"}, 1, "an item between the commas is empty"},
		{"doubled subprotocol", []string{"dial", "-subprotocol", "a,a", "ws://a/"}, 1, `"a" is given twice`},
		{"bad header", []string{"dial", "-header", "nonsense", "ws://a/"}, 1, `a header must look like "Name: value"`},
		{"reserved header", []string{"dial", "-header", "Upgrade: x", "ws://a/"}, 1, "Upgrade"},
		{"bad duration", []string{"dial", "-timeout", "10", "ws://a/"}, 1, "a duration must be a number with a unit, such as 500ms, 10s or 2m"},
		{"negative duration", []string{"dial", "-timeout", "-1s", "ws://a/"}, 1, "the duration may not be negative"},
		{"bad size", []string{"serve", "-max-message", "lots"}, 1, "a size must be a number of bytes"},
		{"size of 0", []string{"serve", "-max-message", "0"}, 1, "a size must be a number of bytes from 1"},
		{"size too big", []string{"serve", "-max-message", "4GiB"}, 1, "a size must be a number of bytes"},
		{"an argument too many", []string{"serve", "8080"}, 1, `unexpected argument "8080"`},
		{"no port", []string{"serve", "-addr", "8080"}, 1, `the address "8080" is not HOST:PORT, such as 127.0.0.1:8080`},
		{"bad port", []string{"serve", "-addr", ":99999"}, 1, `the port "99999" of the address is not a number from 0 to 65535`},
		{"port in use", []string{"serve", "-addr", busy.Addr().String()}, 1, "isosocket serve: cannot listen: listen tcp " + busy.Addr().String()},
		{"the way out", []string{"serve", "-addr", busy.Addr().String()}, 1, "-addr, or ADDR with make run, chooses another address"},
		{"bad origin pattern", []string{"serve", "-addr", "127.0.0.1:0", "-origin", "["}, 1, `the origin pattern "[" is none`},
		{"nothing listens", []string{"dial", "ws://127.0.0.1:1/"}, 1, "connection refused"},
		{"no WebSocket server", []string{"dial", noWebSocket.URL}, 1, "HTTP status 418"},
		{"its words", []string{"dial", noWebSocket.URL}, 1, "; the server says: only coffee \ufffdhere\n"},
		{"its words once", []string{"dial", nothing.URL}, 1, "HTTP status 503: Service Unavailable: gone fishing\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			run := startCommand(t, c.args...)
			run.ends(c.status)
			out := run.stderr.String()
			if c.status == 0 {
				out = run.stdout.String()
			} else if c.words != "usage:" && strings.Count(out, "\n") != 1 {
				t.Errorf("more than one line: %q", out)
			}
			if !strings.Contains(out, c.words) {
				t.Errorf("%v wrote %q, want %q", c.args, out, c.words)
			}
		})
	}
}

func TestDial(t *testing.T) {
	t.Parallel()
	url := startEchoes(t)
	for _, c := range []struct {
		name   string
		args   []string
		input  string
		stdout string
		stderr []string
		status int
	}{
		{name: "lines", args: []string{"-linger", "5s", url + "/echo"}, input: "one\ntwo\r\n\nfour", stdout: "one\ntwo\n\nfour\n",
			stderr: []string{"connected to " + url + "/echo\n", "connection closed: 1000 (normal closure)\n"}},
		{name: "nothing typed", args: []string{url + "/echo"},
			stderr: []string{"connection closed: 1000 (normal closure)\n"}},
		{name: "compressed", args: []string{"-compress", url + "/echo"}, input: strings.Repeat("long ", 1000) + "\n", stdout: strings.Repeat("long ", 1000) + "\n"},
		{name: "flags after the URL", args: []string{url + "/kind", "-binary"}, input: "x\n", stdout: "binary x\n"},
		{name: "binary that is no text", args: []string{"-binary", url + "/echo"}, input: "\xff\x00\n", stdout: "binary, 2 bytes: ff00\n"},
		{name: "text that is no UTF-8", args: []string{url + "/echo"}, input: "ok\n\xff\n", status: 1,
			stderr: []string{"isosocket dial: a line is not UTF-8; -binary sends any bytes"}},
		{name: "a line that is too long", args: []string{"-max-message", "8", url + "/echo"}, input: "123456789012\n", status: 1,
			stderr: []string{"a line is longer than -max-message allows, 8 bytes"}},
		{name: "what comes is too long", args: []string{"-linger", "-1s", "-max-message", "8", url + "/4001"}, status: 3,
			stderr: []string{"connection closed: 1009 (message too big)"}},
		{name: "subprotocol", args: []string{"-subprotocol", "x,a", "-subprotocol", "b", url + "/echo"},
			stderr: []string{", subprotocol a\n"}},
		{name: "headers", args: []string{"-header", "X-Test: one", "-header", "x-test:two", "-linger", "-1s", url + "/header"}, stdout: "one|two\n"},
		{name: "closed by the peer", args: []string{url + "/4001", "-linger", "-1s"}, stdout: "first this\n", status: 3,
			stderr: []string{"connection closed by the peer: 4001 (private application reason, 4000-4999): then \ufffd[2Jthat\n"}},
		{name: "going away", args: []string{url + "/1001", "-linger", "-1s"},
			stderr: []string{"connection closed by the peer: 1001 (going away)\n"}},
		{name: "cut", args: []string{url + "/cut", "-linger", "-1s"}, input: "now\n", stdout: "first this\n", status: 2,
			stderr: []string{"connection closed: 1006 (abnormal closure)"}},
		{name: "raw into a pipe", args: []string{url + "/escape", "-linger", "-1s"}, stdout: "a\x1bb\nbinary, 2 bytes: 00ff\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := startCommand(t, append([]string{"dial"}, c.args...)...)
			_, _ = io.WriteString(d.stdin, c.input) // it may have ended already
			if strings.HasSuffix(c.input, "\n") && c.stdout != "" {
				d.writes(d.stdout, c.stdout) // the input must not end before
			}
			_ = d.stdin.Close()
			d.ends(c.status)
			if c.status != 1 && d.stdout.String() != c.stdout {
				t.Errorf("stdout %.200q, want %.200q", d.stdout, c.stdout)
			}
			for _, words := range c.stderr {
				if !strings.Contains(d.stderr.String(), words) {
					t.Errorf("stderr %q, want %q", d.stderr, words)
				}
			}
		})
	}
}

func TestDialTimeout(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	d := startCommand(t, "dial", "-timeout", "50ms", "ws://"+silent.Addr().String())
	d.ends(exitFailed)
	d.writes(d.stderr, "deadline exceeded")
}

func TestDialInterrupted(t *testing.T) {
	t.Parallel()
	needSignals(t)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		ended := make(chan error, 1)
		endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
			for {
				m, err := conn.Receive(ctx)
				if err != nil {
					ended <- conn.Err()
					return err
				}
				_ = conn.Send(ctx, m)
			}
		}, nil)
		h := httptest.NewServer(endpoint)
		t.Cleanup(h.Close)
		d := startCommand(t, "dial", h.URL)
		d.types("typed before")
		d.writes(d.stdout, "typed before\n")
		d.signal(s)
		d.ends(exitDone)
		d.writes(d.stderr, "connection closed: 1001 (going away)")
		if err := <-ended; !errors.Is(err, errors.GoingAway) {
			t.Errorf("%v: the server saw %v", s, err)
		}
	}
}

func needSignals(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows sends no signals to processes")
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	needSignals(t)
	for _, flags := range [][]string{nil, {"-compress"}} {
		s, host := startServe(t, flags...)
		response, err := http.Get("http://" + host + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != 200 || string(body) != "ok\n" {
			t.Errorf("/healthz = %d %q", response.StatusCode, body)
		}

		o := &isosocket.DialOptions{MaxMessageSize: 32 << 20, Compression: &ws.Compression{ContextTakeover: true}}
		echo, err := isosocket.Dial(t.Context(), "ws://"+host+"/echo", o)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20, 16 << 20} {
			sent := ws.Binary(bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size])
			if err := echo.Send(t.Context(), sent); err != nil {
				t.Fatal(err)
			}
			if got, err := echo.Receive(t.Context()); err != nil || got.Kind != sent.Kind || !bytes.Equal(got.Data, sent.Data) {
				t.Fatalf("echo of %d bytes: %v, %d bytes, %v", size, got.Kind, len(got.Data), err)
			}
		}
		talk, err := isosocket.Dial(t.Context(), "ws://"+host+"/ws?name=ada", nil)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := talk.Receive(t.Context()); err != nil || m.String() != "* you are ada; here: ada" {
			t.Errorf("chat: %q, %v", m, err)
		}

		s.signal(os.Interrupt)
		for _, conn := range []*ws.Conn{echo, talk} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			_, err := conn.Receive(ctx)
			cancel()
			if closed, ok := errors.AsType[*errors.ConnectionClosed](err); !ok || closed.Reason != errors.GoingAway || !closed.Remote {
				t.Errorf("at the server's end: %v", err)
			}
		}
		s.ends(exitDone)
		for line := range strings.Lines(s.stderr.String()) {
			if strings.HasPrefix(line, "isosocket serve:") && !strings.Contains(line, "built without the wasm client") {
				t.Errorf("not everything has ended: %s", line)
			}
		}
	}
}

func TestServeDropsWithoutACloseFrame(t *testing.T) {
	t.Parallel()
	_, host := startServe(t)
	conn, err := isosocket.Dial(t.Context(), "ws://"+host+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Send(t.Context(), ws.Text("/drop")); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = conn.Receive(t.Context())
	}
	if !errors.Is(err, errors.AbnormalClosure) {
		t.Errorf("after /drop: %v", err)
	}
}

// A peer that never answers the close does not keep the server from ending.
func TestServeEndsInTimeDespiteASilentPeer(t *testing.T) {
	t.Parallel()
	needSignals(t)
	s, host := startServe(t)
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "GET /echo HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", host)
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "101") {
		t.Fatalf("handshake: %q, %v", line, err)
	}
	s.signal(syscall.SIGTERM)
	s.ends(exitDone)
}

func TestServeMaxMessage(t *testing.T) {
	t.Parallel()
	_, host := startServe(t, "-max-message", "1KiB")
	conn, err := isosocket.Dial(t.Context(), "ws://"+host+"/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Send(t.Context(), ws.Binary(make([]byte, 1025))); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Receive(t.Context()); !errors.Is(err, errors.MessageTooBig) {
		t.Errorf("over the limit: %v", err)
	}
}

func TestServeOrigin(t *testing.T) {
	t.Parallel()
	_, host := startServe(t, "-origin", "*.example.com")
	for origin, status := range map[string]int{"http://" + host: 0, "https://app.example.com": 0, "https://example.org": http.StatusForbidden} {
		conn, err := isosocket.Dial(t.Context(), "ws://"+host+"/ws", &isosocket.DialOptions{
			Header: http.Header{"Origin": {origin}}, Subprotocols: []string{chat.Subprotocol}})
		if err == nil {
			_ = conn.Close(errors.NormalClosure, "")
		}
		refused, _ := errors.AsType[*errors.ConnectionError](err)
		if got := 0; refused != nil {
			if got = refused.StatusCode; got != status {
				t.Errorf("%s: status %d, want %d", origin, got, status)
			}
		} else if status != 0 {
			t.Errorf("%s: not refused", origin)
		}
	}
}
