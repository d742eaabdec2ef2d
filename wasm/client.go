package main

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/chat"
	"github.com/isosocket/isosocket/ws"
)

const (
	pingEvery = time.Second
	// quitPatience bounds how long a client that quits waits for the server to return its
	// messages.
	quitPatience = 2 * time.Second
	// stuckAt is the number of unsent bytes above which the client queues no more messages. It
	// is below the high-water mark, so Send never waits.
	stuckAt = 256 << 10
	// maxOutbox is the maximum number of texts that wait for a connection.
	maxOutbox = 1000
)

// view shows a state. Only the client's goroutine calls show, each time something may have
// changed. show may take the changes.
type view interface {
	show(s *state)
}

// client is the chat client. It handles the requests of a person and the events of the link, and
// updates the view.
type client struct {
	link  *link
	view  view
	state *state
	asks  *mailbox[ask]
	name  string // to join with

	conn     *connection // nil unless one is open
	outbox   []string    // texts for a connection that is about to open
	again    bool        // connect again when this connection has ended
	quitting bool        // leave when this connection has ended
	done     bool        // leave now
	ends     error       // why the last connection ended

	pingSeq  int
	pingSent time.Time // zero unless waiting for a pong
	quitSeq  int       // the ping whose pong shows that the server has every message
	quitBy   time.Time
}

func newClient(l *link, v view, name string) *client {
	return &client{link: l, view: v, state: newState(), asks: newMailbox[ask](), name: name}
}

// ask queues command for the client. It never waits. Any goroutine may call it.
func (c *client) ask(command chat.Command) { c.asks.push(ask{command: command}) }

// complain shows the error of a person's request. It never waits. Any goroutine may call it.
func (c *client) complain(err error) { c.asks.push(ask{err: err}) }

// ask is a person's request, or its error.
type ask struct {
	command chat.Command
	err     error
}

// run connects and runs until a person quits, until the first connection of a link that is not
// stubborn fails, or until ctx ends, which closes the connection with 1001. It returns the error
// with which the last connection ended.
func (c *client) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	c.connect(ctx)
	for {
		c.view.show(c.state)
		if c.done {
			return c.ends
		}
		select {
		case <-ctx.Done():
			return c.leave()
		case <-c.asks.ready:
			for _, a := range c.asks.take() {
				if a.err != nil {
					c.fail(a.err.Error())
				} else {
					c.obey(ctx, a.command)
				}
			}
		case <-c.link.events.ready:
			for _, event := range c.link.events.take() {
				c.happened(ctx, event)
			}
		case now := <-ticker.C:
			c.tick(now)
		}
	}
}

// leave ends the client because its context has ended.
func (c *client) leave() error {
	switch {
	case c.conn != nil:
		// The link has begun to close as well; this waits for it.
		if c.ends = c.conn.Close(errors.GoingAway, ""); c.ends == nil {
			c.ends = c.conn.Err()
		}
		c.state.setStatus(ended(c.ends), time.Now())
	case c.ends == nil:
		c.ends = context.Canceled // while connecting for the first time
	}
	c.view.show(c.state)
	return c.ends
}

// connect opens the link. There is no open connection.
func (c *client) connect(ctx context.Context) {
	c.again = false
	c.dialing(time.Now())
	c.link.open(ctx)
}

func (c *client) dialing(now time.Time) {
	if c.state.status.phase != connecting {
		c.state.setStatus(status{phase: connecting, headline: "Connecting"}, now)
	}
}

// happened handles an event of the link.
func (c *client) happened(ctx context.Context, e linkEvent) {
	if !c.link.current(e) {
		return
	}
	switch e.kind {
	case linkDialing:
		c.dialing(e.at)
	case linkUp:
		c.conn = e.conn
		c.state.setStatus(status{phase: opened, headline: "Connected"}, e.at)
		c.send(chat.Message{Type: chat.Join, Name: c.name, Platform: runtime.GOOS + "/" + runtime.GOARCH})
	case linkMessage:
		c.received(e)
	case linkDown:
		s := ended(e.err)
		s.phase, s.until = waiting, e.until
		c.over(ctx, e, s)
	case linkOver:
		c.over(ctx, e, ended(e.err))
	}
}

// received handles a message from the server.
func (c *client) received(e linkEvent) {
	if e.message.Type == chat.Pong {
		c.pong(e)
		return
	}
	c.state.apply(e.message, e.at)
	c.name = c.state.self.Name
	if e.message.Type != chat.Welcome {
		return
	}
	for _, text := range c.outbox {
		c.send(chat.Message{Type: chat.Say, Text: text})
	}
	c.outbox = nil
	c.quitWhenSaid()
}

// over handles the end of the connection, which s describes.
func (c *client) over(ctx context.Context, e linkEvent, s status) {
	c.ends, c.conn = e.err, nil
	c.pingSent, c.quitSeq = time.Time{}, 0
	c.state.setStatus(s, e.at)
	if s.phase != waiting || c.quitting {
		c.dropOutbox()
	}
	switch {
	case c.quitting, s.phase == failed && c.state.self.ID == 0 && !c.link.stubborn:
		c.done = true
	case c.again:
		c.connect(ctx)
	}
}

// obey handles a person's request.
func (c *client) obey(ctx context.Context, command chat.Command) {
	switch command.Verb {
	case chat.VerbSay:
		c.say(command.Text)
	case chat.VerbRename:
		if !c.connected() {
			// Use the name for the next connection.
			c.name = command.Text
			c.note("You will be " + command.Text)
			return
		}
		c.send(chat.Message{Type: chat.Rename, Name: command.Text})
	case chat.VerbWho:
		names := make([]string, len(c.state.people))
		for i, p := range c.state.people {
			names[i] = p.Name
		}
		if len(names) == 0 {
			names = []string{"nobody that this side knows of"}
		}
		c.note("Here: " + strings.Join(names, ", "))
	case chat.VerbRoundTrip:
		if r, ok := c.state.roundTrip(); ok {
			c.note(strings.ToUpper(r.String()[:1]) + r.String()[1:])
		} else {
			c.note("No message has made the round trip yet")
		}
	case chat.VerbHelp:
		c.note(chat.Help)
	case chat.VerbDrop:
		if c.needConnection() {
			c.send(chat.Message{Type: chat.Drop})
		}
	case chat.VerbClose:
		switch {
		case !c.needConnection():
		case command.Server:
			c.send(chat.Message{Type: chat.Close, Reason: command.Reason, Text: command.Text})
		default:
			c.close(command.Reason, command.Text)
		}
	case chat.VerbReconnect:
		switch c.state.status.phase {
		case connecting:
			c.note("Already connecting")
		case opened:
			c.again = true
			c.close(errors.NormalClosure, "reconnecting")
		case closing:
			c.again = true
		default:
			c.connect(ctx)
		}
	case chat.VerbQuit:
		c.quitting = true
		switch phase := c.state.status.phase; {
		case phase == waiting || !phase.live():
			c.dropOutbox()
			c.done = true
		default:
			c.quitWhenSaid()
		}
	}
}

// connected reports whether the server has accepted this client.
func (c *client) connected() bool {
	return c.conn != nil && c.state.status.phase == opened && len(c.state.people) > 0
}

func (c *client) needConnection() bool {
	if !c.connected() {
		c.fail("not connected; /reconnect connects again")
	}
	return c.connected()
}

func (c *client) say(text string) {
	switch phase := c.state.status.phase; {
	case c.connected():
		c.send(chat.Message{Type: chat.Say, Text: text})
	case phase == connecting || phase == opened || phase == waiting:
		if len(c.outbox) >= maxOutbox {
			c.fail("too much waits to be said, so this was not: " + text)
			return
		}
		c.outbox = append(c.outbox, text)
	default:
		c.fail("not connected, so this was not said: " + text)
	}
}

// dropOutbox drops the texts that waited for a connection.
func (c *client) dropOutbox() {
	for _, text := range c.outbox {
		c.fail("there is no connection, so this was not said: " + text)
	}
	c.outbox = nil
}

// send queues m. It never waits: see stuckAt.
func (c *client) send(m chat.Message) bool {
	if unsent := c.conn.Buffered(); unsent > stuckAt {
		c.fail("not sent: the link is stuck, with " + strconv.Itoa(unsent>>10) + " KiB unsent")
		return false
	}
	err := c.conn.Send(context.Background(), ws.Message{Kind: ws.KindText, Data: m.Encode()})
	if err != nil && c.conn.Err() == nil {
		c.fail("not sent: " + err.Error())
	} else if err != nil && m.Type == chat.Say {
		c.fail("the connection has ended, so this was not said: " + m.Text)
	}
	return err == nil
}

// close ends the connection for a reason of this side, without waiting.
func (c *client) close(reason errors.CloseReason, message string) {
	c.state.setStatus(status{phase: closing, headline: "Closing"}, time.Now())
	c.conn.close(reason, message)
}

// quitWhenSaid closes the connection once the server has returned all messages.
func (c *client) quitWhenSaid() {
	if !c.quitting || !c.connected() || c.quitSeq != 0 {
		return
	}
	c.pingSeq++
	c.quitSeq, c.quitBy = c.pingSeq, time.Now().Add(quitPatience)
	c.send(chat.Message{Type: chat.Ping, Seq: c.quitSeq})
}

// tick sends a ping unless it is waiting for a pong.
func (c *client) tick(now time.Time) {
	if c.state.status.phase == waiting {
		c.state.changed.status = true // for the countdown
	}
	if !c.connected() {
		return
	}
	if c.quitSeq != 0 {
		if now.After(c.quitBy) {
			c.close(errors.NormalClosure, "")
		}
		return
	}
	if c.pingSent.IsZero() {
		c.pingSeq++
		c.pingSent = time.Now()
		c.send(chat.Message{Type: chat.Ping, Seq: c.pingSeq})
	}
}

func (c *client) pong(e linkEvent) {
	switch {
	case c.quitSeq != 0 && e.message.Seq == c.quitSeq:
		if c.state.status.phase == opened {
			c.close(errors.NormalClosure, "")
		}
	case !c.pingSent.IsZero() && e.message.Seq == c.pingSeq:
		c.state.sample(e.at.Sub(c.pingSent))
		c.pingSent = time.Time{}
	}
}

func (c *client) note(text string) {
	c.state.add(entry{kind: notice, time: time.Now(), text: text})
}

func (c *client) fail(text string) {
	c.state.add(entry{kind: problem, time: time.Now(), text: text})
}
