package ws_test

import (
	"testing"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

func TestAfterEndCallsInOrder(t *testing.T) {
	a, b := ws.Pipe(nil, nil)
	var calls []string
	note := func(name string) func() { return func() { calls = append(calls, name) } }
	a.AfterEnd(note("first"))
	a.AfterEnd(note("second"))
	if len(calls) != 0 {
		t.Fatalf("called before the end: %v", calls)
	}
	b.Close(errors.GoingAway, "")
	a.AfterEnd(note("late"))
	if got, want := len(calls), 3; got != want || calls[0] != "first" || calls[1] != "second" || calls[2] != "late" {
		t.Errorf("called %v, want first, second, late", calls)
	}
	if !errors.Is(a.Err(), errors.GoingAway) {
		t.Errorf("Err is %v", a.Err())
	}
}
