package behaviour

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/bench/internal/wire"
)

const (
	// patience bounds the wait for something that should happen, and is the time to wait for
	// something that should not.
	patience = 6 * time.Second
	// brief is how long a client waits for a message that arrives in two halves.
	brief = 50 * time.Millisecond

	page = "../../../docs/comparison.md"
)

// peers are the libraries in the columns of the table.
var peers = []struct {
	name string
	dial func(url string) (client, error)
}{
	{"isosocket", dialIsosocket},
	{"coder/websocket", dialCoder},
	{"gorilla/websocket", dialGorilla},
	{"gws", dialGWS},
}

// client is a connection of any of the libraries, used without any background work of the
// program.
type client interface {
	// receive waits for a message for at most limit.
	receive(limit time.Duration) (string, error)
	send(text string) error
	// reason returns the close reason that the library has reported, or 0. err is the error of
	// the last send.
	reason(err error) int
	drop()
}

// The values of the table's cells.
const (
	arrives     = "the next receive returns it"
	neverComes  = "no later receive returns it"
	answered    = "answered"
	unanswered  = "not answered"
	reasonKnown = "learns the reason"
	noReason    = "does not learn it"
)

// behaviours are the rows of the table.
var behaviours = []struct {
	event string
	want  [4]string // of peers
	run   func(t *testing.T, dial func(url string) (client, error)) string
}{
	{
		event: "a receive times out in the middle of a message",
		want:  [4]string{arrives, neverComes, neverComes, neverComes},
		run:   runTimeout,
	},
	{
		event: "a ping comes while the program does not receive",
		want:  [4]string{answered, unanswered, unanswered, answered},
		run:   runPing,
	},
	{
		event: "the peer closes with 4001 while the program only sends",
		want:  [4]string{reasonKnown, noReason, noReason, reasonKnown},
		run:   runClose,
	},
}

func TestBehaviour(t *testing.T) {
	t.Parallel()
	for _, b := range behaviours {
		for i, p := range peers {
			t.Run(b.event+"/"+p.name, func(t *testing.T) {
				t.Parallel()
				if got := b.run(t, p.dial); got != b.want[i] {
					t.Errorf("%s: %s, want %s", p.name, got, b.want[i])
				}
			})
		}
	}
}

// TestBehaviourWithAReader shows that the libraries behave the same in a program that always
// receives.
func TestBehaviourWithAReader(t *testing.T) {
	t.Parallel()
	for _, b := range behaviours[1:] {
		for _, p := range peers[:3] {
			t.Run(b.event+"/"+p.name, func(t *testing.T) {
				t.Parallel()
				if got := b.run(t, reading(p.dial)); got != b.want[0] {
					t.Errorf("%s with a reader: %s, want %s", p.name, got, b.want[0])
				}
			})
		}
	}
}

// TestTableIsInTheDocs checks that docs/comparison.md has the table that the tests show.
func TestTableIsInTheDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| what happens |")
	for _, p := range peers {
		b.WriteString(" " + p.name + " |")
	}
	b.WriteString("\n|" + strings.Repeat(" --- |", 1+len(peers)) + "\n")
	for _, row := range behaviours {
		fmt.Fprintf(&b, "| %s | %s |\n", row.event, strings.Join(row.want[:], " | "))
	}
	if !strings.Contains(string(text), b.String()) {
		t.Errorf("the page lacks this table, exactly:\n%s", b.String())
	}
}

// runTimeout sends half of a message, and the rest after the client's receive has timed out.
func runTimeout(t *testing.T, dial func(url string) (client, error)) string {
	const text = "in the middle of a message"
	frame := wire.AppendServerFrame(nil, wire.Text, []byte(text))
	rest := make(chan struct{})
	c := connect(t, dial, func(conn net.Conn) error {
		if _, err := conn.Write(frame[:len(frame)/2]); err != nil {
			return err
		}
		<-rest
		// A client that has closed is a result, not a failure.
		_, _ = conn.Write(frame[len(frame)/2:])
		_, _ = io.Copy(io.Discard, conn)
		return nil
	})
	got, err := c.receive(brief)
	close(rest)
	if err == nil {
		t.Fatalf("half a message was received as %q", got)
	}
	if got, err = c.receive(patience); err == nil && got == text {
		return arrives
	}
	t.Logf("received %q, %v", got, err)
	return neverComes
}

// runPing sends a ping to a client that makes no calls.
func runPing(t *testing.T, dial func(url string) (client, error)) string {
	result := make(chan string, 1)
	connect(t, dial, func(conn net.Conn) error {
		if _, err := conn.Write([]byte{0x89, 0}); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		switch opcode, _, err := readFrame(conn); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			result <- unanswered
		case err != nil:
			return err
		case opcode == 10:
			result <- answered
		default:
			return fmt.Errorf("a frame with opcode %d answers a ping", opcode)
		}
		_, _ = io.Copy(io.Discard, conn) // until the client disconnects
		return nil
	})
	select {
	case got := <-result:
		return got
	case <-time.After(2 * patience):
		t.Fatal("the server saw neither a pong nor its timeout")
		return ""
	}
}

// runClose sends a close frame to a client that only sends.
func runClose(t *testing.T, dial func(url string) (client, error)) string {
	payload := append(binary.BigEndian.AppendUint16(nil, 4001), "enough"...)
	c := connect(t, dial, func(conn net.Conn) error {
		if _, err := conn.Write(append([]byte{0x88, byte(len(payload))}, payload...)); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		for { // like a server that waits for the answer with a timeout
			opcode, got, err := readFrame(conn)
			if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if opcode == 8 {
				if !bytes.HasPrefix(got, payload[:2]) {
					return fmt.Errorf("the close frame was answered with %x", got)
				}
				return nil
			}
		}
	})
	for end := time.Now().Add(2 * patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		err := c.send("still here")
		if got := c.reason(err); got == 4001 {
			return reasonKnown
		} else if got != 0 {
			t.Fatalf("the reported reason is %d", got)
		}
		if err != nil {
			t.Log(err)
			return noReason
		}
	}
	t.Fatal("no send failed")
	return ""
}

// connect connects a client to a server that calls serve after the handshake.
func connect(t *testing.T, dial func(url string) (client, error), serve func(net.Conn) error) client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		defer conn.Close()
		if err := wire.Accept(conn); err != nil {
			served <- err
			return
		}
		served <- serve(conn)
	}()
	c, err := dial("ws://" + l.Addr().String() + "/")
	if err != nil {
		l.Close()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.drop()
		l.Close()
		if err := <-served; err != nil {
			t.Error("server:", err)
		}
	})
	return c
}

// readFrame reads one frame from a client, at most 125 bytes long.
func readFrame(r io.Reader) (opcode byte, payload []byte, err error) {
	var head [6]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	payload = make([]byte, head[1]&0x7f)
	if len(payload) > 125 {
		return 0, nil, errors.New("a frame that is too long for this test")
	}
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, err
	}
	for i := range payload {
		payload[i] ^= head[2+i%4]
	}
	return head[0] & 0xf, payload, nil
}
