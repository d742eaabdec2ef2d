package topic

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/topicwire"
	"github.com/isosocket/isosocket/ws"
)

// DefaultBuffer is 1 MiB.
const DefaultBuffer = 1 << 20

// overhead is how many bytes an unread message counts in addition to its data.
const overhead = 64

// SubscribeOptions configure a [Subscription]. A nil pointer and the zero value mean the
// messages from now on.
type SubscribeOptions struct {
	// Since is the position after which messages are received. "" means from now on, which
	// is when the server gets to know of the subscription.
	Since Position

	// Oldest begins with the oldest message in history. Since must then be "".
	Oldest bool

	// Load, if not nil, loads the state that the messages change. Receive calls it before
	// the first message and after each gap, and returns its error if it fails; the next
	// Receive then calls it again. Receive never returns a [Gap].
	//
	// Load returns the position at which the state was read, and messages up to there are
	// dropped: read the position first, with hub.Hub.Position on the server, and then the
	// state. Or it returns "": then all messages follow that were published since the
	// subscription began, or since the gap, and some of them may be in the state already.
	Load func(ctx context.Context) (Position, error)

	// Buffer is how many bytes of messages may wait to be received; each counts 64 bytes
	// more than its data, and one message may always wait. When half of it is full the
	// server is asked to pause, for this topic alone, and when less than a quarter is,
	// it continues from history. What still arrives when the buffer is full is dropped, and
	// comes again from history. 0 means [DefaultBuffer]; a negative number is invalid.
	Buffer int
}

// Subscription is a subscription to a topic. [Client.Subscribe] makes one. Receive and
// Messages belong to one goroutine at a time; all other methods may be called by many
// goroutines at the same time.
type Subscription struct {
	client  *Client
	topic   string
	options SubscribeOptions
	loaded  time.Time // when Load was last called; belongs to Receive

	// Guarded by Client.mu.
	number   string   // of the last sub on this connection
	refusals int      // in a row
	joined   bool     // the server has accepted it, on some connection
	live     bool     // the server has accepted it on this connection
	loadDue  bool     // Load is to be called
	paused   bool     // the server is to send nothing
	pauses   int      // pauses without an answer on this connection
	full     bool     // something was dropped during the pause
	queue    []item   // received, and not yet returned
	bytes    int      // of queue
	arrived  Position // of the last item that was queued
	read     Position // of the last item that was returned
	waiting  chan struct{}
	watches  []*watch
	err      error
}

// item is a message or a gap.
type item struct {
	message Message
	gap     *Gap
	at      Position
}

func (it *item) size() int { return len(it.message.Data) + overhead }

// Subscribe returns a Subscription to a topic, at once. It lives until Leave, or until the
// Client or the server ends it, across any number of connections. If something is
// invalid, or there is a subscription to the topic, it has ended: its Err says why.
func (c *Client) Subscribe(topic string, o *SubscribeOptions) *Subscription {
	s := &Subscription{client: c, topic: topic}
	if o != nil {
		s.options = *o
	}
	s.arrived, s.read = s.options.Since, s.options.Since
	s.loadDue = s.options.Load != nil
	if s.options.Buffer == 0 {
		s.options.Buffer = DefaultBuffer
	}
	err := check(topic, string(s.options.Since))
	switch {
	case s.options.Buffer < 0:
		err = sentinel("topic: invalid option: SubscribeOptions.Buffer is negative")
	case s.options.Oldest && s.options.Since != "":
		err = sentinel("topic: invalid option: SubscribeOptions.Oldest is set, and Since too")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended() != nil:
		s.err = c.ended()
	case err != nil:
		s.err = err
	case c.subscription(topic) != nil:
		s.err = ErrSubscribed
	default:
		c.subscriptions = append(c.subscriptions, s)
		if c.link != nil {
			s.begin(c.link)
		}
	}
	return s
}

// Topic returns the topic's name.
func (s *Subscription) Topic() string { return s.topic }

// Receive waits for the next message. ctx bounds the wait, never the subscription. If
// messages were lost for good, it returns a [*Gap], once, in its place in the order, and
// the next Receive continues behind it. Any other error but ctx.Err() and that of Load is
// the end of the subscription. Messages that arrived before it are returned first.
func (s *Subscription) Receive(ctx context.Context) (Message, error) {
	c := s.client
	for {
		c.mu.Lock()
		switch {
		case s.loadDue && s.joined && s.ended() == nil:
			c.mu.Unlock()
			if err := s.load(ctx); err != nil {
				return Message{}, err
			}
			continue
		case !s.loadDue && len(s.queue) > 0:
			it := s.pop()
			if it.gap != nil && s.options.Load != nil {
				s.loadDue = true
				c.mu.Unlock()
				continue
			}
			c.mu.Unlock()
			if it.gap != nil {
				return Message{}, it.gap
			}
			return it.message, nil
		case s.ended() != nil:
			err := s.ended()
			c.mu.Unlock()
			return Message{}, err
		}
		if s.waiting == nil {
			s.waiting = make(chan struct{})
		}
		waiting := s.waiting
		c.mu.Unlock()
		if err := mayWait("Receive", "call it on another goroutine"); err != nil {
			return Message{}, err
		}
		select {
		case <-waiting:
		case <-ctx.Done():
			return Message{}, &waitError{"receive", ctx.Err()}
		}
	}
}

// Messages returns an iterator over the messages that Receive returns. It yields a [*Gap]
// and continues, ends without an error after Leave, and after a [Client.Close] with
// [errors.NormalClosure], and yields any other error and then ends.
func (s *Subscription) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for {
			m, err := s.Receive(ctx)
			if err == ErrLeft || errors.Is(err, errors.NormalClosure) {
				return
			}
			_, gap := err.(*Gap)
			if !yield(m, err) || err != nil && !gap {
				return
			}
		}
	}
}

// Position returns the position of the last message that Receive has returned, or of the
// gap. Before the first one it is where the subscription began, "" if that is not known
// yet. A subscription with it in SubscribeOptions.Since continues from there.
func (s *Subscription) Position() Position {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.read
}

// Err returns nil while the subscription lives, and then why it has ended: [ErrLeft], a
// [*RefusedError], or the Client's Err.
func (s *Subscription) Err() error {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.ended()
}

// ended is Err. Client.mu is held.
func (s *Subscription) ended() error {
	if s.err == nil && s.client.closing != nil {
		return s.client.closing
	}
	return s.err
}

// Leave ends the subscription. Messages that were not received are dropped.
func (s *Subscription) Leave() {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.err != nil {
		return
	}
	s.drop()
	s.finish(ErrLeft)
	if c.link != nil {
		c.link.leave("leave", s.topic)
	}
}

// The methods below are called with Client.mu held.

// finish ends the subscription with err.
func (s *Subscription) finish(err error) {
	c := s.client
	s.err = err
	if i := slices.Index(c.subscriptions, s); i >= 0 {
		c.subscriptions = slices.Delete(c.subscriptions, i, i+1)
	}
	s.wake()
	for _, w := range s.watches {
		w.finish(err)
	}
}

// wake makes Receive look again.
func (s *Subscription) wake() {
	if s.waiting != nil {
		close(s.waiting)
		s.waiting = nil
	}
}

// drop drops what was not received.
func (s *Subscription) drop() { s.queue, s.bytes = nil, 0 }

// restore subscribes on a new connection. A paused subscription stays present.
func (s *Subscription) restore(l *link) {
	for _, w := range s.watches {
		w.number = ""
	}
	s.live, s.pauses, s.full = false, 0, false
	s.paused = s.paused && s.bytes > s.options.Buffer/4
	s.begin(l)
	if s.paused {
		s.pause(l)
	}
}

// pause asks the server to send nothing. What arrives before the answer still counts.
func (s *Subscription) pause(l *link) {
	s.paused = true
	s.pauses++
	l.request(ws.Message{}, func(*topicwire.Frame) {
		s.pauses--
		s.resume(l)
	}, "pause", s.topic)
}

// resume continues a paused subscription if there is room.
func (s *Subscription) resume(l *link) {
	if l == nil || !s.paused || s.pauses > 0 || s.bytes > s.options.Buffer/4 || s.err != nil {
		return
	}
	s.paused, s.full = false, false
	s.begin(l)
}

// begin asks the server for the messages after those that have arrived.
func (s *Subscription) begin(l *link) {
	since := string(s.arrived)
	if since == "" && s.options.Oldest {
		since = "*"
	}
	var number string
	number = l.request(ws.Message{}, func(f *topicwire.Frame) {
		if s.err != nil || s.number != number {
			return
		}
		s.answered(l, f)
	}, "sub", s.topic, since)
	s.number = number
}

// answered takes the answer of a sub.
func (s *Subscription) answered(l *link, f *topicwire.Frame) {
	if f.Verb == "ok" {
		s.refusals, s.joined, s.live = 0, true, true
		if s.arrived == "" {
			s.arrived = Position(f.Field(1))
			s.read = s.arrived
		}
		for _, w := range s.watches {
			if w.number == "" {
				w.begin(l)
			}
		}
		if s.loadDue {
			s.wake()
		}
		return
	}
	code := f.Field(1)
	if !temporary(code) {
		s.finish(&RefusedError{s.topic, code, f.Text()})
		return
	}
	number := s.number
	time.AfterFunc(again(s.refusals), func() {
		s.client.mu.Lock()
		defer s.client.mu.Unlock()
		if s.client.link == l && s.err == nil && s.number == number {
			s.begin(l)
		}
	})
	s.refusals++
}

// push queues an item.
func (s *Subscription) push(l *link, it item) {
	if s.full || s.paused && s.bytes+it.size() > s.options.Buffer {
		s.full = true
		return
	}
	s.queue = append(s.queue, it)
	s.bytes += it.size()
	s.arrived = it.at
	if s.bytes > s.options.Buffer/2 && !s.paused {
		s.pause(l)
	}
	s.wake()
}

// pop takes the oldest item off the queue.
func (s *Subscription) pop() item {
	it := s.queue[0]
	s.dropThrough(0)
	return it
}

// dropThrough removes the items up to an index from the queue, and continues a paused
// subscription if there is room.
func (s *Subscription) dropThrough(last int) {
	for i := range last + 1 {
		s.bytes -= s.queue[i].size()
	}
	s.read = s.queue[last].at
	clear(s.queue[:last+1])
	if s.queue = s.queue[last+1:]; len(s.queue) == 0 {
		s.queue = nil
	}
	s.resume(s.client.link)
}

// load calls Load, without Client.mu held.
func (s *Subscription) load(ctx context.Context) error {
	if wait := time.Until(s.loaded.Add(loadPause)); !s.loaded.IsZero() && wait > 0 {
		if err := mayWait("Receive", "call it on another goroutine"); err != nil {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return &waitError{"receive", ctx.Err()}
		}
	}
	s.loaded = time.Now()
	at, err := s.options.Load(ctx)
	if err != nil {
		return err
	}
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.loadDue = false
	s.seek(at)
	return nil
}

// loadPause is the least time between two calls of Load: a state that is always too old
// must not be loaded without end.
const loadPause = time.Second

// seek continues after a position.
func (s *Subscription) seek(at Position) {
	if at == "" || at == s.read || s.err != nil {
		return
	}
	for i := range s.queue {
		if s.queue[i].at == at {
			s.dropThrough(i)
			return
		}
	}
	s.drop()
	s.arrived, s.read = at, at
	s.paused, s.full = false, false
	if l := s.client.link; l != nil {
		l.leave("pause", s.topic)
		s.begin(l)
	}
}
