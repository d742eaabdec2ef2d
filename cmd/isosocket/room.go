//go:build !js

package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/internal/chat"
	"github.com/isosocket/isosocket/ws"
)

const (
	maxMembers  = 1000
	maxHistory  = 30
	maxUnread   = 256 << 10 // bytes that may wait for a member before it counts as too slow
	joinTimeout = 10 * time.Second
)

// topic is the name of the chat's only topic.
const topic = "chat"

// room is the chat's server side. Each connection needs only the goroutine that calls serve. Events
// are published in a topic of the hub, which encodes them once, queues them for all members without
// a wait, and closes the connections of those that read too slowly. They are published under mu, so
// that all members receive the same events in the same order.
type room struct {
	hub   *hub.Hub
	lines *hub.Format // for members that speak plain lines

	mu      sync.Mutex
	lastID  int
	members map[int]*member
	history []chat.Message
}

func newRoom() *room {
	h, err := hub.New(&hub.Options{
		// The history of the hub has all events, and a new member wants what was said.
		Rules:  func(string) hub.Rules { return hub.Rules{History: -1, IDs: -1, Slow: hub.Disconnect} },
		Limits: hub.Limits{Unread: maxUnread},
	})
	if err != nil {
		panic(err) // the options are constants
	}
	return &room{hub: h, lines: &hub.Format{Entry: line}, members: map[int]*member{}}
}

// line returns an event as a line of text.
func line(_ string, e *hub.Entry) ws.Message {
	event, _ := chat.DecodeEvent(e.Message.Data) // the room has encoded it
	return ws.Text(event.Line())
}

// member is one connection that has joined.
type member struct {
	person chat.Person // changes under room.mu only
	conn   *ws.Conn
	plain  bool                    // speaks lines instead of JSON
	remove context.CancelCauseFunc // makes serve return, with the cause
}

// visitor holds the details of a connection that serve needs in addition to it.
type visitor struct {
	name string // requested by a client that speaks plain lines, or "" for any
	cut  func() // breaks the connection without a close frame
}

// departure is the error of a member that leaves with its own reason.
type departure struct {
	reason errors.CloseReason
	text   string
	cut    bool
}

func (d *departure) Error() string { return "chat: " + d.reason.String() + ": " + d.text }

// serve serves one connection until it ends or is removed, and then closes it. It returns the
// error with which the connection ended, or nil if serve closed it.
func (r *room) serve(ctx context.Context, conn *ws.Conn, v visitor) error {
	ctx, remove := context.WithCancelCause(ctx)
	defer remove(nil)
	m := &member{conn: conn, plain: conn.Subprotocol() != chat.Subprotocol, remove: remove}
	err := r.join(ctx, m, v.name)
	if err == nil {
		err = r.listen(ctx, m)
		r.leave(m, err)
	}
	if d, ok := errors.AsType[*departure](err); ok {
		if d.cut {
			v.cut()
			return nil
		}
		_ = conn.Close(d.reason, d.text)
		return nil
	}
	if violation, ok := errors.AsType[*chat.Violation](err); ok {
		_ = conn.Close(violation.Reason, violation.Message)
		return nil
	}
	if closed, ok := errors.AsType[*errors.ConnectionClosed](err); ok && !closed.Remote && closed.Reason == errors.TryAgainLater {
		return nil // the hub has closed it
	}
	return err
}

// join waits for the client's name and makes it a member.
func (r *room) join(ctx context.Context, m *member, name string) error {
	platform := "plain lines"
	if !m.plain {
		hello, err := receiveJoin(ctx, m.conn)
		if err != nil {
			return err
		}
		name, platform = hello.Name, hello.Platform
	}
	refusal := ""
	if strings.TrimSpace(name) == "" {
		name = "guest"
	}
	clean, err := chat.CleanName(name)
	if err != nil {
		clean, refusal = "guest", err.Error()
	}
	// A platform that is not a short, printable word is ignored, not refused.
	if platform, err = chat.CleanName(platform); err != nil {
		platform = ""
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.members) >= maxMembers {
		return &chat.Violation{Reason: errors.TryAgainLater, Message: "the chat is full: " + strconv.Itoa(maxMembers) + " are here"}
	}
	r.lastID++
	m.person = chat.Person{ID: r.lastID, Name: r.free(clean, 0), Platform: platform}
	r.tell(chat.Message{Type: chat.Joined, ID: m.person.ID, Name: m.person.Name, Platform: platform})
	r.members[m.person.ID] = m
	o := &hub.JoinOptions{}
	if m.plain {
		o.Format = r.lines
	}
	if _, err := r.hub.Join(ctx, topic, m.conn, o); err != nil {
		delete(r.members, m.person.ID)
		return err
	}
	m.tell(chat.Message{Type: chat.Welcome, ID: m.person.ID, Name: m.person.Name, People: r.people(), History: r.history})
	if m.plain {
		for _, said := range r.history {
			m.tell(said)
		}
	}
	if refusal != "" {
		m.refuse(errors.New(refusal))
	}
	return nil
}

func receiveJoin(ctx context.Context, conn *ws.Conn) (chat.Message, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, joinTimeout, &chat.Violation{
		Reason: errors.PolicyViolation, Message: "no join within " + joinTimeout.String()})
	defer cancel()
	in, err := conn.Receive(ctx)
	if err != nil {
		return chat.Message{}, err
	}
	m, err := decode(in)
	if err == nil && m.Type != chat.Join {
		err = &chat.Violation{Reason: errors.PolicyViolation, Message: "the first message must be a join, not a " + string(m.Type)}
	}
	return m, err
}

func decode(in ws.Message) (chat.Message, error) {
	if in.Kind != ws.KindText {
		return chat.Message{}, &chat.Violation{Reason: errors.UnsupportedData, Message: "the chat takes text messages only"}
	}
	return chat.Decode(in.Data)
}

// listen handles m's requests until m leaves.
func (r *room) listen(ctx context.Context, m *member) error {
	for {
		in, err := m.conn.Receive(ctx)
		if err != nil {
			return err
		}
		// Receive returns messages that have arrived even after ctx has ended.
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if m.plain {
			err = r.obeyLine(m, in)
		} else {
			err = r.obey(m, in)
		}
		if err != nil {
			return err
		}
	}
}

// obey handles the request of a JSON message.
func (r *room) obey(m *member, in ws.Message) error {
	asked, err := decode(in)
	if err != nil {
		return err
	}
	switch asked.Type {
	case chat.Say:
		r.say(m, asked.Text)
	case chat.Rename:
		r.rename(m, asked.Name)
	case chat.Ping:
		m.tell(chat.Message{Type: chat.Pong, Seq: asked.Seq})
	case chat.Drop:
		return &departure{reason: errors.AbnormalClosure, text: "asked to be cut off", cut: true}
	case chat.Close:
		if asked.Reason.Sendable() {
			return &departure{reason: asked.Reason, text: asked.Text}
		}
		_, err := chat.ParseReason(strconv.Itoa(int(asked.Reason)))
		m.refuse(err)
	case chat.Join:
		return &chat.Violation{Reason: errors.PolicyViolation, Message: "a second join; use rename to take another name"}
	}
	return nil
}

// obeyLine handles the request of a typed line.
func (r *room) obeyLine(m *member, in ws.Message) error {
	if in.Kind != ws.KindText {
		_, err := decode(in)
		return err
	}
	asked, err := chat.ParseLine(in.String())
	if err != nil {
		m.refuse(err)
		return nil
	}
	switch asked.Verb {
	case chat.VerbSay:
		r.say(m, asked.Text)
	case chat.VerbRename:
		r.rename(m, asked.Text)
	case chat.VerbWho:
		r.mu.Lock()
		defer r.mu.Unlock()
		m.tell(chat.Message{Type: chat.Welcome, Name: m.person.Name, People: r.people()})
	case chat.VerbHelp:
		m.send(ws.Text(chat.Help))
	case chat.VerbClose:
		return &departure{reason: asked.Reason, text: asked.Text}
	case chat.VerbQuit:
		return &departure{reason: errors.NormalClosure}
	case chat.VerbDrop:
		return &departure{reason: errors.AbnormalClosure, text: "asked to be cut off", cut: true}
	case chat.VerbReconnect, chat.VerbRoundTrip:
		m.refuse(errors.New("only a client that speaks the subprotocol " + chat.Subprotocol + " can do that"))
	}
	return nil
}

func (r *room) say(m *member, text string) {
	text, err := chat.CleanText(text)
	if err != nil {
		m.refuse(err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	said := chat.Message{Type: chat.Said, ID: m.person.ID, Name: m.person.Name, Text: text, Time: time.Now().UnixMilli()}
	// Copy: a Welcome may still hold the old slice.
	r.history = append(slices.Clone(r.history[max(0, len(r.history)+1-maxHistory):]), said)
	r.tell(said)
}

func (r *room) rename(m *member, name string) {
	name, err := chat.CleanName(name)
	if err != nil {
		m.refuse(err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := m.person.Name
	m.person.Name = r.free(name, m.person.ID)
	r.tell(chat.Message{Type: chat.Renamed, ID: m.person.ID, Name: m.person.Name, Old: old})
}

// leave informs the others that m left, and why.
func (r *room) leave(m *member, err error) {
	left := chat.Message{Type: chat.Left, ID: m.person.ID, Reason: errors.AbnormalClosure}
	if d, ok := errors.AsType[*departure](err); ok {
		left.Reason, left.Text = d.reason, chat.Printable(d.text)
	} else if violation, ok := errors.AsType[*chat.Violation](err); ok {
		left.Reason, left.Text = violation.Reason, violation.Message
	} else if closed, ok := errors.AsType[*errors.ConnectionClosed](err); ok {
		left.Reason, left.Text = closed.Reason, chat.Printable(closed.Message)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	left.Name = m.person.Name
	delete(r.members, m.person.ID)
	r.tell(left)
}

// tell sends an event to every member. The caller holds r.mu.
func (r *room) tell(event chat.Message) {
	// The engine is in memory, and the only error is that of an event over the hub's limits, which
	// are far above those of the chat.
	_, _ = r.hub.Publish(context.Background(), topic, ws.Message{Kind: ws.KindText, Data: event.Encode()}, nil)
}

// people returns the members in the order in which they joined. The caller holds r.mu.
func (r *room) people() []chat.Person {
	people := make([]chat.Person, 0, len(r.members))
	for _, m := range r.members {
		people = append(people, m.person)
	}
	slices.SortFunc(people, func(a, b chat.Person) int { return cmp.Compare(a.ID, b.ID) })
	return people
}

// free returns name, or name with a number if a member other than id has it.
// The caller holds r.mu.
func (r *room) free(name string, id int) string {
	taken := make(map[string]bool, len(r.members))
	for m := range maps.Values(r.members) {
		if m.person.ID != id {
			taken[strings.ToLower(m.person.Name)] = true
		}
	}
	candidate := name
	for n := 2; taken[strings.ToLower(candidate)]; n++ {
		suffix := "-" + strconv.Itoa(n)
		runes := []rune(name)
		candidate = string(runes[:min(len(runes), chat.MaxName-len(suffix))]) + suffix
	}
	return candidate
}

func (m *member) refuse(err error) { m.tell(chat.Message{Type: chat.Refused, Text: err.Error()}) }

// tell sends event to m only.
func (m *member) tell(event chat.Message) {
	if m.plain {
		m.send(ws.Text(event.Line()))
		return
	}
	m.send(ws.Message{Kind: ws.KindText, Data: event.Encode()})
}

// send queues out for m only, and never waits. It removes a member that reads too slowly.
func (m *member) send(out ws.Message) {
	unread := m.conn.Buffered()
	if unread <= maxUnread {
		// Any other error means that the connection has ended, which its own goroutine handles.
		if err := m.conn.TrySend(out); !errors.Is(err, errors.ErrWouldBlock) {
			return
		}
	}
	m.remove(&chat.Violation{Reason: errors.TryAgainLater,
		Message: "reads too slowly: " + strconv.Itoa(unread>>10) + " KiB wait unread, " + strconv.Itoa(maxUnread>>10) + " are allowed"})
}
