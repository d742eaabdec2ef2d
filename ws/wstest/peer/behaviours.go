package peer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/isosocket/isosocket/ws/wstest"
)

// behaviours maps paths to the behaviours of a peer after a valid handshake.
var behaviours = map[string]func(*link) error{
	"/echo":      (*link).echo,
	"/fragments": (*link).fragments,
	"/burst":     (*link).burst,
	"/close":     (*link).closeNow,
	"/drop":      (*link).drop,
	"/silent":    (*link).silent,
	"/stall":     (*link).stall,
	"/cross":     (*link).cross,
	"/closewhen": (*link).closeWhen,
	"/large":     (*link).large,
	"/trickle":   (*link).trickle,
	"/announce":  (*link).announce,
	"/pinger":    (*link).pinger,
	"/mute":      (*link).mute,
	"/sip":       (*link).sip,
	"/ticker":    (*link).ticker,
	"/flood":     (*link).flood,
	"/violate":   (*link).violate,
	"/after":     (*link).after,
	"/request":   (*link).describeRequest,
}

// fragments sends a text byte by byte, which splits runes, with a ping before each fragment (RFC
// 6455, section 5.4).
func (l *link) fragments() error {
	text := l.query.Get("text")
	if len(text) < 2 {
		return errors.New("text= needs two bytes at least")
	}
	var out bytes.Buffer
	for i := range len(text) {
		first := byte(opContinuation)
		if i == 0 {
			first = opText
		}
		if i == len(text)-1 {
			first |= fin
		}
		out.Write(l.frame(fin|opPing, strconv.AppendInt(nil, int64(i), 10)))
		out.Write(l.frame(first, []byte{text[i]}))
	}
	// An answer to the last ping answers them all (RFC 6455, section 5.5.3).
	last := strconv.Itoa(len(text) - 1)
	if err := l.write(out.Bytes()); err != nil {
		return err
	}
	for {
		m, err := l.read()
		if err != nil {
			return l.sawEnd(err)
		}
		if m.op == opPong && string(m.payload) == last {
			l.saw("pong to the last ping")
			return l.echo()
		}
	}
}

// numbered returns the i-th message of a sequence: its number in decimal, padded with dashes to
// size bytes.
func numbered(i, size int) []byte {
	b := strconv.AppendInt(nil, int64(i), 10)
	for len(b) < size {
		b = append(b, '-')
	}
	return b
}

// burst sends its messages, and the close after them, in one write if they
// are small.
func (l *link) burst() error {
	var out bytes.Buffer
	for i := range l.number("n") {
		out.Write(l.frame(fin|opText, numbered(i, l.number("size"))))
		if out.Len() > 1<<16 {
			if err := l.write(out.Bytes()); err != nil {
				return err
			}
			out.Reset()
		}
	}
	if l.number("close") == 0 {
		if err := l.write(out.Bytes()); err != nil {
			return err
		}
		l.saw("sent")
		return l.echo()
	}
	out.Write(l.frame(fin|opClose, closePayload(l.number("close"), l.query.Get("message"))))
	if err := l.write(out.Bytes()); err != nil {
		return err
	}
	return l.awaitClose()
}

func (l *link) closeNow() error { return l.close(l.number("code"), l.query.Get("message")) }

// drop ends the connection without a close frame.
func (l *link) drop() error {
	for i := range l.number("n") {
		if err := l.write(l.frame(fin|opText, numbered(i, 0))); err != nil {
			return err
		}
	}
	if l.query.Get("at") != "once" {
		// The client is open now, and has the messages that a reset would discard.
		if m, err := l.read(); err != nil || m.op != opText {
			return l.sawEnd(fmt.Errorf("waiting for a text: %v %v", m, err))
		}
	}
	if l.query.Get("half") != "" {
		if err := l.write(l.frame(fin|opText, []byte("a frame that is cut"))[:9]); err != nil {
			return err
		}
	}
	how := l.query.Get("how")
	if how != "fin" && how != "rst" && how != "killed" {
		return fmt.Errorf("how=%q is not fin, rst or killed", how)
	}
	if stream, ok := l.conn.(Stream); ok {
		switch how {
		case "fin":
			return stream.CloseWrite()
		case "rst":
			return stream.Reset()
		}
		return stream.Lose()
	}
	tcp, ok := l.conn.(*net.TCPConn)
	if !ok {
		return errors.New("/drop needs TCP without TLS, or a Stream")
	}
	switch how {
	case "fin":
		return tcp.CloseWrite()
	case "rst":
		if err := tcp.SetLinger(0); err != nil {
			return err
		}
		return tcp.Close()
	}
	return l.kill(tcp)
}

// kill passes the socket to a process, closes its own copy, and kills the process. The kernel
// then ends the connection as that of a dead server.
func (l *link) kill(tcp *net.TCPConn) error {
	file, err := tcp.File()
	if err != nil {
		return err
	}
	holder := exec.Command("sleep", "60")
	holder.ExtraFiles = []*os.File{file}
	err = holder.Start()
	file.Close()
	if err != nil {
		return err
	}
	defer func() { _ = holder.Wait() }()
	tcp.Close()
	return holder.Process.Kill()
}

// silent never answers. It ends when the client disconnects, or hold= after its close frame: a
// browser waits for a long time, and the number of its sockets is limited.
func (l *link) silent() error {
	for {
		m, err := l.read()
		if err != nil {
			return l.sawEnd(err)
		}
		if m.op != opClose && l.query.Has("record") {
			l.saw("%s", describe(m))
		}
		if m.op == opClose {
			l.sawClose(m)
			if hold := l.duration("hold"); hold > 0 {
				if err := l.conn.SetReadDeadline(time.Now().Add(hold)); err != nil {
					return err
				}
			}
		}
	}
}

// stall reads nothing until /tell.
func (l *link) stall() error {
	if err := l.waitTold(); err != nil {
		return err
	}
	return l.echo()
}

// cross answers the client's close as if both had closed at once.
func (l *link) cross() error {
	for {
		m, err := l.read()
		if err != nil {
			return l.sawEnd(err)
		}
		if m.op == opClose {
			l.sawClose(m)
			return l.write(l.frame(fin|opClose, closePayload(l.number("code"), l.query.Get("message"))))
		}
	}
}

// closeWhen closes after /tell, and keeps reading until then.
func (l *link) closeWhen() error {
	closed := make(chan error, 1)
	go func() {
		err := l.waitTold()
		if err == nil {
			err = l.write(l.frame(fin|opClose, closePayload(l.number("code"), l.query.Get("message"))))
		}
		closed <- err
	}()
	err := l.awaitClose()
	if e := <-closed; e != nil {
		return e
	}
	return err
}

// large stops in the middle of a message.
func (l *link) large() error {
	payload := wstest.Pattern(l.number("size"))
	half := len(payload) / 2
	if err := l.write(l.header(fin|opBinary, len(payload))); err != nil {
		return err
	}
	if err := l.write(payload[:half]); err != nil {
		return err
	}
	l.saw("half sent")
	if err := l.waitTold(); err != nil {
		return err
	}
	if err := l.write(payload[half:]); err != nil {
		return err
	}
	return l.echo()
}

// trickle sends slowly, so a client's waits end at every position in a frame.
func (l *link) trickle() error {
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	for i := range l.number("n") {
		f := l.frame(fin|opText, numbered(i, 0))
		cut := 1 + i%(len(f)-1)
		if err := l.write(f[:cut]); err != nil {
			return err
		}
		if i%4 == 0 { // a pause now and then, in the middle of a frame
			<-pause.C
		}
		if err := l.write(f[cut:]); err != nil {
			return err
		}
	}
	return l.echo()
}

// announce sends a header whose payload follows only when the client asks.
func (l *link) announce() error {
	size := l.number("size")
	if err := l.write(l.header(fin|opBinary, size)); err != nil {
		return err
	}
	for {
		m, err := l.read()
		if err != nil {
			return l.sawEnd(err)
		}
		switch m.op {
		case opText:
			l.saw("payload sent")
			if err := l.write(wstest.Pattern(size)); err != nil {
				return err
			}
		case opClose:
			l.sawClose(m)
			return l.write(l.frame(fin|opClose, m.payload))
		}
	}
}

// pinger sends pings, and fails if an answer is late.
func (l *link) pinger() error {
	for i := range l.number("messages") {
		if err := l.write(l.frame(fin|opText, numbered(i, 0))); err != nil {
			return err
		}
	}
	for i := range l.number("n") {
		payload := []byte(strconv.Itoa(i))
		if err := l.write(l.frame(fin|opPing, payload)); err != nil {
			return err
		}
		if err := l.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		m, err := l.read()
		if err != nil {
			return l.sawEnd(err)
		}
		if m.op != opPong || !bytes.Equal(m.payload, payload) {
			l.saw("%#x %q in place of the pong", m.op, m.payload)
			return errors.New("no pong")
		}
		l.saw("pong %s", m.payload)
	}
	if err := l.conn.SetReadDeadline(time.Now().Add(behaviourTimeout)); err != nil {
		return err
	}
	l.saw("all pongs")
	if err := l.write(l.frame(fin|opText, []byte("done"))); err != nil {
		return err
	}
	return l.echo()
}

// mute ignores pings.
func (l *link) mute() error {
	for {
		m, err := l.read()
		if err != nil {
			return l.sawEnd(err)
		}
		switch m.op {
		case opPing:
			l.saw("ping")
		case opClose:
			l.sawClose(m)
			return l.write(l.frame(fin|opClose, m.payload))
		}
	}
}

// sip reads rate= bytes a second, and sends nothing.
func (l *link) sip() error {
	rate := l.number("rate")
	if rate <= 0 {
		return errors.New("rate= is not a number of bytes")
	}
	buf := make([]byte, 8<<10)
	for {
		n, err := io.ReadFull(l.reader, buf)
		if err != nil {
			return l.sawEnd(err)
		}
		time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
	}
}

// ticker sends a message every= so often, and answers default heartbeats.
func (l *link) ticker() error {
	every := l.duration("every")
	if every <= 0 {
		return errors.New("every= is not a duration")
	}
	var mu sync.Mutex // orders the writes
	done := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() {
		ticks := time.NewTicker(every)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
			case <-done:
				return
			}
			mu.Lock()
			err := l.write(l.frame(fin|opText, []byte("tick")))
			mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	defer ticking.Wait()
	defer close(done)
	for {
		m, err := l.read()
		if err != nil {
			return l.sawEnd(err)
		}
		mu.Lock()
		switch {
		case m.op == opClose:
			l.sawClose(m)
			err = l.write(l.frame(fin|opClose, m.payload))
			mu.Unlock()
			return err
		case m.op == opText && string(m.payload) == "\x05":
			l.saw("heartbeat")
			err = l.write(l.frame(fin|opText, []byte("\x06")))
		}
		mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// flood sends more data than all buffers of the connection hold, and records whether it was
// slowed down.
func (l *link) flood() error {
	size := l.number("size")
	slowed := false
	for i := range l.number("n") {
		f := l.frame(fin|opText, numbered(i, size))
		for len(f) > 0 {
			// The first timeout detects the slowdown; after that, the write waits.
			patience := behaviourTimeout
			if !slowed {
				patience = time.Second
			}
			if err := l.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
				return err
			}
			n, err := l.conn.Write(f)
			f = f[n:]
			if err == nil {
				continue
			}
			if slowed || !errors.Is(err, os.ErrDeadlineExceeded) {
				return l.sawEnd(err)
			}
			slowed = true
			l.saw("slowed down")
		}
	}
	l.saw("all sent")
	return l.echo()
}

// violate commits the protocol violation that what= names, when the client has sent a text.
func (l *link) violate() error {
	if m, err := l.read(); err != nil || m.op != opText {
		return l.sawEnd(fmt.Errorf("waiting for a text: %v %v", m, err))
	}
	var out []byte
	switch what := l.query.Get("what"); what {
	case "text that is not UTF-8":
		out = l.frame(fin|opText, []byte("caf\xe9!"))
	case "a rune cut by the end of the message":
		out = append(l.frame(opText, []byte("caf\xc3")), l.frame(fin|opContinuation, nil)...)
	case "a reserved bit":
		out = l.frame(fin|rsv1|opText, []byte("x"))
	case "an unknown opcode":
		out = l.frame(fin|0x3, []byte("x"))
	case "an unknown control opcode":
		out = l.frame(fin|0xB, []byte("x"))
	case "a masked frame":
		out = l.wronglyMasked(fin|opText, []byte("x"))
	case "a fragmented ping":
		out = l.frame(opPing, []byte("x"))
	case "a ping of 126 bytes":
		out = l.frame(fin|opPing, make([]byte, 126))
	case "a continuation of nothing":
		out = l.frame(fin|opContinuation, []byte("x"))
	case "a message within a message":
		out = append(l.frame(opText, []byte("x")), l.frame(fin|opText, []byte("y"))...)
	case "a close payload of one byte":
		out = l.frame(fin|opClose, []byte{3})
	case "a close reason 999", "a close reason 1004", "a close reason 1006", "a close reason 1015", "a close reason 1016",
		"a close reason 2999", "a close reason 5000":
		reason, err := strconv.Atoi(strings.TrimPrefix(what, "a close reason "))
		if err != nil {
			return err
		}
		out = l.frame(fin|opClose, closePayload(reason, ""))
	case "a close message that is not UTF-8":
		out = l.frame(fin|opClose, closePayload(1000, "caf\xe9"))
	default:
		return fmt.Errorf("what=%q is no violation", what)
	}
	if err := l.write(out); err != nil {
		return err
	}
	return l.awaitClose()
}

// after sends a text, a close frame and another frame in one write; RFC 6455, section 5.5.1,
// forbids the last one.
func (l *link) after() error {
	out := append(l.frame(fin|opText, []byte("before")), l.frame(fin|opClose, closePayload(l.number("code"), "bye"))...)
	switch what := l.query.Get("what"); what {
	case "a text":
		out = append(out, l.frame(fin|opText, []byte("after"))...)
	case "a fragment":
		out = append(out, l.frame(opText, []byte("after"))...)
	case "a ping":
		out = append(out, l.frame(fin|opPing, []byte("after"))...)
	case "a close frame":
		out = append(out, l.frame(fin|opClose, closePayload(1011, "second"))...)
	case "bytes that are no frame":
		out = append(out, 0xff, 0xff, 0xff)
	default:
		return fmt.Errorf("what=%q is no frame that can follow", what)
	}
	if err := l.write(out); err != nil {
		return err
	}
	return l.awaitClose()
}

// Request is the message that /request sends.
type Request struct {
	URI    string              // of the request line
	Host   string              // the Host header
	Header map[string][]string // all others
}

func (l *link) describeRequest() error {
	text, err := json.Marshal(Request{l.request.RequestURI, l.request.Host, l.request.Header})
	if err != nil {
		return err
	}
	if err := l.write(l.frame(fin|opText, text)); err != nil {
		return err
	}
	return l.echo()
}

// hangTime bounds the wait for the client to end a handshake that is not answered.
const hangTime = 20 * time.Second

// hang reads until the client ends the handshake, for hold= at most.
func (l *link) hang() error {
	l.saw("request")
	hold, err := time.ParseDuration(l.query.Get("hold"))
	if err != nil {
		hold = hangTime
	}
	if err := l.conn.SetReadDeadline(time.Now().Add(hold)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, l.reader)
	switch {
	case err == nil:
		err = io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return err
	}
	return l.sawEnd(err)
}
