//go:build !js

package main

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// testCase holds the facts of a case of the suite, by its number: what the peer sends, what must come,
// and how the connection must end.
type testCase struct {
	id   string
	send []frame
	chop int      // bytes for each write, 0 for all at once
	want []string // events, in order
	// codes are those of which the testee may send one in its close frame, after which the connection
	// ends. If there is none, the peer closes with 1000, and the testee answers with 1000.
	codes []int
	// alone: the testee may also end the connection without a close frame.
	alone bool
	// open: what comes before the end is the testee's choice, as in the informational cases.
	open bool

	messages *exchange // instead of send: messages that are echoed, one after the other
}

// frame is a frame to send.
type frame struct {
	first   byte
	payload []byte
	pause   bool // the peer waits before it, so that a testee that fails has the time to
	split   int  // the frame is written in two parts with a pause between: split bytes of payload first
}

// exchange is a number of messages, in frames of a size, perhaps compressed.
type exchange struct {
	data     []byte // a message is a part of it
	binary   bool
	size     int
	count    int
	fragment int    // size of frames, 0 for one frame
	offer    string // Sec-WebSocket-Extensions of the client, "" for none
}

const (
	fin          = 0x80
	continuation = 0
	text         = 1
	binary       = 2
	closing      = 8
	ping         = 9
	pong         = 10
)

func f(first byte, payload string) frame { return frame{first: first, payload: []byte(payload)} }

func pausing(x frame) frame {
	x.pause = true
	return x
}

// fragments returns payload as frames of at most size bytes.
func fragments(op byte, payload string, size int) (frames []frame) {
	for first := true; first || payload != ""; first = false {
		part := payload[:min(size, len(payload))]
		payload = payload[len(part):]
		if !first {
			op = continuation
		}
		if payload == "" {
			op |= fin
		}
		frames = append(frames, f(op, part))
	}
	return frames
}

func closeFrame(code int, reason string) frame {
	return f(fin|closing, string([]byte{byte(code >> 8), byte(code)})+reason)
}

func is(kind, payload string) string { return kind + " " + payload }

var protocolError = []int{1002}

// cases returns all cases in the order of their numbers.
func cases() (all []testCase) {
	add := func(id string, c testCase) {
		c.id = id
		all = append(all, c)
	}
	// 1: messages of the sizes at which the length changes its form.
	for kind, fill := range []string{"*", "\xfe"} {
		for i, size := range []int{0, 125, 126, 127, 128, 65535, 65536, 65536} {
			op, name, payload := byte(text+kind), []string{"text", "binary"}[kind], strings.Repeat(fill, size)
			c := testCase{send: []frame{f(fin|op, payload)}, want: []string{is(name, payload)}}
			if i == 7 {
				c.chop = 997
			}
			add(fmt.Sprintf("1.%d.%d", kind+1, i+1), c)
		}
	}

	// 2: pings and pongs.
	bin, most := "\x00\xff\xfe\xfd\xfc\xfb\x00\xff", strings.Repeat("\xfe", 125)
	var tenPings []frame
	var tenPongs []string
	for i := range 10 {
		payload := fmt.Sprintf("payload-%d", i)
		tenPings, tenPongs = append(tenPings, f(fin|ping, payload)), append(tenPongs, is("pong", payload))
	}
	for i, c := range []testCase{
		{send: []frame{f(fin|ping, "")}, want: []string{"pong "}},
		{send: []frame{f(fin|ping, "Hello, world!")}, want: []string{"pong Hello, world!"}},
		{send: []frame{f(fin|ping, bin)}, want: []string{is("pong", bin)}},
		{send: []frame{f(fin|ping, most)}, want: []string{is("pong", most)}},
		{send: []frame{f(fin|ping, most+"\xfe")}, codes: protocolError, alone: true},
		{send: []frame{f(fin|ping, most)}, chop: 1, want: []string{is("pong", most)}},
		{send: []frame{f(fin|pong, "")}},
		{send: []frame{f(fin|pong, "unsolicited pong payload")}},
		{send: []frame{f(fin|pong, "unsolicited pong payload"), f(fin|ping, "ping payload")}, want: []string{"pong ping payload"}},
		{send: tenPings, want: tenPongs},
		{send: tenPings, chop: 1, want: tenPongs},
	} {
		add(fmt.Sprintf("2.%d", i+1), c)
	}

	// 3 and 4: reserved bits and opcodes. A message before the fault is echoed.
	hello, echoed := f(fin|text, "Hello, world!"), []string{"text Hello, world!"}
	for i, c := range []testCase{
		{send: []frame{f(fin|1<<4|text, "Hello, world!")}},
		{send: []frame{hello, f(fin|2<<4|text, "Hello, world!"), f(fin|ping, "")}, want: echoed},
		{send: []frame{hello, f(fin|3<<4|text, "Hello, world!"), f(fin|ping, "")}, want: echoed},
		{send: []frame{hello, f(fin|4<<4|text, "Hello, world!"), f(fin|ping, "")}, want: echoed, chop: 1},
		{send: []frame{f(fin|5<<4|binary, bin)}},
		{send: []frame{f(fin|6<<4|binary, "Hello, world!")}},
		{send: []frame{f(fin|7<<4|closing, "")}},
	} {
		c.codes, c.alone = protocolError, true
		add(fmt.Sprintf("3.%d", i+1), c)
	}
	for group, lowest := range []byte{3, 11} {
		for i := range 5 {
			bad := fin | lowest + byte(i)
			c := testCase{codes: protocolError, alone: true}
			switch i {
			case 0:
				c.send = []frame{f(bad, "")}
			case 1:
				c.send = []frame{f(bad, "reserved opcode payload")}
			default:
				payload := ""
				if i%2 == 1 {
					payload = "reserved opcode payload"
				}
				c.send, c.want = []frame{hello, f(bad, payload), f(fin|ping, "")}, echoed
			}
			if i == 4 {
				c.chop = 1
			}
			add(fmt.Sprintf("4.%d.%d", group+1, i+1), c)
		}
	}

	// 5: fragments.
	two, joined := []frame{f(text, "fragment1"), f(fin|continuation, "fragment2")}, []string{"text fragment1fragment2"}
	between := []frame{f(text, "fragment1"), f(fin|ping, "ping payload"), f(fin|continuation, "fragment2")}
	pongFirst := append([]string{"pong ping payload"}, joined...)
	lost := []frame{f(fin|continuation, "non-continuation payload"), hello}
	open := []frame{f(continuation, "non-continuation payload"), hello}
	five := []frame{f(text, "fragment1"), f(continuation, "fragment2"), f(fin|ping, "pongme 1!"), pausing(f(continuation, "fragment3")),
		f(continuation, "fragment4"), f(fin|ping, "pongme 2!"), f(fin|continuation, "fragment5")}
	fiveEchoed := []string{"pong pongme 1!", "pong pongme 2!", "text fragment1fragment2fragment3fragment4fragment5"}
	again := func(frames ...frame) []frame { return append(frames, frames...) }
	for i, c := range []testCase{
		{send: []frame{f(ping, "fragment1"), f(fin|continuation, "fragment2")}, codes: protocolError, alone: true},
		{send: []frame{f(pong, "fragment1"), f(fin|continuation, "fragment2")}, codes: protocolError, alone: true},
		{send: two, want: joined},
		{send: []frame{two[0], pausing(two[1])}, want: joined},
		{send: two, want: joined, chop: 1},
		{send: between, want: pongFirst},
		{send: []frame{between[0], pausing(between[1]), pausing(between[2])}, want: pongFirst},
		{send: between, want: pongFirst, chop: 1},
		{send: lost, codes: protocolError, alone: true},
		{send: []frame{lost[0], pausing(lost[1])}, codes: protocolError, alone: true},
		{send: lost, codes: protocolError, alone: true, chop: 1},
		{send: open, codes: protocolError, alone: true},
		{send: []frame{open[0], pausing(open[1])}, codes: protocolError, alone: true},
		{send: open, codes: protocolError, alone: true, chop: 1},
		{send: append(two[:2:2], f(continuation, "fragment3"), f(fin|text, "fragment4")), want: joined, codes: protocolError, alone: true},
		{send: again(f(continuation, "fragment1"), f(text, "fragment2"), f(fin|continuation, "fragment3")), codes: protocolError, alone: true},
		{send: again(f(fin|continuation, "fragment1"), f(text, "fragment2"), f(fin|continuation, "fragment3")), codes: protocolError, alone: true},
		{send: []frame{f(text, "fragment1"), f(fin|text, "fragment2")}, codes: protocolError, alone: true},
		{send: five, want: fiveEchoed},
		{send: five, want: fiveEchoed, chop: 1},
	} {
		add(fmt.Sprintf("5.%d", i+1), c)
	}

	// 6: UTF-8.
	greek, latin := "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", "Hello-µ@ßöäüàá-UTF-8!!"
	surrogate, beyond := greek+"\xed\xa0\x80edited", greek+"\xf4\x90\x80\x80edited"
	for i, frames := range [][]frame{
		{f(fin|text, "")}, {f(text, ""), f(continuation, ""), f(fin|continuation, "")},
		{f(text, ""), f(continuation, "middle frame payload"), f(fin|continuation, "")},
	} {
		add(fmt.Sprintf("6.1.%d", i+1), testCase{send: frames, want: []string{is("text", string(frames[min(1, len(frames)-1)].payload))}})
	}
	for i, c := range []testCase{
		{send: []frame{f(fin|text, latin)}, want: []string{is("text", latin)}},
		{send: []frame{f(text, latin[:12]), f(fin|continuation, latin[12:])}, want: []string{is("text", latin)}},
		{send: fragments(text, latin, 1), want: []string{is("text", latin)}},
		{send: fragments(text, greek, 1), want: []string{is("text", greek)}},
	} {
		add(fmt.Sprintf("6.2.%d", i+1), c)
	}
	invalid := func(frames ...frame) testCase { return testCase{send: frames, codes: []int{1007}, alone: true} }
	add("6.3.1", invalid(f(fin|text, surrogate)))
	add("6.3.2", invalid(fragments(text, surrogate, 1)...))
	// The testee fails although the rest of the message never comes.
	add("6.4.1", invalid(f(text, beyond[:11]), pausing(f(continuation, beyond[11:15]))))
	add("6.4.2", invalid(f(text, beyond[:12]), pausing(f(continuation, beyond[12:13]))))
	add("6.4.3", invalid(frame{first: fin | text, payload: []byte(beyond[:15] + "edited")[:21], split: 15}))
	add("6.4.4", invalid(frame{first: fin | text, payload: []byte(beyond), split: 13}))
	for i, group := range utf8Sequences() {
		for j, s := range group {
			c := invalid(f(fin|text, s))
			if utf8.ValidString(s) {
				c = testCase{send: c.send, want: []string{is("text", s)}}
			}
			add(fmt.Sprintf("6.%d.%d", i+5, j+1), c)
		}
	}

	// 7: the close.
	normal, world := []int{1000}, f(fin|text, "Hello World!")
	for i, c := range []testCase{
		{send: []frame{world}, want: []string{"text Hello World!"}},
		{send: []frame{closeFrame(1000, ""), f(fin|closing, "")}, codes: normal},
		{send: []frame{closeFrame(1000, ""), f(fin|ping, "")}, codes: normal},
		{send: []frame{closeFrame(1000, ""), world}, codes: normal},
		{send: []frame{f(text, "fragment1"), closeFrame(1000, ""), f(fin|continuation, "fragment2")}, codes: normal},
		{send: []frame{f(fin|text, strings.Repeat("BAsd7&jh23", 26215)[:256<<10]), world, closeFrame(1000, ""), f(fin|ping, "")}, codes: normal, open: true},
	} {
		add(fmt.Sprintf("7.1.%d", i+1), c)
	}
	for i, c := range []testCase{
		{send: []frame{f(fin|closing, "")}, codes: []int{1000, 1005}},
		{send: []frame{f(fin|closing, "a")}, codes: protocolError, alone: true},
		{send: []frame{closeFrame(1000, "")}, codes: normal},
		{send: []frame{closeFrame(1000, "Hello World!")}, codes: normal},
		{send: []frame{closeFrame(1000, strings.Repeat("*", 123))}, codes: normal},
		{send: []frame{closeFrame(1000, strings.Repeat("*", 124))}, codes: protocolError, alone: true},
	} {
		add(fmt.Sprintf("7.3.%d", i+1), c)
	}
	add("7.5.1", testCase{send: []frame{closeFrame(1000, surrogate)}, codes: []int{1002, 1007}, alone: true})
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		add(fmt.Sprintf("7.7.%d", i+1), testCase{send: []frame{closeFrame(code, "")}, codes: []int{1000, code}})
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		add(fmt.Sprintf("7.9.%d", i+1), testCase{send: []frame{closeFrame(code, "")}, codes: protocolError, alone: true})
	}
	for i, code := range []int{5000, 65535} {
		add(fmt.Sprintf("7.13.%d", i+1), testCase{send: []frame{closeFrame(code, "")}, codes: []int{1000, 1002, code}, alone: true, open: true})
	}

	// 9: large messages, small fragments, small writes, and many messages.
	for kind, fill := range []string{"BAsd7&jh23", "\x00\xfe\x23\xfa\xf0"} {
		for i, size := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20, 16 << 20} {
			add(fmt.Sprintf("9.%d.%d", kind+1, i+1), testCase{messages: &exchange{data: []byte(fill), binary: kind == 1, size: size, count: 1}})
		}
	}
	for kind, fill := range []string{"*", "\xfe"} {
		for i, size := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20} {
			add(fmt.Sprintf("9.%d.%d", kind+3, i+1), testCase{messages: &exchange{data: []byte(fill), binary: kind == 1, size: 4 << 20, count: 1, fragment: size}})
		}
	}
	for kind, fill := range []string{"BAsd7&jh23", "\x00\xfe\x23\xfa\xf0"} {
		for i, chop := range []int{64, 128, 256, 512, 1024, 2048} {
			add(fmt.Sprintf("9.%d.%d", kind+5, i+1), testCase{chop: chop, messages: &exchange{data: []byte(fill), binary: kind == 1, size: 1 << 20, count: 1}})
		}
	}
	for kind, fill := range []string{"*", "\xfe"} {
		for i, size := range []int{0, 16, 64, 256, 1024, 4096} {
			add(fmt.Sprintf("9.%d.%d", kind+7, i+1), testCase{messages: &exchange{data: []byte(fill), binary: kind == 1, size: size, count: 1000}})
		}
	}
	add("10.1.1", testCase{messages: &exchange{data: []byte("*"), size: 65536, count: 1, fragment: 1300}})

	// 12 and 13: compressed messages. The data are like the suite's; the numbers are not, see compressed.
	for i, data := range testData() {
		for j, c := range compressed("permessage-deflate; client_max_window_bits", data, i > 0 && i != 3) {
			add(fmt.Sprintf("12.%d.%d", i+1, j+1), c)
		}
	}
	for i, offer := range []string{
		"permessage-deflate; client_max_window_bits",
		"permessage-deflate; client_max_window_bits; server_no_context_takeover",
		"permessage-deflate; client_max_window_bits; server_max_window_bits=9",
		"permessage-deflate; client_max_window_bits; server_max_window_bits=15",
		"permessage-deflate; client_max_window_bits; server_no_context_takeover; server_max_window_bits=9",
		"permessage-deflate; client_max_window_bits; server_no_context_takeover; server_max_window_bits=15",
		"permessage-deflate; client_max_window_bits; server_no_context_takeover; server_max_window_bits=9, " +
			"permessage-deflate; client_max_window_bits; server_no_context_takeover, permessage-deflate; client_max_window_bits",
	} {
		for j, c := range compressed(offer, testData()[0], false) {
			add(fmt.Sprintf("13.%d.%d", i+1, j+1), c)
		}
	}
	return all
}

// compressed returns the 18 cases of a group of 12 or 13. The suite sends 1,000 messages in each; a tenth
// of a second's worth of them is what the tests of this package have the time for.
func compressed(offer string, data []byte, isBinary bool) (all []testCase) {
	for _, s := range [][2]int{
		{16, 0}, {64, 0}, {256, 0}, {1024, 0}, {4096, 0}, {8192, 0}, {16384, 0}, {32768, 0}, {65536, 0}, {131072, 0},
		{8192, 256}, {16384, 256}, {32768, 256}, {65536, 256}, {131072, 256}, {131072, 1024}, {131072, 4096}, {131072, 32768},
	} {
		count := min(max(300_000/s[0], 4), 50)
		all = append(all, testCase{messages: &exchange{data: data, binary: isBinary, size: s[0], count: count, fragment: s[1], offer: offer}})
	}
	return all
}

// testData returns five pieces of data like those of the suite: JSON, a picture, a text, HTML and a PDF,
// which is compressed already.
func testData() [][]byte {
	var object, picture, prose, page, noise bytes.Buffer
	seed := uint32(1)
	next := func() uint32 {
		seed ^= seed << 13
		seed ^= seed >> 17
		seed ^= seed << 5
		return seed
	}
	words := strings.Fields("und der die habe nun ach Philosophie Juristerei Medizin leider auch Theologie durchaus studiert mit heissem Bemühn")
	for object.Len() < 200_000 {
		fmt.Fprintf(&object, "{\"id\":%d,\"name\":\"%s\",\"ok\":%t},\n", next()%100_000, words[next()%uint32(len(words))], next()%2 == 0)
		fmt.Fprintf(&page, "<tr><td class=\"n%d\">%s</td></tr>\n", next()%10, words[next()%uint32(len(words))])
		for range 10 {
			prose.WriteString(words[next()%uint32(len(words))] + " ")
		}
		for range 80 {
			picture.WriteByte(byte(picture.Len()/512) + byte(next()%8))
			noise.WriteByte(byte(next()))
		}
	}
	return [][]byte{object.Bytes(), picture.Bytes(), prose.Bytes(), page.Bytes(), noise.Bytes()}
}

// utf8Sequences returns the texts of 6.5 to 6.23, after Markus Kuhn's test of UTF-8 decoders.
func utf8Sequences() [][]string {
	greek := "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
	var prefixes, lonely []string
	for i := range len(greek) {
		prefixes = append(prefixes, greek[:i+1])
	}
	for _, m := range [][2]byte{{0xc0, 0xdf}, {0xe0, 0xef}, {0xf0, 0xf7}, {0xf8, 0xfb}, {0xfc, 0xfd}} {
		s := ""
		for b := m[0]; b < m[1]; b++ {
			s += string([]byte{b, ' '})
		}
		lonely = append(lonely, s)
	}
	loose := ""
	for b := 0x80; b < 0xbf; b++ {
		loose += string([]byte{byte(b)})
	}
	cut := []string{"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80", "\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf"}
	noncharacters := []string{"\xef\xbf\xbe", "\xef\xbf\xbf"}
	for plane := 1; plane <= 16; plane++ {
		noncharacters = append(noncharacters, string(rune(plane<<16|0xFFFE)), string(rune(plane<<16|0xFFFF)))
	}
	return [][]string{
		{"hello$world", "hello\xc2\xa2world", "hello\xe2\x82\xacworld", "hello\xf0\xa4\xad\xa2world", greek},
		prefixes,
		{"\x00", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"},
		{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"},
		{"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"},
		{"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"},
		{"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80"},
		{"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf", "\x80\xbf\x80\xbf\x80", "\x80\xbf\x80\xbf\x80\xbf", loose},
		lonely,
		cut,
		{strings.Join(cut, "")},
		{"\xfe", "\xff", "\xfe\xfe\xff\xff"},
		{"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf"},
		{"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf"},
		{"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80"},
		{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf"},
		{"\xed\xa0\x80\xed\xb0\x80", "\xed\xa0\x80\xed\xbf\xbf", "\xed\xad\xbf\xed\xb0\x80", "\xed\xad\xbf\xed\xbf\xbf",
			"\xed\xae\x80\xed\xb0\x80", "\xed\xae\x80\xed\xbf\xbf", "\xed\xaf\xbf\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf"},
		noncharacters,
		{"\xef\xbf\xb9", "\xef\xbf\xba", "\xef\xbf\xbb", "\xef\xbf\xbc", "\xef\xbf\xbd", "\xef\xbf\xbe", "\xef\xbf\xbf"},
	}
}
