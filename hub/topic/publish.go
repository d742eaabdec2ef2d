package topic

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/topicwire"
	"github.com/isosocket/isosocket/ws"
)

// PublishOptions describe a message. A nil pointer and the zero value set neither option.
type PublishOptions struct {
	// Key is the subject of the message, in at most 255 bytes. In a topic of which only
	// the newest values count, a slow client gets the newest message of each Key.
	Key string
	// ID identifies the message, in at most 255 bytes: the server publishes it once, even if
	// Publish is called again with the same ID, for example after an error, or by a
	// program that has started again. The server usually remembers it for 2 minutes. Others
	// must not be able to guess it. "" means one that the Client makes.
	ID string
}

// forget is after which time a message is not sent again: the server forgets its ID after 2
// minutes, and might publish it twice.
const forget = 100 * time.Second

// publication is a Publish that is under way.
type publication struct {
	topic, id, key string
	message        ws.Message
	sent           time.Time // for the first time; zero before that
	refusals       int
	answer         chan answer // has space for one
}

type answer struct {
	at  Position
	err error
}

// Publish publishes m, and returns its position when the server has answered. If the
// connection is lost before that, the message is sent again on the next one, and published
// once. Publish waits while there is no connection, and while the server allows no more
// messages.
//
// The error is a [*RefusedError], the Client's Err, or one of m.Check. If ctx ends, it is
// ctx.Err(), and the message may be published or not. If the answer does not come for 100
// seconds, and the connection is lost, it is an [errors.ErrUnconfirmed], because the
// server may no longer know the ID.
func (c *Client) Publish(ctx context.Context, topic string, m ws.Message, o *PublishOptions) (Position, error) {
	p := &publication{topic: topic, message: m, answer: make(chan answer, 1)}
	if o != nil {
		p.id, p.key = o.ID, o.Key
	}
	if err := m.Check(0); err != nil {
		return "", err
	}
	if err := check(topic, p.id, p.key); err != nil {
		return "", err
	}
	if err := mayWait("Publish", "call it on another goroutine"); err != nil {
		return "", err
	}
	c.mu.Lock()
	if err := c.ended(); err != nil {
		c.mu.Unlock()
		return "", err
	}
	if p.id == "" {
		c.ids++
		p.id = c.session + strconv.FormatUint(c.ids, 36)
	}
	c.publications = append(c.publications, p)
	if c.link != nil {
		c.send(c.link, p)
	}
	c.mu.Unlock()
	select {
	case a := <-p.answer:
		return a.at, a.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(p)
	select {
	case a := <-p.answer:
		return a.at, a.err
	default:
		return "", &waitError{"publish: the message may have been published", ctx.Err()}
	}
}

// The methods below are called with mu held.

// remove removes p, and reports false if it was not there.
func (c *Client) remove(p *publication) bool {
	i := slices.Index(c.publications, p)
	if i >= 0 {
		c.publications = slices.Delete(c.publications, i, i+1)
	}
	return i >= 0
}

// republish sends all messages without an answer on a new connection.
func (c *Client) republish(l *link) {
	for _, p := range slices.Clone(c.publications) {
		if !p.sent.IsZero() && time.Since(p.sent) > forget {
			c.remove(p)
			p.answer <- answer{err: &waitError{"publish: the server may have published the message, and forgotten its ID", errors.ErrUnconfirmed}}
			continue
		}
		c.send(l, p)
	}
}

// send sends p.
func (c *Client) send(l *link, p *publication) {
	if p.sent.IsZero() {
		p.sent = time.Now()
	}
	l.request(p.message, func(f *topicwire.Frame) {
		code := f.Field(1)
		if f.Verb == "no" && code == topicwire.Rate {
			time.AfterFunc(again(p.refusals), func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				if c.link == l && slices.Contains(c.publications, p) {
					c.send(l, p)
				}
			})
			p.refusals++
			return
		}
		if !c.remove(p) {
			return
		}
		if f.Verb == "ok" {
			p.answer <- answer{at: Position(code)}
		} else {
			p.answer <- answer{err: &RefusedError{p.topic, code, f.Text()}}
		}
	}, "pub", p.topic, p.id, p.key)
}
