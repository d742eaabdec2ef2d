package chat_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/chat"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, data string
		want       chat.Message
		reason     errors.CloseReason // of the violation, 0 for none
		words      string
	}{
		{name: "join", data: `{"type":"join","name":"ada","platform":"js/wasm"}`,
			want: chat.Message{Type: chat.Join, Name: "ada", Platform: "js/wasm"}},
		{name: "close", data: `{"type":"close","reason":4001,"text":"bye"}`,
			want: chat.Message{Type: chat.Close, Reason: 4001, Text: "bye"}},
		{name: "a field of a later version", data: `{"type":"ping","seq":3,"colour":"red"}`,
			want: chat.Message{Type: chat.Ping, Seq: 3}},
		{name: "garbage", data: `hello`, reason: errors.InvalidPayload, words: "not a JSON message"},
		{name: "empty", data: ``, reason: errors.InvalidPayload, words: "not a JSON message"},
		{name: "an array", data: `[]`, reason: errors.InvalidPayload, words: "not a JSON message"},
		{name: "a reason out of range", data: `{"type":"close","reason":70000}`, reason: errors.InvalidPayload, words: "reason"},
		{name: "no type", data: `{}`, reason: errors.PolicyViolation, words: `unknown type ""; allowed are join`},
		{name: "a server's type", data: `{"type":"said"}`, reason: errors.PolicyViolation, words: `unknown type "said"`},
		{name: "a long type", data: `{"type":"` + strings.Repeat("é", 500) + `"}`, reason: errors.PolicyViolation, words: "unknown type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := chat.Decode([]byte(c.data))
			if c.reason == 0 {
				if err != nil || !reflect.DeepEqual(got, c.want) {
					t.Fatalf("Decode = %+v, %v, want %+v", got, err, c.want)
				}
				return
			}
			violation, ok := errors.AsType[*chat.Violation](err)
			if !ok || !errors.Is(err, c.reason) || !strings.Contains(violation.Message, c.words) {
				t.Fatalf("Decode: %v, want a violation %v with %q", err, c.reason, c.words)
			}
		})
	}
}

func TestDecodeEventRefusesWhatOnlyAClientSends(t *testing.T) {
	t.Parallel()
	if _, err := chat.DecodeEvent([]byte(`{"type":"say","text":"x"}`)); !errors.Is(err, errors.PolicyViolation) {
		t.Errorf("DecodeEvent = %v", err)
	}
	m, err := chat.DecodeEvent(chat.Message{Type: chat.Said, ID: 1, Name: "ada", Text: "hi", Time: 1500}.Encode())
	if err != nil || m.Text != "hi" || !m.When().Equal(time.UnixMilli(1500)) {
		t.Errorf("DecodeEvent = %+v, %v", m, err)
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]chat.Message{
		"ada: hello":                             {Type: chat.Said, Name: "ada", Text: "hello"},
		"* ada joined (js/wasm)":                 {Type: chat.Joined, Name: "ada", Platform: "js/wasm"},
		"* ada joined":                           {Type: chat.Joined, Name: "ada"},
		"* ada left: 1001 (going away)":          {Type: chat.Left, Name: "ada", Reason: 1001},
		"* ada left: 1000 (normal closure): bye": {Type: chat.Left, Name: "ada", Reason: 1000, Text: "bye"},
		"* ada is now bob":                       {Type: chat.Renamed, Name: "bob", Old: "ada"},
		"* you are ada; here: ada, bob":          {Type: chat.Welcome, Name: "ada", People: []chat.Person{{Name: "ada"}, {Name: "bob"}}},
		"! a name needs at least one letter":     {Type: chat.Refused, Text: "a name needs at least one letter"},
		"":                                       {Type: chat.Pong, Seq: 1},
	} {
		if got := m.Line(); got != want {
			t.Errorf("Line of %s = %q, want %q", m.Type, got, want)
		}
	}
}

func TestCleanName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, want, words string }{
		{"ada", "ada", ""},
		{"  Ada \t Lovelace ", "Ada Lovelace", ""},
		{"Zoë 🐢", "Zoë 🐢", ""},
		{strings.Repeat("é", chat.MaxName), strings.Repeat("é", chat.MaxName), ""},
		{"", "", "at least one letter"},
		{" \n ", "", "at least one letter"},
		{strings.Repeat("é", chat.MaxName+1), "", "25 characters is too long; at most 24"},
		{"a\x1b[31m", "", `'\x1b'`},
		{"a\u202eb", "", `'\u202e'`},
		{"a\xffb", "", "may not have the character"},
	} {
		got, err := chat.CleanName(c.name)
		if got != c.want || (err == nil) != (c.words == "") || err != nil && !strings.Contains(err.Error(), c.words) {
			t.Errorf("CleanName(%q) = %q, %v; want %q, %q", c.name, got, err, c.want, c.words)
		}
	}
}

func TestLineIndentsFurtherLines(t *testing.T) {
	t.Parallel()
	m := chat.Message{Type: chat.Said, Name: "eve", Text: "hm\nada: I agree"}
	if got, want := m.Line(), "eve: hm\n    ada: I agree"; got != want {
		t.Errorf("Line = %q, want %q", got, want)
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	if got, want := chat.Printable("a\x1b[2J\tb\u202ec\n\u009bd é"), "a\ufffd[2J\tb\ufffdc\n\ufffdd é"; got != want {
		t.Errorf("Printable = %q, want %q", got, want)
	}
}

func TestParseLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line  string
		want  chat.Command
		words string // of the error
	}{
		{line: "hello there ", want: chat.Command{Verb: chat.VerbSay, Text: "hello there"}},
		{line: "//shrug", want: chat.Command{Verb: chat.VerbSay, Text: "/shrug"}},
		{line: "/name  Ada  L", want: chat.Command{Verb: chat.VerbRename, Text: "Ada L"}},
		{line: "/who", want: chat.Command{Verb: chat.VerbWho}},
		{line: " /rtt ", want: chat.Command{Verb: chat.VerbRoundTrip}},
		{line: "/drop", want: chat.Command{Verb: chat.VerbDrop}},
		{line: "/reconnect", want: chat.Command{Verb: chat.VerbReconnect}},
		{line: "/quit", want: chat.Command{Verb: chat.VerbQuit}},
		{line: "/help", want: chat.Command{Verb: chat.VerbHelp}},
		{line: "/close", want: chat.Command{Verb: chat.VerbClose, Reason: 1000}},
		{line: "/close see you", want: chat.Command{Verb: chat.VerbClose, Reason: 1000, Text: "see you"}},
		{line: "/close 4001", want: chat.Command{Verb: chat.VerbClose, Reason: 4001}},
		{line: "/close 4001 see you", want: chat.Command{Verb: chat.VerbClose, Reason: 4001, Text: "see you"}},
		{line: "/close server 1012 back soon", want: chat.Command{Verb: chat.VerbClose, Server: true, Reason: 1012, Text: "back soon"}},
		{line: "/close server", want: chat.Command{Verb: chat.VerbClose, Server: true, Reason: 1000}},
		{line: "", words: "empty"},
		{line: "/close 1006", words: `"1006" may not be sent; allowed are`},
		{line: "/close 3907", words: `"3907" may not be sent`},
		{line: "/close 99999999", words: "may not be sent"},
		{line: "/close 4001x", words: "may not be sent"},
		{line: "/who there", words: `takes no arguments, but has "there"`},
		{line: "/name", words: "at least one letter"},
		{line: "/dance", words: `unknown command "/dance"; /help`},
		{line: strings.Repeat("x", chat.MaxText+1), words: "too long"},
		{line: "a\x07b", words: "control character"},
	} {
		got, err := chat.ParseLine(c.line)
		if c.words != "" {
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("ParseLine(%.40q): error %v, want one with %q", c.line, err, c.words)
			}
		} else if err != nil || got != c.want {
			t.Errorf("ParseLine(%q) = %+v, %v; want %+v", c.line, got, err, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"type":"join","name":"ada"}`, `{"type":"close","reason":4001}`, `{}`, `[`, `"\ud800"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := chat.Decode(data)
		if err != nil {
			if v, ok := errors.AsType[*chat.Violation](err); !ok || !v.Reason.Sendable() {
				t.Fatalf("an error that no connection can be closed with: %v", err)
			}
			return
		}
		again, err := chat.Decode(m.Encode())
		if err != nil || again.Type != m.Type || again.Text != m.Text || again.Reason != m.Reason {
			t.Fatalf("%+v reads back as %+v, %v", m, again, err)
		}
	})
}

func FuzzParseLine(f *testing.F) {
	for _, s := range []string{"hello", "/close server 1012 x", "/name \u202e", "//", "/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := chat.ParseLine(line)
		if err == nil && (c.Verb == 0 || c.Verb == chat.VerbSay && c.Text == "" || c.Verb == chat.VerbClose && !c.Reason.Sendable()) {
			t.Fatalf("ParseLine(%q) = %+v", line, c)
		}
	})
}
