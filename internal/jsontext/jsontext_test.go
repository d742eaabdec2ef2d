package jsontext_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/isosocket/isosocket/internal/jsontext"
)

func ExampleAppendEvents() {
	events, err := jsontext.AppendEvents(nil, []byte(`[{"data":"say \"hi\""},{"data":{"byteLength":64}}]`))
	fmt.Println(err)
	fmt.Printf("%s\n", jsontext.AppendUnescaped(nil, events[0].Text))
	fmt.Println(events[1].Binary, events[1].Size)
	// Output:
	// <nil>
	// say "hi"
	// true 64
}

func TestAppendEvents(t *testing.T) {
	t.Parallel()
	text := func(s string) jsontext.Event { return jsontext.Event{Text: []byte(s)} }
	binary := func(n int) jsontext.Event { return jsontext.Event{Size: n, Binary: true} }
	for name, test := range map[string]struct {
		text string
		want []jsontext.Event
	}{
		"empty array":            {`[]`, nil},
		"empty text":             {`[{"data":""}]`, []jsontext.Event{text("")}},
		"empty binary":           {`[{"data":{"byteLength":0}}]`, []jsontext.Event{binary(0)}},
		"mixed":                  {`[{"data":"a"},{"data":{"byteLength":12}},{"data":"b"}]`, []jsontext.Event{text("a"), binary(12), text("b")}},
		"escaped quote":          {`[{"data":"\""}]`, []jsontext.Event{text(`\"`)}},
		"backslash at the end":   {`[{"data":"\\"},{"data":"b"}]`, []jsontext.Event{text(`\\`), text("b")}},
		"backslash before quote": {`[{"data":"\\\""}]`, []jsontext.Event{text(`\\\"`)}},
		"text like syntax":       {`[{"data":"\"},{\"data\":\""}]`, []jsontext.Event{text(`\"},{\"data\":\"`)}},
		"not ASCII":              {`[{"data":"€😀"}]`, []jsontext.Event{text("€😀")}},
	} {
		got, err := jsontext.AppendEvents(nil, []byte(test.text))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, test.want)
		}
	}
}

func TestAppendEventsRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `[`, `]`, `{}`, `null`, `"[]"`, `[,]`, `[{}]`, `[{"data":"a"},]`, `[{"data":"a"}`, `[{"data":"a"}}]`, `[{"data":"a"`,
		`[{"data":"a\"}]`, `[{"data":{}}]`, `[{"data":{"byteLength":}}]`, `[{"data":{"byteLength":1}]`, `[{"data":{"byteLength":-1}}]`,
		`[{"data":{"byteLength":99999999999999999999}}]`, `[{"data":"a"}{"data":"b"}]`, `[{"data":"a"}] `, `[{"data":null}]`,
	} {
		if got, err := jsontext.AppendEvents(nil, []byte(text)); err == nil {
			t.Errorf("%q is accepted as %v", text, got)
		}
	}
}

func TestAppendUnescapedKeepsGoing(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`\u0041\n\/`:         "A\n/",
		`\ud83d\ude00`:       "😀",
		`\ud83d`:             "\uFFFD",
		`\ud83d\u0041`:       "\uFFFDA",
		`\ude00\ud83d\ude00`: "\uFFFD😀",
		`\x`:                 "\uFFFD",
		`\u12`:               "\uFFFD",
		`\uzzzz!`:            "\uFFFD!",
		`a\`:                 `a\`,
	} {
		if got := string(jsontext.AppendUnescaped(nil, []byte(text))); got != want {
			t.Errorf("%s becomes %q, want %q", text, got, want)
		}
	}
}

// FuzzEscape holds both ways against encoding/json.
func FuzzEscape(f *testing.F) {
	f.Add("plain")
	f.Add("\x00\x1f\"\\/\u2028<>&\uFEFF\U0001F600\uFFFD")
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "?")
		escaped := string(jsontext.AppendEscaped([]byte("x"), []byte(s)))[1:]
		var back string
		if err := json.Unmarshal([]byte(`"`+escaped+`"`), &back); err != nil || back != s {
			t.Errorf("%q is escaped as %q, which reads as %q, %v", s, escaped, back, err)
		}
		theirs, _ := json.Marshal(s)
		if got := string(jsontext.AppendUnescaped(nil, theirs[1:len(theirs)-1])); got != s {
			t.Errorf("%s reads as %q", theirs, got)
		}
	})
}

// FuzzAppendEvents feeds what no JSON.stringify writes.
func FuzzAppendEvents(f *testing.F) {
	f.Add(`[{"data":"a\\\""},{"data":{"byteLength":12}}]`)
	f.Add(`[{"data":"\u12"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		events, err := jsontext.AppendEvents(nil, []byte(text))
		if err != nil {
			return
		}
		for _, e := range events {
			data := jsontext.AppendUnescaped(nil, e.Text)
			if utf8.ValidString(text) && !utf8.Valid(data) {
				t.Errorf("%q becomes %q", e.Text, data)
			}
		}
		var theirs []struct{ Data any }
		if json.Unmarshal([]byte(text), &theirs) == nil && len(theirs) != len(events) {
			t.Errorf("%q has %d events, not %d", text, len(theirs), len(events))
		}
	})
}

func BenchmarkAppendEvents(b *testing.B) {
	text := []byte("[" + strings.Repeat(`{"data":"`+strings.Repeat("0123456789abcdef", 4)+`"},`, 511) + `{"data":""}]`)
	var events []jsontext.Event
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		events, _ = jsontext.AppendEvents(events[:0], text)
	}
}
