//go:build !js

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/chat"
	"github.com/isosocket/isosocket/internal/testing/transcript"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

const patience = time.Minute

// session is a terminal client that runs in this process.
type session struct {
	t      *testing.T
	keys   *io.PipeWriter
	screen *transcript.Transcript
	stop   context.CancelFunc // Ctrl-C
	status chan int
}

func startSession(t *testing.T, args ...string) *session {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	in, keys := io.Pipe()
	s := &session{t: t, keys: keys, screen: transcript.New(), stop: stop, status: make(chan int, 1)}
	go func() { s.status <- run(ctx, args, in, s.screen, s.screen) }()
	t.Cleanup(func() {
		_ = keys.Close()
		stop()
	})
	return s
}

func (s *session) types(lines ...string) {
	s.t.Helper()
	for _, line := range lines {
		if _, err := io.WriteString(s.keys, line+"\n"); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *session) shows(words string) {
	s.t.Helper()
	late := time.After(patience)
	for {
		text, more := s.screen.Read()
		if strings.Contains(text, words) {
			return
		}
		select {
		case <-more:
		case <-late:
			s.t.Fatalf("the terminal does not show %q but\n%s", words, text)
		}
	}
}

func (s *session) ends(status int) {
	s.t.Helper()
	select {
	case got := <-s.status:
		if got != status {
			s.t.Errorf("exit status %d, want %d; the terminal shows\n%s", got, status, s.screen)
		}
	case <-time.After(patience):
		s.t.Fatalf("the client does not end; the terminal shows\n%s", s.screen)
	}
}

// chatServer serves the chat to one client at a time: it answers joins and pings, and echoes
// texts. asked receives every message, and ended the error of every connection. react, if not
// nil, handles each message in addition.
type chatServer struct {
	url   string
	asked chan chat.Message
	ended chan *errors.ConnectionClosed
	react func(conn *server.Conn, netConn net.Conn, m chat.Message)
}

type netConnKey struct{}

func newChatServer(t *testing.T, react func(conn *server.Conn, netConn net.Conn, m chat.Message)) *chatServer {
	t.Helper()
	s := &chatServer{asked: make(chan chat.Message, 1000), ended: make(chan *errors.ConnectionClosed, 10), react: react}
	endpoint := server.Handler(s.serve, &server.Options{Subprotocols: []string{chat.Subprotocol}, AnswerHeartbeat: &ws.Heartbeat{}})
	h := httptest.NewUnstartedServer(endpoint)
	h.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, netConnKey{}, c)
	}
	h.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := endpoint.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		h.Close()
	})
	s.url = "ws" + strings.TrimPrefix(h.URL, "http")
	return s
}

func (s *chatServer) serve(ctx context.Context, conn *server.Conn) error {
	tell := func(m chat.Message) {
		_ = conn.Send(context.Background(), ws.Message{Kind: ws.KindText, Data: m.Encode()})
	}
	name := ""
	for {
		in, err := conn.Receive(ctx)
		if err != nil {
			closed, _ := errors.AsType[*errors.ConnectionClosed](conn.Err())
			s.ended <- closed
			return err
		}
		m, err := chat.Decode(in.Data)
		if err != nil {
			return err
		}
		switch m.Type {
		case chat.Join:
			name = m.Name
			tell(chat.Message{Type: chat.Welcome, ID: 1, Name: name, People: []chat.Person{{ID: 1, Name: name}}})
		case chat.Say:
			tell(chat.Message{Type: chat.Said, ID: 1, Name: name, Text: m.Text, Time: time.Now().UnixMilli()})
		case chat.Ping:
			tell(chat.Message{Type: chat.Pong, Seq: m.Seq})
		}
		s.asked <- m
		if s.react != nil {
			netConn, _ := ctx.Value(netConnKey{}).(net.Conn)
			s.react(conn, netConn, m)
		}
	}
}

// hears waits for a message of a type.
func (s *chatServer) hears(t *testing.T, want chat.Type) chat.Message {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case m := <-s.asked:
			if m.Type == want {
				return m
			}
		case <-late:
			t.Fatalf("the server did not receive a %s", want)
		}
	}
}

// sees fails unless the client closes the connection with reason and message.
func (s *chatServer) sees(t *testing.T, reason errors.CloseReason, message string) {
	t.Helper()
	select {
	case closed := <-s.ended:
		if closed == nil || closed.Reason != reason || closed.Message != message || !closed.Remote {
			t.Errorf("the server saw %v, want %v, %q", closed, reason, message)
		}
	case <-time.After(patience):
		t.Fatal("the connection did not end")
	}
}

func TestTerminalChat(t *testing.T) {
	t.Parallel()
	srv := newChatServer(t, nil)
	s := startSession(t, "-name", "ada", srv.url)
	s.shows("* You are ada")
	if m := srv.hears(t, chat.Join); m.Name != "ada" || !strings.Contains(m.Platform, "/") {
		t.Errorf("join = %+v", m)
	}
	s.types("hello", "", "/who", "/rtt", "/help", "/dance", "/name Ada L", "/close server 4000 bye")
	s.shows("ada: hello")
	s.shows("* Here: ada")
	s.shows("No message has made the round trip yet")
	s.shows("/reconnect")
	s.shows(`! unknown command "/dance"`)
	if m := srv.hears(t, chat.Rename); m.Name != "Ada L" {
		t.Errorf("rename = %+v", m)
	}
	if m := srv.hears(t, chat.Close); m.Reason != 4000 || m.Text != "bye" {
		t.Errorf("close = %+v", m)
	}
	_ = s.keys.Close()
	s.ends(0)
	srv.sees(t, errors.NormalClosure, "")
}

// TestTerminalSaysAllBeforeItQuits checks that the client sends all of its input, and that the
// server returns it, before the client closes.
func TestTerminalSaysAllBeforeItQuits(t *testing.T) {
	t.Parallel()
	srv := newChatServer(t, nil)
	s := startSession(t, srv.url)
	for n := range 200 {
		s.types(fmt.Sprint("line ", n))
	}
	_ = s.keys.Close()
	s.ends(0)
	srv.sees(t, errors.NormalClosure, "")
	text := s.screen.String()
	for n := range 200 {
		if !strings.Contains(text, fmt.Sprintf(": line %d\n", n)) {
			t.Fatalf("line %d was not returned", n)
		}
	}
}

func TestTerminalExitStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		react  func(conn *server.Conn, netConn net.Conn)
		shows  string
		status int
	}{
		{"1000", func(conn *server.Conn, _ net.Conn) { _ = conn.Close(errors.NormalClosure, "enough") },
			"* Closed by the server: 1000 (normal closure): enough", 0},
		{"1001", func(conn *server.Conn, _ net.Conn) { _ = conn.Close(errors.GoingAway, "") },
			"! Closed by the server: 1001 (going away): that side shuts down or leaves; trying again in", 0},
		{"4001", func(conn *server.Conn, _ net.Conn) { _ = conn.Close(4001, "elsewhere") },
			"* Closed by the server: 4001 (private application reason, 4000-4999): elsewhere", 3},
		{"1006", func(_ *server.Conn, netConn net.Conn) { _ = netConn.Close() },
			"! Connection lost: 1006 (abnormal closure): the link broke without a close frame; trying again in", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := newChatServer(t, func(conn *server.Conn, netConn net.Conn, m chat.Message) {
				if m.Type == chat.Join {
					c.react(conn, netConn)
				}
			})
			s := startSession(t, srv.url)
			s.shows(c.shows)
			s.types("/quit")
			s.ends(c.status)
		})
	}
}

func TestTerminalRefusesBadInput(t *testing.T) {
	t.Parallel()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusForbidden)
	}))
	t.Cleanup(refusing.Close)
	for _, c := range []struct {
		name  string
		args  []string
		words string
	}{
		{"no URL", nil, "one URL is needed, not 0; for example: wasm ws://"},
		{"two URLs", []string{"ws://a/", "ws://b/"}, "one URL is needed, not 2"},
		{"unknown flag", []string{"-loud", "ws://a/"}, "flag provided but not defined: -loud"},
		{"bad name", []string{"-name", "\x07", "ws://a/"}, `a name may not have the character '\a'`},
		{"bad scheme", []string{"ftp://a/"}, `the scheme "ftp" is not ws, wss, http or https`},
		{"refused", []string{refusing.URL}, "the server answered with the HTTP status 403"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := startSession(t, c.args...)
			s.ends(1)
			s.shows(c.words)
		})
	}
	s := startSession(t, "-h")
	s.ends(0)
	s.shows("usage: wasm")
}

func TestTerminalComesBack(t *testing.T) {
	t.Parallel()
	drops := 0
	srv := newChatServer(t, func(_ *server.Conn, netConn net.Conn, m chat.Message) {
		if m.Type == chat.Drop && drops == 0 {
			drops++
			_ = netConn.Close()
		}
	})
	s := startSession(t, "-name", "ada", srv.url)
	s.shows("You are ada")
	s.types("/drop")
	s.shows("! Connection lost: 1006 (abnormal closure)")
	s.types("said meanwhile")
	if m := srv.hears(t, chat.Say); m.Text != "said meanwhile" {
		t.Errorf("say = %+v", m)
	}
	s.types("/reconnect")
	if closed := <-srv.ended; closed.Reason != errors.AbnormalClosure {
		t.Errorf("the dropped connection ended with %v", closed)
	}
	srv.sees(t, errors.NormalClosure, "reconnecting")
	s.shows("Closed by this side: 1000 (normal closure): reconnecting")
	if m := srv.hears(t, chat.Join); m.Name != "ada" {
		t.Errorf("join = %+v", m)
	}
	s.stop()
	s.ends(0)
	srv.sees(t, errors.GoingAway, "")
}

func TestTerminalClosesOnGarbage(t *testing.T) {
	t.Parallel()
	srv := newChatServer(t, func(conn *server.Conn, _ net.Conn, m chat.Message) {
		if m.Type == chat.Join {
			_ = conn.Send(context.Background(), ws.Text("what?"))
		}
	})
	s := startSession(t, srv.url)
	s.shows("Closed by this side: 1007 (invalid payload): not a JSON message of the chat")
	if closed := <-srv.ended; closed.Reason != errors.InvalidPayload || !closed.Remote {
		t.Errorf("the server saw %v", closed)
	}
	s.types("hello?")
	s.shows("! not connected, so this was not said: hello?")
	s.types("/quit")
	s.ends(3)
}

// What a stranger says cannot steer the terminal.
func TestTerminalShowsControlCharactersAsSuch(t *testing.T) {
	t.Parallel()
	out := transcript.New()
	s := newState()
	s.apply(chat.Message{Type: chat.Said, ID: 9, Name: "eve", Text: "\x1b[2Jgone"}, noon)
	(&terminal{out: out, problems: out}).show(s)
	if text := out.String(); !strings.HasSuffix(text, " eve: \ufffd[2Jgone\n") {
		t.Errorf("shown: %q", text)
	}
}

// A connection on which nothing arrives any more, but which neither side closed, is replaced.
func TestClientFindsAHalfOpenLink(t *testing.T) {
	t.Parallel()
	srv := newChatServer(t, nil)
	target := strings.TrimPrefix(srv.url, "ws://")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cut := make(chan struct{}) // when closed, the first connection carries nothing more
	var relays sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		relays.Wait()
	})
	relays.Go(func() {
		for first := true; ; first = false {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", target)
			if err != nil {
				_ = client.Close()
				return
			}
			blackhole := first
			pass := func(to, from net.Conn) {
				buf := make([]byte, 4096)
				for {
					n, err := from.Read(buf)
					if err != nil {
						_ = to.Close()
						return
					}
					select {
					case <-cut:
						if blackhole {
							continue
						}
					default:
					}
					_, _ = to.Write(buf[:n])
				}
			}
			relays.Go(func() { pass(upstream, client) })
			relays.Go(func() { pass(client, upstream) })
		}
	})

	out := transcript.New()
	l := newLink("ws://"+listener.Addr().String(), true)
	l.heartbeat = ws.Heartbeat{Every: 100 * time.Millisecond, Timeout: 3 * time.Second}
	c := newClient(l, &terminal{out: out, problems: out}, "ada")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.run(ctx) }()
	s := &session{t: t, screen: out}
	s.shows("You are ada")
	close(cut)
	s.shows("! Closed by this side: 1008 (policy violation): Ping/Pong timeout; trying again")
	c.ask(chat.Command{Verb: chat.VerbSay, Text: "back"})
	s.shows("ada: back")
	stop()
	if err := <-ended; !errors.Is(err, errors.GoingAway) {
		t.Errorf("run = %v", err)
	}
}
