package topic

import (
	"strconv"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/topicwire"
	"github.com/isosocket/isosocket/ws"
)

// link is one connection of a Client. All its fields but conn, signal and done are guarded
// by Client.mu.
type link struct {
	conn     *ws.Conn
	out      []outgoing    // queued, so that requests keep the order in which they were made
	signal   chan struct{} // holds one signal that out is not empty
	number   uint64        // of the last request
	requests map[string]func(f *topicwire.Frame)
	stale    map[string]int // by topic: requests after whose answers messages are new again
	watches  map[string]*watch
}

type outgoing struct {
	number  string
	message ws.Message
}

// serve uses conn until it ends. It returns false if the Client has ended.
func (c *Client) serve(conn *ws.Conn) bool {
	l := &link{
		conn: conn, signal: make(chan struct{}, 1),
		requests: make(map[string]func(*topicwire.Frame)), stale: make(map[string]int), watches: make(map[string]*watch),
	}
	c.mu.Lock()
	if c.closing != nil {
		reason, message := c.closing.Reason, c.closing.Message
		c.mu.Unlock()
		conn.Close(reason, message)
		return false
	}
	c.link = l
	for _, s := range c.subscriptions {
		s.restore(l)
	}
	c.republish(l)
	c.mu.Unlock()
	if c.onConnect != nil {
		c.onConnect(conn)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.write(l)
	}()
	for {
		m, err := conn.Receive(c.ctx)
		if err != nil {
			break
		}
		f, err := topicwire.Parse(m)
		if err != nil {
			conn.Close(errors.PolicyViolation, err.Error())
			break
		}
		c.mu.Lock()
		c.take(l, &f)
		c.mu.Unlock()
	}
	c.mu.Lock()
	c.link = nil
	c.mu.Unlock()
	if conn.Err() == nil {
		conn.Close(errors.GoingAway, "") // ctx has ended
	}
	<-written
	return c.ctx.Err() == nil
}

// write sends what is queued until the connection has ended.
func (c *Client) write(l *link) {
	for {
		c.mu.Lock()
		out := l.out
		l.out = nil
		c.mu.Unlock()
		for _, o := range out {
			err := l.conn.Send(c.ctx, o.message)
			switch {
			case err == nil:
			case l.conn.Err() != nil || c.ctx.Err() != nil:
				return
			default: // it is too large
				f, _ := topicwire.Parse(topicwire.Make(topicwire.Bytes([]byte(err.Error())), "no", o.number, topicwire.Limit))
				c.mu.Lock()
				c.take(l, &f)
				c.mu.Unlock()
			}
		}
		if len(out) > 0 {
			continue
		}
		select {
		case <-l.signal:
		case <-l.conn.Done():
			return
		}
	}
}

// request queues a request, and returns its number. then is called with the answer, if one
// comes. mu is held here and there.
func (l *link) request(payload ws.Message, then func(f *topicwire.Frame), verb string, fields ...string) string {
	l.number++
	number := strconv.FormatUint(l.number, 36)
	l.requests[number] = then
	l.out = append(l.out, outgoing{number, topicwire.Make(payload, verb, append([]string{number}, fields...)...)})
	select {
	case l.signal <- struct{}{}:
	default:
	}
	return number
}

// leave sends a leave or a pause. Until its answer the messages of the topic are old.
func (l *link) leave(verb, topic string) {
	l.stale[topic]++
	l.request(ws.Message{}, func(*topicwire.Frame) {
		if l.stale[topic]--; l.stale[topic] == 0 {
			delete(l.stale, topic)
		}
	}, verb, topic)
}

// take handles a message of the server. mu is held.
func (c *Client) take(l *link, f *topicwire.Frame) {
	switch f.Verb {
	case "ok", "no":
		number := f.Field(0)
		if then := l.requests[number]; then != nil {
			delete(l.requests, number)
			then(f)
		} else if w := l.watches[number]; w != nil && f.Verb == "no" {
			w.refused(l, f)
		}
	case "msg", "gap", "end":
		topic := f.Field(0)
		s := c.subscription(topic)
		if s == nil || l.stale[topic] > 0 {
			return
		}
		switch f.Verb {
		case "msg":
			at := Position(f.Field(1))
			s.push(l, item{message: Message{Message: f.Payload, Topic: topic, Position: at, Key: f.Field(2)}, at: at})
		case "gap":
			g := &Gap{Topic: topic, After: Position(f.Field(1)), Until: Position(f.Field(2))}
			at := g.Until
			if at == "" {
				at = g.After
			}
			s.push(l, item{gap: g, at: at})
		case "end":
			if f.Field(1) == s.number {
				s.finish(&RefusedError{topic, f.Field(2), f.Text()})
			}
		}
	case "here", "gone", "all":
		if w := l.watches[f.Field(0)]; w != nil {
			w.take(f)
		}
	}
}

// subscription returns the subscription to a topic, nil if there is none. mu is held.
func (c *Client) subscription(topic string) *Subscription {
	for _, s := range c.subscriptions {
		if s.topic == topic {
			return s
		}
	}
	return nil
}
