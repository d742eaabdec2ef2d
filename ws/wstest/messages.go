package wstest

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/isosocket/isosocket/ws"
)

func messageCases() []Case {
	return []Case{
		{
			ID:      "P01",
			Event:   "Text and Binary of every length class, up to the largest allowed",
			Outcome: "arrive whole, kind and bytes unchanged, in order",
			Why:     "RFC 6455, section 5.2: the payload length takes 7, 16 or 64 bits",
			Want:    wantSizes(),
			run:     runSizes,
		},
		{
			ID:      "P02",
			Event:   "text with NUL, BOM, emoji, 4-byte runes",
			Outcome: "unchanged",
			Why:     "RFC 6455, section 5.6: text is UTF-8, and a BOM is part of it",
			Want:    wantTexts(),
			run:     runTexts,
		},
		{
			ID:      "P03",
			Event:   "the peer sends a message in many fragments, with pings between",
			Outcome: "one message",
			Why:     "RFC 6455, section 5.4: control frames may come between fragments, and a fragment may end inside a rune",
			Want: []Expectation{
				same("the message", fmt.Sprintf("text %q", fragmented)),
				same("nothing else arrived", usable),
				same("the peer saw", "pong to the last ping"),
			},
			run: runFragments,
		},
	}
}

// sizes are the boundaries between the three forms of a payload length.
var sizes = []int{0, 1, 125, 126, 65535, 65536, 1 << 20}

const raisedLimit = 3<<20 + 1

func wantSizes() []Expectation {
	var want []Expectation
	for _, kind := range []ws.Kind{ws.KindText, ws.KindBinary} {
		for _, size := range sizes {
			want = append(want, same(fmt.Sprintf("%s of %d B, one at a time", kind, size), "unchanged"))
		}
	}
	return append(want,
		same("all of them sent before the first is received", "unchanged, in order"),
		same("MaxMessageSize raised to 3 MiB + 1 B, and that many bytes sent", "unchanged"),
		same("compressed, if the target can", "unchanged, in order"),
	)
}

func runSizes(r *row) {
	conn := r.dial(nil, "/echo")
	var all []ws.Message
	for _, kind := range []ws.Kind{ws.KindText, ws.KindBinary} {
		for _, size := range sizes {
			m := ws.Message{Kind: kind, Data: Pattern(size)}
			all = append(all, m)
			got := "unchanged"
			if err := conn.Send(r.ctx, m); err != nil {
				got = "Send: " + Describe(err)
			} else if back, err := conn.Receive(r.ctx); err != nil {
				got = "Receive: " + Describe(err)
			} else if !equal(back, m) {
				got = DescribeMessage(back)
			}
			r.see(fmt.Sprintf("%s of %d B, one at a time", kind, size), got)
		}
	}
	r.see("all of them sent before the first is received", r.echoAll(conn, all))

	conn = r.dial(&Options{MaxMessageSize: raisedLimit}, "/echo")
	got := r.echoAll(conn, []ws.Message{ws.Binary(Pattern(raisedLimit))})
	r.see("MaxMessageSize raised to 3 MiB + 1 B, and that many bytes sent", strings.TrimSuffix(got, ", in order"))

	const compressed = "compressed, if the target can"
	if !r.target.Server.Library {
		r.see(compressed, notRun+"the server has no library endpoints")
		return
	}
	conn = r.dial(&Options{Compression: &ws.Compression{ContextTakeover: true, Threshold: 1}}, "/library/echo", "compress", 1)
	r.see(compressed, r.echoAll(conn, all))
}

// echoAll sends all and receives as many.
func (r *row) echoAll(conn *ws.Conn, all []ws.Message) string {
	sent := make(chan error, 1)
	go func() {
		for _, m := range all {
			if err := conn.Send(r.ctx, m); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	got := r.receiveAll(conn, all)
	if err := <-sent; err != nil {
		return "Send: " + Describe(err)
	}
	return got
}

// receiveAll receives messages and describes whether they equal all.
func (r *row) receiveAll(conn *ws.Conn, all []ws.Message) string {
	for i, m := range all {
		back, err := conn.Receive(r.ctx)
		if err != nil {
			return fmt.Sprintf("message %d: %s", i, Describe(err))
		}
		if !equal(back, m) {
			return fmt.Sprintf("message %d: %s in place of %s", i, DescribeMessage(back), DescribeMessage(m))
		}
	}
	return "unchanged, in order"
}

func equal(a, b ws.Message) bool { return a.Kind == b.Kind && bytes.Equal(a.Data, b.Data) }

var texts = []struct{ name, text string }{
	{"NUL", "a\x00b\x00"},
	{"a BOM in front", "\uFEFFbyte order mark"},
	{"a BOM in the middle and behind", "a\uFEFFb\uFEFF"},
	{"emoji joined", "👩‍👩‍👧‍👦🏳️‍🌈"},
	{"runes of one to four bytes", "aé€𝄞"},
	{"the last rune of each length", "\x7f\u07ff\uffff\U0010ffff"},
	{"the replacement character", "\uFFFD"},
	{"line ends", "\r\n\n\r\u2028\u2029"},
	{"both sides of the surrogates", "\ud7ff\ue000"},
	{"a long run of 4-byte runes", strings.Repeat("𝄞", 20000)},
}

func wantTexts() []Expectation {
	var want []Expectation
	for _, t := range texts {
		want = append(want, same(t.name, "unchanged"), same(t.name+", ReceiveInto", "unchanged"))
	}
	return want
}

func runTexts(r *row) {
	conn := r.dial(nil, "/echo")
	buf := make([]byte, 0, 100)
	for _, t := range texts {
		for _, into := range []bool{false, true} {
			key, got := t.name, "unchanged"
			if err := conn.Send(r.ctx, ws.Text(t.text)); err != nil {
				got = "Send: " + Describe(err)
			}
			receive := conn.Receive
			if into {
				key += ", ReceiveInto"
				receive = func(ctx context.Context) (ws.Message, error) { return conn.ReceiveInto(ctx, buf) }
			}
			if m, err := receive(r.ctx); err != nil {
				got = "Receive: " + Describe(err)
			} else if m.Kind != ws.KindText || m.String() != t.text {
				got = fmt.Sprintf("%s %.100q", m.Kind, m.Data)
			}
			r.see(key, got)
		}
	}
}

const fragmented = "fragments: é € 𝄞 👩‍👧"

func runFragments(r *row) {
	id := r.newID()
	conn := r.dial(nil, "/fragments", "id", id, "text", fragmented)
	r.see("the message", r.receive(conn))
	r.see("nothing else arrived", r.echoes(conn))
	_ = conn.Close(1000, "")
	r.see("the peer saw", first(r.events(id)))
}

// first returns the first event, or says that there is none.
func first(events []string) string {
	if len(events) == 0 {
		return "nothing"
	}
	return events[0]
}

// last returns the last event, or says that there is none.
func last(events []string) string {
	if len(events) == 0 {
		return "nothing"
	}
	return events[len(events)-1]
}
