package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/chat"
)

const (
	maxEntries = 500
	maxSamples = 60
)

// state is the data that a view shows. Only the client's goroutine uses it.
type state struct {
	status  status
	self    chat.Person   // ID 0 before the server has given one
	people  []chat.Person // in the order in which they joined
	entries []entry       // the last maxEntries
	samples []time.Duration
	changed changes

	added    int            // entries added in total
	own      map[int]string // the names with which this client joined, by ID
	lastSaid int64          // the Time of the newest text
}

// changes describes the changes since the last take.
type changes struct {
	status, self, people, samples bool
	entries                       int // the number of new ones
}

// entry is one line of the log.
type entry struct {
	kind entryKind
	time time.Time
	from chat.Person // of a text
	own  bool        // a text of this client
	text string
}

type entryKind uint8

const (
	said    entryKind = iota + 1 // a text of a member
	notice                       // an event
	problem                      // an error
)

// line returns the entry as a line of text.
func (e entry) line() string {
	switch e.kind {
	case said:
		return chat.Message{Type: chat.Said, Name: e.from.Name, Text: e.text}.Line()
	case problem:
		return "! " + e.text
	}
	return "* " + e.text
}

// phase is the state of a connection.
type phase string

const (
	connecting phase = "connecting"
	opened     phase = "open"
	waiting    phase = "waiting" // lost or refused, before the next attempt
	closing    phase = "closing"
	closed     phase = "closed" // with a close frame of either side
	lost       phase = "lost"   // without a close frame
	failed     phase = "failed" // could not be opened
)

// live reports whether there is a connection or an attempt to open one.
func (p phase) live() bool {
	return p == connecting || p == opened || p == closing || p == waiting
}

// status describes the state of the connection, in words and with its reason or HTTP status.
type status struct {
	phase    phase
	headline string
	reason   errors.CloseReason // why it ended, or 0
	code     int                // the HTTP status of a refusal, or 0
	detail   string
	since    time.Time
	until    time.Time // of waiting: when the next attempt will be made
}

// countdown describes the time until the next attempt.
func (s status) countdown(now time.Time) string {
	seconds := int((s.until.Sub(now) + time.Second - 1) / time.Second)
	if seconds <= 0 {
		return "trying again now"
	}
	return "trying again in " + strconv.Itoa(seconds) + " s"
}

// sentence returns the whole status as one line.
func (s status) sentence() string {
	line := s.headline
	if s.reason != 0 {
		line += ": " + s.reason.String()
	}
	if s.detail != "" {
		line += ": " + s.detail
	}
	if s.phase == waiting {
		line += "; " + s.countdown(s.since)
	}
	return line
}

// ended describes why a connection ended, or could not be opened.
func ended(err error) status {
	if c, ok := errors.AsType[*errors.ConnectionClosed](err); ok {
		s := status{phase: closed, headline: "Closed by this side", reason: c.Reason, detail: chat.Printable(c.Message)}
		switch {
		case c.Reason == errors.AbnormalClosure:
			s.phase, s.headline = lost, "Connection lost"
		case c.Remote:
			s.headline = "Closed by the server"
		}
		if s.detail == "" {
			s.detail = meaning(c.Reason)
		}
		return s
	}
	s := status{phase: failed, headline: "Could not connect", detail: strings.TrimPrefix(err.Error(), "websocket: ")}
	if refused, ok := errors.AsType[*errors.ConnectionError](err); ok {
		s.code = refused.StatusCode
		s.detail = "the server cannot be reached"
		if refused.StatusCode != 0 {
			s.detail = "the server answered with the HTTP status " + strconv.Itoa(refused.StatusCode)
			if refused.StatusGuessed {
				s.detail = "the server answered a plain request with the HTTP status " + strconv.Itoa(refused.StatusCode)
			}
		}
		if refused.Err != nil {
			s.detail += ": " + chat.Printable(refused.Err.Error())
		}
	}
	return s
}

// meaning describes a reason without a message in a few words.
func meaning(r errors.CloseReason) string {
	switch r {
	case errors.NormalClosure:
		return "all is done, nothing went wrong"
	case errors.GoingAway:
		return "that side shuts down or leaves"
	case errors.ProtocolError:
		return "the other side broke the WebSocket protocol"
	case errors.UnsupportedData:
		return "that kind of message is not accepted"
	case errors.NoStatusReceived:
		return "no reason was given"
	case errors.AbnormalClosure:
		return "the link broke without a close frame"
	case errors.InvalidPayload:
		return "a message did not fit its kind"
	case errors.PolicyViolation:
		return "a rule was broken"
	case errors.MessageTooBig:
		return "a message was larger than accepted"
	case errors.InternalError:
		return "something unexpected went wrong there"
	case errors.ServiceRestart:
		return "the server restarts; come back soon"
	case errors.TryAgainLater:
		return "the server is overloaded; come back later"
	case errors.BadGateway:
		return "a gateway got no proper answer"
	}
	return ""
}

func newState() *state { return &state{own: map[int]string{}} }

// take returns the changes since the last call.
func (s *state) take() changes {
	c := s.changed
	s.changed = changes{}
	return c
}

// fresh returns the last n entries, where n is the count of changes.
func (s *state) fresh(n int) []entry { return s.entries[max(0, len(s.entries)-n):] }

func (s *state) setStatus(to status, now time.Time) {
	to.since = now
	s.status = to
	s.changed.status = true
	kind := notice
	if to.phase == failed || to.phase == lost || to.phase == waiting {
		kind = problem
	}
	if to.phase != opened { // the welcome message adds the entry
		s.add(entry{kind: kind, time: now, text: to.sentence()})
	}
	if to.phase != opened && to.phase != closing {
		s.people, s.changed.people = nil, true
	}
}

func (s *state) add(e entry) {
	s.entries = append(s.entries, e)
	if len(s.entries) > 2*maxEntries {
		s.entries = slices.Clone(s.entries[len(s.entries)-maxEntries:])
	}
	s.added++
	s.changed.entries = min(s.changed.entries+1, maxEntries)
}

// apply applies a message of the server that arrived at the time now.
func (s *state) apply(m chat.Message, now time.Time) {
	tell := func(text string) { s.add(entry{kind: notice, time: now, text: text}) }
	who := chat.Person{ID: m.ID, Name: m.Name, Platform: m.Platform}
	at := slices.IndexFunc(s.people, func(p chat.Person) bool { return p.ID == m.ID })
	switch m.Type {
	case chat.Welcome:
		s.self, s.changed.self = who, true
		s.own[m.ID] = m.Name
		s.people, s.changed.people = slices.Clone(m.People), true
		for _, old := range m.History {
			// Texts from an earlier connection are already shown.
			if old.Type == chat.Said && old.Time > s.lastSaid {
				s.heard(old, s.own[old.ID] == old.Name)
			}
		}
		tell("You are " + m.Name)
	case chat.Joined:
		if at < 0 {
			s.people, s.changed.people = append(s.people, who), true
		}
		tell(strings.TrimPrefix(m.Line(), "* "))
	case chat.Left:
		if at >= 0 {
			s.people, s.changed.people = slices.Delete(s.people, at, at+1), true
		}
		tell(strings.TrimPrefix(m.Line(), "* "))
	case chat.Renamed:
		if at >= 0 {
			s.people[at].Name, s.changed.people = m.Name, true
		}
		if m.ID == s.self.ID {
			s.self.Name, s.changed.self = m.Name, true
			s.own[m.ID] = m.Name
		}
		tell(strings.TrimPrefix(m.Line(), "* "))
	case chat.Said:
		s.heard(m, m.ID == s.self.ID)
	case chat.Refused:
		s.add(entry{kind: problem, time: now, text: m.Text})
	}
}

func (s *state) heard(m chat.Message, own bool) {
	s.lastSaid = max(s.lastSaid, m.Time)
	s.add(entry{kind: said, time: m.When(), from: chat.Person{ID: m.ID, Name: m.Name}, own: own, text: m.Text})
}

// sample records the duration of one round trip.
func (s *state) sample(d time.Duration) {
	s.samples = append(s.samples[max(0, len(s.samples)+1-maxSamples):], d)
	s.changed.samples = true
}

// roundTrip summarizes the samples; ok is false if there are none.
func (s *state) roundTrip() (r roundTrip, ok bool) {
	if len(s.samples) == 0 {
		return r, false
	}
	sorted := slices.Sorted(slices.Values(s.samples))
	return roundTrip{
		last:   s.samples[len(s.samples)-1],
		least:  sorted[0],
		median: sorted[(len(sorted)-1)/2],
		most:   sorted[len(sorted)-1],
	}, true
}

type roundTrip struct{ last, least, median, most time.Duration }

func (r roundTrip) String() string {
	return "round trip " + milliseconds(r.last) + ", median " + milliseconds(r.median) +
		", " + milliseconds(r.least) + " to " + milliseconds(r.most)
}

// milliseconds formats d with a useful number of digits.
func milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	digits := 0
	switch {
	case ms < 1:
		digits = 2
	case ms < 100:
		digits = 1
	}
	return strconv.FormatFloat(ms, 'f', digits, 64) + " ms"
}
