package hub_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/ws"
)

// TestRecoveryRule runs clients that read at any speed, leave and return with their last
// position, over engines that lose, repeat, delay and reorder, with bounded histories. A
// simple model, the list of all publications, decides whether each client received the
// right messages: none twice, none out of order, none missing without a gap in its place,
// and no needless gap. HUB_SEEDS sets the number of runs of each kind.
func TestRecoveryRule(t *testing.T) {
	seeds := 3
	if runtime.GOARCH == "wasm" {
		seeds = 1
	}
	if s := os.Getenv("HUB_SEEDS"); s != "" {
		var err error
		if seeds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		faults  faults
		replace bool
	}{
		{"a perfect engine", faults{}, false},
		{"losses", faults{lose: 20}, false},
		{"all live ones lost", faults{lose: 100}, false},
		{"everything", faults{lose: 10, repeat: 10, hold: 10, fail: 10, stale: 10}, false},
		{"everything, and storage is replaced", faults{lose: 10, repeat: 10, hold: 10, fail: 10, stale: 5}, true},
	} {
		for seed := range seeds {
			t.Run(fmt.Sprintf("%s/%d", c.name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, uint64(seed), c.faults, c.replace)
					w.run()
				})
			})
		}
	}
}

// histories are the topics, and how many messages each keeps.
var histories = map[string]int{"long": 100, "short": 6, "none": -1}

// world is one run.
type world struct {
	*testing.T
	engine  *lossy
	replace bool
	hubs    []*hub.Hub
	format  *hub.Format
	stop    chan struct{} // closed when publishing has ended

	mu     sync.Mutex
	random *rand.Rand
	gaps   int
	got    int
}

func newWorld(t *testing.T, seed uint64, f faults, replace bool) *world {
	w := &world{T: t, random: rand.New(rand.NewPCG(seed, 1)), replace: replace, stop: make(chan struct{})}
	w.engine = newLossy(t, rand.New(rand.NewPCG(seed, 2)), f)
	w.format = &hub.Format{
		Entry: func(topic string, e *hub.Entry) ws.Message {
			return ws.Text(topic + " " + e.Position.String() + " " + e.Message.String())
		},
		Gap: func(topic string, g *hub.Gap) ws.Message {
			return ws.Text(topic + " gap " + g.After.String() + " " + g.Until.String())
		},
	}
	for range 2 {
		h, err := hub.New(&hub.Options{
			Engine: w.engine,
			Rules:  func(topic string) hub.Rules { return hub.Rules{History: histories[topic]} },
			Limits: hub.Limits{Unread: 2_000},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.hubs = append(w.hubs, h)
	}
	return w
}

func (w *world) intN(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n)
}

func (w *world) run() {
	var publishers, clients, checks sync.WaitGroup
	for i := range 3 {
		publishers.Go(func() { w.publish(i) })
	}
	var readers []*reader
	for i := range 12 {
		r := &reader{world: w, name: "r" + strconv.Itoa(i), hub: w.hubs[i%2], topics: make(map[string]*reading)}
		readers = append(readers, r)
		clients.Go(r.run)
	}
	over := make(chan struct{})
	checks.Go(func() { // as an engine does on its own
		for i := 1; ; i++ {
			select {
			case <-over:
				return
			case <-time.After(time.Second):
			}
			w.engine.doubtAll()
			if w.replace && i%4 == 0 {
				select {
				case <-w.stop:
				default:
					w.engine.replace()
				}
			}
		}
	})
	publishers.Wait()
	close(w.stop)
	clients.Wait()
	close(over)
	checks.Wait()
	for _, r := range readers {
		r.checkEnd()
	}
	if w.got == 0 || w.engine.faults.lose == 0 && w.gaps == 0 {
		w.Errorf("%d messages and %d gaps: the run is not significant", w.got, w.gaps)
	}
	for _, h := range w.hubs {
		if s := h.Stats(); s.Behind != 0 {
			w.Errorf("Stats: %+v", s)
		}
		if err := h.Close(context.Background()); err != nil {
			w.Error(err)
		}
	}
	w.engine.Close(context.Background())
}

func (w *world) publish(publisher int) {
	for i := range 250 {
		for topic := range histories {
			text := fmt.Sprintf("p%d.%d %s", publisher, i, strings.Repeat("x", 100))
			for {
				_, err := w.hubs[publisher%2].Publish(context.Background(), topic, ws.Text(text), &hub.PublishOptions{ID: fmt.Sprintf("%d.%d", publisher, i)})
				if err == nil {
					break
				}
				if !errors.Is(err, errNetwork) && !errors.Is(err, hub.ErrClosed) {
					w.Errorf("Publish: %v", err)
					return
				}
				time.Sleep(time.Millisecond)
			}
		}
		if i%20 == 0 {
			time.Sleep(time.Duration(w.intN(500)) * time.Millisecond)
		} else {
			time.Sleep(time.Duration(w.intN(20)) * time.Millisecond)
		}
	}
}

// reader is a client, across its connections.
type reader struct {
	*world
	name   string
	hub    *hub.Hub
	topics map[string]*reading
}

// reading is a reader's state of a topic.
type reading struct {
	begun    bool // anything may come first
	last     int  // the index in the log of the last message
	told     int  // the index up to which a gap was reported, at least last
	position string
	gap      bool // reported since the last message
	lastGap  string
}

func (r *reader) run() {
	for stopped := false; !stopped; {
		select {
		case <-r.stop:
			stopped = true // one last connection gets the remaining messages
		default:
		}
		r.connect(stopped)
		time.Sleep(time.Duration(r.intN(300)) * time.Millisecond)
	}
}

// connect joins all topics, reads for a while, and leaves; with last, it reads until no
// more messages arrive.
func (r *reader) connect(last bool) {
	conn, client := ws.Pipe(nil, nil)
	defer client.Close(errors.GoingAway, "")
	for topic := range histories {
		o := &hub.JoinOptions{Format: r.format}
		state := r.topics[topic]
		switch {
		case state != nil:
			o.Since, _ = hub.ParsePosition(state.position)
		case r.intN(2) == 0:
			o.Oldest = true
		}
		m, err := r.hub.Join(context.Background(), topic, conn, o)
		for err != nil {
			if !errors.Is(err, errNetwork) && !errors.Is(err, hub.ErrClosed) {
				r.Errorf("%s: Join: %v", r.name, err)
				return
			}
			time.Sleep(time.Millisecond)
			m, err = r.hub.Join(context.Background(), topic, conn, o)
		}
		if r.intN(2) == 0 {
			if _, err := m.PublishToOthers(context.Background(), ws.Text("except "+r.name), nil); err != nil && !errors.Is(err, errNetwork) && !errors.Is(err, hub.ErrClosed) {
				r.Errorf("PublishToOthers: %v", err)
			}
		}
		defer func() {
			if conn.Err() == nil && r.intN(2) == 0 {
				m.Leave()
			}
		}()
	}
	pause := []time.Duration{0, 0, time.Millisecond, 20 * time.Millisecond, time.Second}[r.intN(5)]
	if last {
		pause = 0
	}
	life := time.Duration(r.intN(3000)) * time.Millisecond
	if last {
		life = time.Hour
	}
	ctx, cancel := context.WithTimeout(context.Background(), life)
	defer cancel()
	for {
		quiet, stop := context.WithTimeout(ctx, 2*time.Minute)
		m, err := client.Receive(quiet)
		stop()
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				r.Errorf("%s: Receive: %v", r.name, err)
			}
			return
		}
		r.check(m.String())
		time.Sleep(pause)
	}
}

// check compares a message with the log.
func (r *reader) check(m string) {
	parts := strings.Split(m, " ")
	topic := parts[0]
	state := r.topics[topic]
	if state == nil {
		state = &reading{last: -1, told: -1}
		r.topics[topic] = state
	}
	if parts[1] == "gap" {
		if state.gap && m == state.lastGap && parts[3] != "" {
			r.Errorf("%s: %q arrived twice", r.name, m)
		}
		state.lastGap = m
		if state.begun && state.position != "" && parts[2] != state.position {
			// Positions of messages that were skipped for this reader may be in between.
			r.checkBetween(topic, state, r.engine.place(topic, parts[2])+1, "a gap after "+parts[2])
		}
		state.gap = true
		if parts[3] != "" {
			state.position, state.told = parts[3], max(state.told, r.engine.place(topic, parts[3]))
		}
		r.mu.Lock()
		r.gaps++
		r.mu.Unlock()
		return
	}
	r.mu.Lock()
	r.got++
	r.mu.Unlock()
	index, length := r.engine.find(topic, parts[1])
	switch {
	case index < 0:
		r.Errorf("%s: %q was never published", r.name, m)
		return
	case !state.begun:
	case index <= state.last:
		r.Errorf("%s: %s: message %d arrived after %d: twice, or out of order", r.name, topic, index, state.last)
	case !state.gap || index > state.told+1 && state.told > state.last:
		r.checkBetween(topic, state, index, "message "+strconv.Itoa(index))
	case r.replace || r.engine.faults.stale > 0 || topic == "none":
		// A message may be lost on the way, or with the storage.
	case index == state.last+1:
		r.Errorf("%s: %s: a gap after message %d, and %d follows", r.name, topic, state.last, index)
	case length-(state.last+1) <= histories[topic]:
		r.Errorf("%s: %s: a gap after message %d, and history still had the next one: %d are published", r.name, topic, state.last, length)
	}
	state.begun, state.last, state.told, state.position, state.gap = true, index, index, parts[1], false
}

// checkBetween fails the test if a message is missing between the last one and index.
func (r *reader) checkBetween(topic string, state *reading, index int, what string) {
	for _, e := range r.engine.between(topic, state.told, index) {
		if e.Except == "" {
			r.Errorf("%s: %s: %s arrived after %d, and %q is missing without a gap", r.name, topic, what, state.last, e.Message)
			return
		}
	}
}

// checkEnd fails the test if the last messages are missing without a gap.
func (r *reader) checkEnd() {
	for topic := range histories {
		state := r.topics[topic]
		_, length := r.engine.find(topic, "")
		switch {
		case state == nil && topic == "none": // a slow reader whose every Join had no position
		case state == nil:
			r.Errorf("%s: %s: got no message", r.name, topic)
		default:
			r.checkBetween(topic, state, length, "the end")
		}
	}
}
