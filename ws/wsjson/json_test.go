package wsjson_test

import (
	"context"
	"encoding/json"
	stderrors "errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/wsjson"
)

type move struct {
	X, Y int
	Name string `json:"name,omitempty"`
}

func pipe(t *testing.T, c *ws.Config) (a, b *ws.Conn) {
	t.Helper()
	a, b = ws.Pipe(c, c)
	t.Cleanup(func() {
		a.Close(errors.NormalClosure, "")
		b.Close(errors.NormalClosure, "")
	})
	return a, b
}

func send(t *testing.T, conn *ws.Conn, messages ...ws.Message) {
	t.Helper()
	for _, m := range messages {
		if err := conn.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	a, b := pipe(t, nil)
	want := move{3, -4, "e2 \u2028 \U0001F642 <"}
	if err := wsjson.Send(t.Context(), a, want); err != nil {
		t.Fatal(err)
	}
	got, err := wsjson.Receive[move](t.Context(), b)
	if got != want || err != nil {
		t.Errorf("Receive = %+v, %v, want %+v", got, err, want)
	}
}

func TestSendIsOneTextMessage(t *testing.T) {
	t.Parallel()
	a, b := pipe(t, nil)
	if err := wsjson.Send(t.Context(), a, map[string]any{"n": 1, "s": []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	m, err := b.Receive(t.Context())
	if err != nil || m.Kind != ws.KindText || m.String() != `{"n":1,"s":["a"]}` {
		t.Errorf("the message is %v %q, %v", m.Kind, m, err)
	}
}

func TestSendOfValueWithoutJSON(t *testing.T) {
	t.Parallel()
	a, b := pipe(t, nil)
	err := wsjson.Send(t.Context(), a, math.Inf(1))
	if failed, ok := errors.AsType[*wsjson.EncodeError](err); !ok || failed.Err == nil || !errors.Is(err, errors.ErrWebSocket) {
		t.Errorf("Send = %v, want an EncodeError", err)
	}
	var unsupported *json.UnsupportedValueError
	if !stderrors.As(err, &unsupported) {
		t.Errorf("Send = %v, which hides json's error", err)
	}
	if err := wsjson.Send(t.Context(), a, 7); err != nil {
		t.Fatal(err)
	}
	if n, err := wsjson.Receive[int](t.Context(), b); n != 7 || err != nil {
		t.Errorf("the next value is %d, %v: the connection is not usable", n, err)
	}
}

func TestSendOverMaxMessageSize(t *testing.T) {
	t.Parallel()
	a, _ := pipe(t, &ws.Config{MaxMessageSize: 10})
	if err := wsjson.Send(t.Context(), a, "more than ten bytes"); !errors.Is(err, errors.ErrMessageTooBig) {
		t.Errorf("Send = %v, want ErrMessageTooBig", err)
	}
}

// TestMessagesThatDoNotDecode checks that each such message yields an error with the
// message and the reason to close with, and that the connection stays usable.
func TestMessagesThatDoNotDecode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		message ws.Message
		reason  errors.CloseReason
		cause   func(error) bool
	}{
		{"not JSON", ws.Text("{oops"), errors.InvalidPayload, is[*json.SyntaxError]},
		{"another type", ws.Text(`"text"`), errors.InvalidPayload, is[*json.UnmarshalTypeError]},
		{"a field of another type", ws.Text(`{"X":"one"}`), errors.InvalidPayload, is[*json.UnmarshalTypeError]},
		{"two values", ws.Text(`{"X":1}{"X":2}`), errors.InvalidPayload, is[*json.SyntaxError]},
		{"nothing", ws.Text(" \n"), errors.InvalidPayload, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		{"too deep", ws.Text(strings.Repeat("[", 20000) + strings.Repeat("]", 20000)), errors.InvalidPayload, is[*json.SyntaxError]},
		{"binary", ws.Binary([]byte(`{"X":1}`)), errors.UnsupportedData, func(error) bool { return true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b := pipe(t, nil)
			send(t, a, tt.message, ws.Text(`{"X":1,"Y":2}`))
			got, err := wsjson.Receive[move](t.Context(), b)
			bad, ok := errors.AsType[*wsjson.DecodeError](err)
			if !ok {
				t.Fatalf("Receive = %+v, %v, want a DecodeError", got, err)
			}
			if got != (move{}) {
				t.Errorf("Receive returned %+v together with its error", got)
			}
			if bad.Message.Kind != tt.message.Kind || bad.Message.String() != tt.message.String() {
				t.Errorf("the error holds %v %q", bad.Message.Kind, bad.Message)
			}
			if bad.Reason() != tt.reason || !errors.Is(err, tt.reason) || !errors.Is(err, errors.ErrWebSocket) || !tt.cause(err) {
				t.Errorf("the error is %v with reason %v and cause %v", err, bad.Reason(), bad.Err)
			}
			if len(bad.Error()) > 300 {
				t.Errorf("the error's text has %d bytes", len(bad.Error()))
			}
			if got, err := wsjson.Receive[move](t.Context(), b); got != (move{X: 1, Y: 2}) || err != nil {
				t.Errorf("the next value is %+v, %v: the connection is not usable", got, err)
			}
		})
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func TestReject(t *testing.T) {
	t.Parallel()
	a, b := pipe(t, nil)
	send(t, a, ws.Binary([]byte("x")))
	_, err := wsjson.Receive[int](t.Context(), b)
	if err := wsjson.Reject(b, err); err != nil {
		t.Errorf("Reject = %v, want nil", err)
	}
	_, err = a.Receive(t.Context())
	closed, ok := errors.AsType[*errors.ConnectionClosed](err)
	if !ok || closed.Reason != errors.UnsupportedData || closed.Message == "" || !closed.Remote {
		t.Errorf("the peer sees %v, want 1003 with a message", err)
	}
	other := errors.New("another error")
	if err := wsjson.Reject(b, other); err != other {
		t.Errorf("Reject(%v) = %v", other, err)
	}
}

// TestMessages checks that the loop yields the error of a message that does not decode
// and continues, and that a normal closure ends it without an error.
func TestMessages(t *testing.T) {
	t.Parallel()
	a, b := pipe(t, nil)
	send(t, a, ws.Text("1"), ws.Text("oops"), ws.Text("2"))
	go a.Close(errors.NormalClosure, "")
	var got []int
	failures := 0
	for n, err := range wsjson.Messages[int](t.Context(), b) {
		switch {
		case err == nil:
			got = append(got, n)
		case is[*wsjson.DecodeError](err):
			failures++
		default:
			t.Errorf("Messages yielded %v", err)
		}
	}
	if len(got) != 2 || got[0] != 1 || got[1] != 2 || failures != 1 {
		t.Errorf("got %v and %d failures, want [1 2] and 1", got, failures)
	}
}

func TestMessagesEndsWithAnError(t *testing.T) {
	t.Parallel()
	a, b := pipe(t, nil)
	go a.Close(errors.GoingAway, "moving")
	var errs []error
	for _, err := range wsjson.Messages[int](t.Context(), b) {
		errs = append(errs, err)
	}
	if len(errs) != 1 || !errors.Is(errs[0], errors.GoingAway) {
		t.Errorf("Messages yielded %v, want one 1001", errs)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, open := pipe(t, nil)
	errs = nil
	for _, err := range wsjson.Messages[int](ctx, open) {
		errs = append(errs, err)
	}
	if len(errs) != 1 || !errors.Is(errs[0], context.Canceled) {
		t.Errorf("Messages yielded %v, want ctx's error", errs)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "null", `{"X":1}`, `{"X":1e999}`, "[", "\xff", `"\ud800"`} {
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, text bool) {
		m := ws.Message{Kind: ws.KindBinary, Data: data}
		if text {
			m.Kind = ws.KindText
		}
		v, err := wsjson.Decode[any](m)
		want := json.Unmarshal(data, new(any)) == nil && text
		if want != (err == nil) {
			t.Fatalf("Decode(%q) = %v, %v", data, v, err)
		}
		if err != nil && !is[*wsjson.DecodeError](err) {
			t.Fatalf("Decode(%q) fails with a %T", data, err)
		}
	})
}
