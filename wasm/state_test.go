package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/chat"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestEndedSaysWhy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		err      error
		phase    phase
		code     int
		sentence string
	}{
		{"closed here", &errors.ConnectionClosed{Reason: 1000}, closed, 0,
			"Closed by this side: 1000 (normal closure): all is done, nothing went wrong"},
		{"closed there, with a message", &errors.ConnectionClosed{Reason: 1001, Message: "back \x1bsoon", Remote: true}, closed, 0,
			"Closed by the server: 1001 (going away): back \ufffdsoon"},
		{"closed there, without a reason", &errors.ConnectionClosed{Reason: 1005, Remote: true}, closed, 0,
			"Closed by the server: 1005 (no status received): no reason was given"},
		{"an application's reason", &errors.ConnectionClosed{Reason: 4001, Remote: true}, closed, 0,
			"Closed by the server: 4001 (private application reason, 4000-4999)"},
		{"lost", &errors.ConnectionClosed{Reason: 1006}, lost, 0,
			"Connection lost: 1006 (abnormal closure): the link broke without a close frame"},
		{"no answer to the close", fmt.Errorf("closing: %w", &errors.ConnectionClosed{Reason: 1006, Message: "the peer did not answer the close in time"}), lost, 0,
			"Connection lost: 1006 (abnormal closure): the peer did not answer the close in time"},
		{"refused", &errors.ConnectionError{StatusCode: 403, Err: errors.New("origin")}, failed, 403,
			"Could not connect: the server answered with the HTTP status 403: origin"},
		{"not there", &errors.ConnectionError{Err: errors.New("connection refused")}, failed, 0,
			"Could not connect: the server cannot be reached: connection refused"},
		{"anything else", errors.New("out of luck"), failed, 0, "Could not connect: out of luck"},
	} {
		s := ended(c.err)
		if s.phase != c.phase || s.code != c.code || s.sentence() != c.sentence {
			t.Errorf("%s: %q, %d, %q; want %q, %d, %q", c.name, s.phase, s.code, s.sentence(), c.phase, c.code, c.sentence)
		}
	}
}

func TestCountdown(t *testing.T) {
	t.Parallel()
	s := status{until: noon.Add(2500 * time.Millisecond)}
	for passed, want := range map[time.Duration]string{
		0: "trying again in 3 s", 500 * time.Millisecond: "trying again in 2 s", 1501 * time.Millisecond: "trying again in 1 s",
		2500 * time.Millisecond: "trying again now", time.Minute: "trying again now",
	} {
		if got := s.countdown(noon.Add(passed)); got != want {
			t.Errorf("after %v: %q, want %q", passed, got, want)
		}
	}
	s = status{phase: waiting, headline: "Connection lost", reason: 1006, detail: "gone", since: noon, until: noon.Add(4 * time.Second)}
	if got, want := s.sentence(), "Connection lost: 1006 (abnormal closure): gone; trying again in 4 s"; got != want {
		t.Errorf("sentence = %q, want %q", got, want)
	}
}

// lines returns the state's entries as text.
func lines(s *state) (all []string) {
	for _, e := range s.entries {
		all = append(all, e.line())
	}
	return all
}

func names(people []chat.Person) string {
	var all []string
	for _, p := range people {
		all = append(all, p.Name)
	}
	return strings.Join(all, " ")
}

func TestApply(t *testing.T) {
	t.Parallel()
	s := newState()
	s.setStatus(status{phase: opened, headline: "Connected"}, noon)
	for _, m := range []chat.Message{
		{Type: chat.Welcome, ID: 2, Name: "ada", People: []chat.Person{{ID: 1, Name: "bob"}, {ID: 2, Name: "ada"}},
			History: []chat.Message{{Type: chat.Said, ID: 1, Name: "bob", Text: "early", Time: 1000}}},
		{Type: chat.Joined, ID: 3, Name: "eve", Platform: "js/wasm"},
		{Type: chat.Said, ID: 2, Name: "ada", Text: "hello", Time: 2000},
		{Type: chat.Renamed, ID: 3, Name: "Eve", Old: "eve"},
		{Type: chat.Left, ID: 1, Name: "bob", Reason: 1001},
		{Type: chat.Left, ID: 99, Name: "nobody", Reason: 1000},
		{Type: chat.Renamed, ID: 2, Name: "Ada L", Old: "ada"},
		{Type: chat.Refused, Text: "a name needs at least one letter"},
	} {
		s.apply(m, noon)
	}
	want := []string{
		"bob: early", "* You are ada", "* eve joined (js/wasm)", "ada: hello", "* eve is now Eve",
		"* bob left: 1001 (going away)", "* nobody left: 1000 (normal closure)", "* ada is now Ada L", "! a name needs at least one letter",
	}
	if got := lines(s); !slices.Equal(got, want) {
		t.Errorf("entries:\n%q\nwant\n%q", got, want)
	}
	if got := names(s.people); got != "Ada L Eve" {
		t.Errorf("people: %s", got)
	}
	if s.self.Name != "Ada L" {
		t.Errorf("self = %+v", s.self)
	}
	if own := s.entries[3].own; !own || s.entries[0].own {
		t.Error("the client's own texts are not distinguished from others'")
	}
	c := s.take()
	if c.entries != len(want) || !c.status || !c.self || !c.people || c.samples {
		t.Errorf("changes = %+v", c)
	}
	if c := s.take(); c != (changes{}) {
		t.Errorf("changes after take = %+v", c)
	}
}

// TestWelcomeAfterAReconnectShowsEachTextOnce checks that texts in the history of a second
// welcome are not shown twice.
func TestWelcomeAfterAReconnectShowsEachTextOnce(t *testing.T) {
	t.Parallel()
	s := newState()
	text := func(id int, name, text string, at int64) chat.Message {
		return chat.Message{Type: chat.Said, ID: id, Name: name, Text: text, Time: at}
	}
	s.apply(chat.Message{Type: chat.Welcome, ID: 1, Name: "ada"}, noon)
	s.apply(text(1, "ada", "one", 1000), noon)
	s.setStatus(ended(&errors.ConnectionClosed{Reason: 1006}), noon)
	if len(s.people) != 0 {
		t.Error("there are people without a connection")
	}
	s.apply(chat.Message{Type: chat.Welcome, ID: 5, Name: "ada", History: []chat.Message{text(1, "ada", "one", 1000), text(4, "bob", "two", 2000)}}, noon)
	var texts []string
	for _, e := range s.entries {
		if e.kind == said {
			texts = append(texts, fmt.Sprint(e.text, " ", e.own))
		}
	}
	if want := []string{"one true", "two false"}; !slices.Equal(texts, want) {
		t.Errorf("texts = %q, want %q", texts, want)
	}
}

func TestEntriesAreBounded(t *testing.T) {
	t.Parallel()
	s := newState()
	for n := range 5 * maxEntries {
		s.add(entry{kind: notice, text: fmt.Sprint(n)})
	}
	if len(s.entries) > 2*maxEntries {
		t.Errorf("%d entries are kept", len(s.entries))
	}
	fresh := s.fresh(s.take().entries)
	if len(fresh) != maxEntries || fresh[maxEntries-1].text != fmt.Sprint(5*maxEntries-1) {
		t.Errorf("%d fresh entries, the last is %+v", len(fresh), fresh[len(fresh)-1])
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	s := newState()
	if _, ok := s.roundTrip(); ok {
		t.Error("a round trip without a sample")
	}
	for n := range 2 * maxSamples {
		s.sample(time.Duration(n+1) * time.Millisecond)
	}
	r, ok := s.roundTrip()
	want := roundTrip{last: 120 * time.Millisecond, least: 61 * time.Millisecond, median: 90 * time.Millisecond, most: 120 * time.Millisecond}
	if !ok || r != want {
		t.Errorf("roundTrip = %+v, want %+v", r, want)
	}
	if got, want := r.String(), "round trip 120 ms, median 90.0 ms, 61.0 ms to 120 ms"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
	if got := milliseconds(420 * time.Microsecond); got != "0.42 ms" {
		t.Errorf("milliseconds = %q", got)
	}
}

func TestSparkline(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, c := range []struct {
		samples    []time.Duration
		line, area string
	}{
		{nil, "", ""},
		{[]time.Duration{2 * ms}, "M59.0 4.0 h0.1", "M59.0 4.0 L59.0 24.0 L59.0 24.0 Z"},
		{[]time.Duration{0, 2 * ms, ms}, "M57.0 24.0 L58.0 4.0 L59.0 14.0", "M57.0 24.0 L58.0 4.0 L59.0 14.0 L59.0 24.0 L57.0 24.0 Z"},
		{[]time.Duration{ms / 2}, "M59.0 14.0 h0.1", "M59.0 14.0 L59.0 24.0 L59.0 24.0 Z"},
	} {
		if line, area := sparkline(c.samples, maxSamples-1, 24); line != c.line || area != c.area {
			t.Errorf("sparkline(%v) = %q, %q; want %q, %q", c.samples, line, area, c.line, c.area)
		}
	}
}
