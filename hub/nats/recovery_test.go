package nats

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/internal/testing/faultproxy"
	"github.com/isosocket/isosocket/ws"
)

// TestRecoveryRule runs clients that read at any speed, leave, and return with their last position
// to any machine, over machines of which one loses most live messages and one its connection. The
// stream keeps all messages, or few, or is deleted, and made again by an engine or with its name. A simple model, the list of all publications,
// decides whether each client received the right messages: none twice, none out of order, none
// missing without a gap in its place, and no needless gap. HUB_SEEDS sets the number of runs of each
// kind. A seed decides what is done, but not how fast NATS and this machine are.
func TestRecoveryRule(t *testing.T) {
	seeds := 2
	if s := os.Getenv("HUB_SEEDS"); s != "" {
		var err error
		if seeds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	s := startServer(t, true)
	for _, c := range []struct {
		name     string
		messages int
		replace  bool // the stream is deleted
		again    bool // and an empty one made with its name
	}{
		{"all messages are kept", 10_000, false, false},
		{"few messages are kept", 8, false, false},
		{"the stream is deleted", 50, true, false},
		{"the stream is made again", 50, true, true},
	} {
		for seed := range seeds {
			t.Run(fmt.Sprintf("%s/%d", c.name, seed), func(t *testing.T) {
				t.Parallel() // they wait for connections most of the time
				w := newWorld(t, s, uint64(seed), c.messages)
				w.replace, w.again = c.replace, c.again
				w.run()
			})
		}
	}
}

// rooms are the topics of a world.
var rooms = []string{"one", "two", "three"}

// world is one run.
type world struct {
	*testing.T
	history int
	replace bool // the stream is deleted
	again   bool // and made again with its name, rather than by an engine
	nodes   []*node
	proxy   *faultproxy.Proxy // of the last node
	truth   *truth
	quiet   chan struct{} // closed when publishing and all faults have ended

	storage sync.RWMutex // held while the stream is deleted, and while a message is published

	mu         sync.Mutex
	random     *rand.Rand
	got, gaps  int
	cuts, lost int
}

func newWorld(t *testing.T, s *server.Server, seed uint64, history int) *world {
	w := &world{T: t, history: history, quiet: make(chan struct{}), random: rand.New(rand.NewPCG(seed, uint64(history)))}
	o := quick
	o.Prefix, o.Messages, o.Timeout = prefix(), history, 2*time.Second
	o.Bytes = 32 << 20 // of the memory of the server, which many worlds share
	w.truth = newTruth(t, s, o.Prefix)
	rules := func(string) hub.Rules { return hub.Rules{History: history} }
	proxy, far := behindProxy(t, s, o)
	w.proxy = proxy
	lossy := o
	lossy.Queue = 1
	for i, o := range []*Options{&o, &lossy, far} {
		url := s.ClientURL()
		if i == 2 {
			url = proxy.Address()
		}
		n := &node{t: t, engine: connect(t, url, o)}
		var err error
		n.hub, err = hub.New(&hub.Options{Engine: n.engine, Rules: rules, Grace: -1, Limits: hub.Limits{Unread: 2_000, Recovery: -1}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.stop)
		w.nodes = append(w.nodes, n)
	}
	return w
}

func (w *world) intN(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n)
}

// pause waits for up to so many milliseconds.
func (w *world) pause(most int) { time.Sleep(time.Duration(w.intN(most)) * time.Millisecond) }

func (w *world) run() {
	var publishers, faults, clients sync.WaitGroup
	for i := range w.nodes {
		publishers.Go(func() { w.publish(i) })
	}
	for i := range 8 {
		r := &reader{world: w, name: "r" + strconv.Itoa(i), topics: make(map[string]*reading)}
		clients.Go(r.run)
	}
	published := make(chan struct{})
	faults.Go(func() { w.fail(published) })
	publishers.Wait()
	close(published)
	faults.Wait()
	w.truth.mu.Lock()
	lengths := map[string]int{}
	for _, room := range rooms {
		lengths[room] = len(w.truth.log[room])
	}
	w.truth.mu.Unlock()
	close(w.quiet)
	clients.Wait()
	lost := w.nodes[1].engine.Status()
	w.Logf("%v messages, %d were received, and %d gaps; the connection was cut %d times, the stream lost %d times; the queue overflowed %d times", lengths, w.got, w.gaps, w.cuts, w.lost, lost.Overflows)
	// How often the queue overflows depends on the machine: on one processor it may never do so.
	if w.got == 0 || w.cuts == 0 || w.replace && w.lost == 0 {
		w.Error("the run is not significant")
	}
	if w.history > 1_000 && !w.replace && w.gaps > 0 {
		w.Errorf("%d gaps, and all messages are kept", w.gaps)
	}
}

// publish publishes from a node, one burst after the other.
func (w *world) publish(i int) {
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	for k := 0; k < 120; k++ {
		room := rooms[w.intN(len(rooms))]
		text := fmt.Sprintf("p%d.%d", i, k)
		w.storage.RLock()
		err := w.nodes[i].publish(ctx, room, text)
		if err == nil {
			w.truth.published(room, text)
		}
		w.storage.RUnlock()
		if err != nil {
			w.Errorf("Publish: %v", err)
			return
		}
		if w.intN(12) == 0 {
			w.pause(200)
		}
	}
}

// fail cuts the connection of the last node, and deletes the stream, until published is closed.
func (w *world) fail(published <-chan struct{}) {
	defer func() { set(w, w.proxy, faultproxy.Pass) }()
	for i := 1; ; i++ {
		select {
		case <-published:
			if i > 3 {
				return
			}
		default:
		}
		w.pause(200)
		if w.replace && i%3 == 0 {
			w.deleteStream()
			continue
		}
		set(w, w.proxy, []faultproxy.Fault{faultproxy.Reset, faultproxy.Refuse, faultproxy.Blackhole, faultproxy.Hang}[w.intN(4)])
		w.cuts++
		w.pause(500)
		set(w, w.proxy, faultproxy.Pass)
		w.pause(300)
	}
}

// deleteStream deletes the stream while nothing is published.
func (w *world) deleteStream() {
	w.storage.Lock()
	defer w.storage.Unlock()
	w.truth.settle()
	js, stream := w.nodes[0].stream()
	info, err := stream.Info(w.Context())
	if err == nil {
		err = w.truth.replace(func() error { return js.DeleteStream(w.Context(), info.Config.Name) })
	}
	if err == nil && w.again {
		_, err = js.CreateStream(w.Context(), info.Config)
	}
	var api *jetstream.APIError
	if err != nil && (!errors.As(err, &api) || api.ErrorCode != 10065) { // an engine was first
		w.Errorf("replace the stream: %v", err)
	}
	w.lost++
}

// entry is a message of the truth.
type entry struct {
	stream int // counts the streams
	seq    uint64
	text   string
}

// truth knows all messages that were stored, in their order. It listens to the stream on its own.
type truth struct {
	t      *testing.T
	prefix string
	nc     *natsio.Conn

	mu      sync.Mutex
	stream  int
	epochs  map[string]int // the stream of an epoch
	log     map[string][]entry
	missing map[string]bool // published, and not yet in the log
	seen    uint64          // the highest sequence of the stream
}

func newTruth(t *testing.T, s *server.Server, prefix string) *truth {
	x := &truth{t: t, prefix: prefix, epochs: map[string]int{}, log: map[string][]entry{}, missing: map[string]bool{}}
	var err error
	if x.nc, err = natsio.Connect(s.ClientURL()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.nc.Close)
	sub, err := x.nc.Subscribe(prefix+livePart+"*", x.take)
	if err == nil {
		err = sub.SetPendingLimits(-1, -1)
	}
	if err == nil {
		err = x.nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *truth) take(m *natsio.Msg) {
	s, err := parseStored(m)
	if err != nil {
		x.t.Error(err)
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seen = s.seq
	topic := strings.TrimPrefix(m.Subject, x.prefix+livePart)
	if topic == markerToken {
		x.epochs[string(m.Data)] = x.stream
		return
	}
	p, err := decode(m.Data)
	if err != nil {
		x.t.Error(err)
		return
	}
	if p.flags&flagBirth == 0 {
		text := p.entry.Message.String()
		x.log[topic] = append(x.log[topic], entry{x.stream, s.seq, text})
		x.has(topic + " " + text)
	}
}

// published notes that a message was acknowledged.
func (x *truth) published(topic, text string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !slices.ContainsFunc(x.log[topic], func(e entry) bool { return e.text == text }) {
		x.missing[topic+" "+text] = true
	}
}

// has notes that a message was stored. mu is held.
func (x *truth) has(name string) { delete(x.missing, name) }

// settle waits until all messages that were acknowledged are in the log.
func (x *truth) settle() {
	x.until("all messages that were acknowledged have been stored", func() bool { return len(x.missing) == 0 })
}

// until waits for a condition, which is called with mu held.
func (x *truth) until(what string, condition func() bool) {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		x.mu.Lock()
		ok := condition()
		x.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(end) {
			x.t.Errorf("not so within 30 s: %s", what)
			return
		}
	}
}

// replace deletes the stream, and notes that later messages are in another one. An engine may make that before
// remove has returned.
func (x *truth) replace(remove func() error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	err := remove()
	x.stream, x.seen = x.stream+1, 0
	return err
}

// find returns the index of a message, -1 if it was not published.
func (x *truth) find(topic, text string) (index int) {
	x.until(fmt.Sprintf("%q is published under %q", text, topic), func() bool {
		index = slices.IndexFunc(x.log[topic], func(e entry) bool { return e.text == text })
		return index >= 0
	})
	return index
}

// place returns the index of the last message of a topic that is not after a position.
func (x *truth) place(topic string, p hub.Position) (index int) {
	stream := 0
	x.until(fmt.Sprintf("the epoch of %v is known", p), func() (ok bool) {
		stream, ok = x.epochs[p.Epoch()]
		return ok
	})
	x.mu.Lock()
	defer x.mu.Unlock()
	index = -1
	for i, e := range x.log[topic] {
		if e.stream < stream || e.stream == stream && e.seq <= p.Offset() {
			index = i
		}
	}
	return index
}

// lost returns the index of the last message of a topic that was in an earlier stream.
func (x *truth) lost(topic string) (index int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	index = -1
	for i, e := range x.log[topic] {
		if e.stream < x.stream {
			index = i
		}
	}
	return index
}

// between returns the text of the first message of a topic after index i and before j, if there is one.
func (x *truth) between(topic string, i, j int) (text string, some bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if i+1 >= j {
		return "", false
	}
	return x.log[topic][i+1].text, true
}

// length returns how many messages a topic has, at least those that the stream has at the moment.
func (x *truth) length(topic string, n *node) int {
	s, err := n.engine.js.Stream(context.Background(), n.engine.Status().Stream)
	if err != nil {
		x.t.Error(err)
		return 0
	}
	last := s.CachedInfo().State.LastSeq
	x.until(fmt.Sprintf("message %d of the stream is known", last), func() bool { return x.seen >= last })
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.log[topic])
}

// reader is a client, across its connections.
type reader struct {
	*world
	name   string
	topics map[string]*reading
}

// reading is a reader's state of a topic.
type reading struct {
	begun    bool // anything may come first
	last     int  // the index of the last message
	told     int  // the index up to which a gap was reported, at least last
	position hub.Position
	gap      string // the last one, since the last message
}

var numbered = &hub.Format{
	Entry: func(topic string, e *hub.Entry) ws.Message {
		return ws.Text(topic + " " + e.Position.String() + " " + e.Message.String())
	},
	Gap: func(topic string, g *hub.Gap) ws.Message {
		return ws.Text(topic + " gap " + g.After.String() + " " + g.Until.String())
	},
}

func (r *reader) run() {
	for stopped := false; !stopped && !r.Failed(); r.pause(100) {
		select {
		case <-r.quiet:
			stopped = true // one last connection gets the remaining messages
		default:
		}
		r.connect(stopped)
	}
}

// connect joins all topics on a node, reads for a while, and leaves; with last, it reads to the end.
func (r *reader) connect(last bool) {

	conn, client := ws.Pipe(nil, nil)
	defer conn.CloseNow(errors.GoingAway, "")
	defer client.CloseNow(errors.GoingAway, "")
	n := r.nodes[r.intN(len(r.nodes))]
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, room := range rooms {
		o := &hub.JoinOptions{Format: numbered}
		if state := r.topics[room]; state != nil {
			o.Since = state.position
		} else if last || r.intN(2) == 0 {
			o.Oldest = true
		}
		for {
			_, err := n.hub.Join(ctx, room, conn, o)
			if err == nil {
				break
			}
			if !last && (errors.Is(err, ErrDisconnected) || r.replace) {
				return // the next connection may be to another node
			}
			if ctx.Err() != nil {
				r.Errorf("%s: Join: %v", r.name, err)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	pause := []time.Duration{0, 0, time.Millisecond, 20 * time.Millisecond}[r.intN(4)]
	life := time.Duration(r.intN(700)) * time.Millisecond
	if last {
		pause, life = 0, time.Minute
	}
	ctx, stop := context.WithTimeout(ctx, life)
	defer stop()
	for !r.Failed() && (!last || !r.complete()) {
		m, err := client.Receive(ctx)
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				r.Errorf("%s: Receive: %v", r.name, err)
			} else if last {
				r.Errorf("%s: the last messages are missing without a gap: %s", r.name, r.describe())
			}
			return
		}
		r.check(m.String())
		time.Sleep(pause)
	}
}

// complete reports whether the reader has all messages, or was told of a gap.
func (r *reader) complete() bool {
	for _, room := range rooms {
		told := r.truth.lost(room) // who has begun with the oldest message gets nothing of a stream that is gone
		if state := r.topics[room]; state != nil {
			told = state.told
		}
		if _, some := r.truth.between(room, told, r.truthLength(room)); some {
			return false
		}
	}
	return true
}

func (r *reader) truthLength(room string) int {
	r.truth.mu.Lock()
	defer r.truth.mu.Unlock()
	return len(r.truth.log[room])
}

func (r *reader) describe() string {
	var s strings.Builder
	for _, room := range rooms {
		if state := r.topics[room]; state != nil {
			fmt.Fprintf(&s, "%s: message %d, told of gaps up to %d, of %d; ", room, state.last, state.told, r.truthLength(room))
		} else {
			fmt.Fprintf(&s, "%s: none of %d; ", room, r.truthLength(room))
		}
	}
	return s.String()
}

// check compares a message with the truth.
func (r *reader) check(m string) {
	parts := strings.Split(m, " ")
	topic := parts[0]
	state := r.topics[topic]
	if state == nil {
		state = &reading{last: -1, told: -1}
		r.topics[topic] = state
	}
	if parts[1] == "gap" {
		after, until := r.parse(parts[2]), r.parse(parts[3])
		if m == state.gap && parts[3] != "" {
			r.Errorf("%s: %q arrived twice", r.name, m)
		}
		if state.begun && !state.position.IsZero() && after != state.position {
			r.checkBetween(topic, state, r.truth.place(topic, after)+1, "a gap after "+parts[2])
		}
		state.gap = m
		if !until.IsZero() {
			state.position, state.told = until, max(state.told, r.truth.place(topic, until))
		}
		r.mu.Lock()
		r.gaps++
		r.mu.Unlock()
		return
	}
	r.mu.Lock()
	r.got++
	r.mu.Unlock()
	index := r.truth.find(topic, parts[2])
	switch {
	case index < 0:
		return // find has reported it
	case !state.begun:
	case index <= state.last:
		r.Errorf("%s: %s: message %d arrived after %d: twice, or out of order", r.name, topic, index, state.last)
	case state.gap == "" || index > state.told+1 && state.told > state.last:
		r.checkBetween(topic, state, index, "message "+strconv.Itoa(index))
	case r.replace: // a message may be lost with the stream
	default:
		if length := r.truth.length(topic, r.nodes[0]); length-(state.last+1) <= r.history {
			r.Errorf("%s: %s: a gap after message %d, and history still had it: %d are published", r.name, topic, state.last, length)
		}
	}
	state.begun, state.last, state.told, state.position, state.gap = true, index, index, r.parse(parts[1]), ""
}

func (r *reader) parse(position string) hub.Position {
	p, err := hub.ParsePosition(position)
	if err != nil {
		r.Error(err)
	}
	return p
}

// checkBetween fails the test if a message is missing between the last one and index.
func (r *reader) checkBetween(topic string, state *reading, index int, what string) {
	if text, some := r.truth.between(topic, state.told, index); some {
		r.Errorf("%s: %s: %s arrived after %d, and %q is missing without a gap", r.name, topic, what, state.last, text)
	}
}
