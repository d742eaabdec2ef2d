package topicwire_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/internal/topicwire"
	"github.com/isosocket/isosocket/ws"
)

func TestFrames(t *testing.T) {
	for _, c := range []struct {
		name    string
		payload ws.Message
		fields  []string
		want    string
	}{
		{"no payload", ws.Message{}, []string{"1", "lobby", ""}, "pub 1 lobby "},
		{"text", ws.Text("hello\nworld"), []string{"a b", "ü\n"}, "pub a%20b %C3%BC%0A\nhello\nworld"},
		{"binary", ws.Binary([]byte{0, '\n', 255}), []string{"%"}, "pub %25\n\x00\n\xff"},
		{"as encodeURIComponent", ws.Message{}, []string{"-_.!~*'()#"}, "pub -_.!~*'()%23"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := topicwire.Make(c.payload, "pub", c.fields...)
			if string(m.Data) != c.want {
				t.Errorf("Make returned %q, want %q", m.Data, c.want)
			}
			f, err := topicwire.Parse(m)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range c.fields {
				if f.Field(i) != want {
					t.Errorf("field %d is %q, want %q", i, f.Field(i), want)
				}
			}
			if f.Verb != "pub" || !bytes.Equal(f.Payload.Data, c.payload.Data) || c.payload.Kind != 0 && f.Payload.Kind != c.payload.Kind {
				t.Errorf("Parse returned %q and %v %q", f.Verb, f.Payload.Kind, f.Payload.Data)
			}
		})
	}
}

func TestInvalidFrames(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "does not begin with a verb"},
		{"only a payload", "\npayload", "does not begin with a verb"},
		{"a space first", " sub", "does not begin with a verb"},
		{"long", strings.Repeat("a", topicwire.MaxHeader+1), "longer than 4096 bytes"},
		{"not escaped", "sub 1 ü", "is not escaped"},
		{"tab", "sub\t1", "byte 9 in the header is not escaped"},
		{"half an escape", "sub %2", "not followed by two hexadecimal digits"},
		{"no digits", "sub %zz", "not followed by two hexadecimal digits"},
		{"not UTF-8", "sub %ff", "not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := topicwire.Parse(ws.Text(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Parse returned %v, want %q", err, c.want)
			}
		})
	}
}

// FuzzFrame checks that a message that Parse accepts is the same after Make.
func FuzzFrame(f *testing.F) {
	f.Add("sub 1 lobby *")
	f.Add("msg lob%20by 3vx-9 \nhello\nworld")
	f.Add("pub 2 a b c d e f g")
	f.Add("%")
	f.Fuzz(func(t *testing.T, text string) {
		frame, err := topicwire.Parse(ws.Binary([]byte(text)))
		if err != nil {
			return
		}
		fields := make([]string, 5)
		for i := range fields {
			fields[i] = frame.Field(i)
		}
		again, err := topicwire.Parse(topicwire.Make(frame.Payload, frame.Verb, fields...))
		if plain := strings.Trim(frame.Verb, "abcdefghijklmnopqrstuvwxyz") == ""; !plain {
			return // Make does not escape verbs: they are constants
		}
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again.Payload.Data, frame.Payload.Data = append([]byte{}, again.Payload.Data...), append([]byte{}, frame.Payload.Data...)
		for i := range fields {
			if again.Field(i) != fields[i] {
				t.Errorf("%q: field %d is %q, was %q", text, i, again.Field(i), fields[i])
			}
		}
		if again.Verb != frame.Verb || !bytes.Equal(again.Payload.Data, frame.Payload.Data) {
			t.Errorf("%q became %q %q", text, again.Verb, again.Payload.Data)
		}
	})
}
