package nats

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/ws"
)

// node is a machine: a Hub with an engine.
type node struct {
	t      testing.TB
	engine *Engine
	hub    *hub.Hub
}

// newNode returns a machine that the test ends. rules may be nil.
func newNode(t testing.TB, url string, o *Options, rules *hub.Rules) *node {
	t.Helper()
	n := &node{t: t, engine: connect(t, url, o)}
	// What a member missed must not depend on how fast the machine is: all of it is kept.
	ho := &hub.Options{Engine: n.engine, Grace: -1, Limits: hub.Limits{Recovery: -1}}
	if rules != nil {
		ho.Rules = func(string) hub.Rules { return *rules }
	}
	var err error
	if n.hub, err = hub.New(ho); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.stop)
	return n
}

func (n *node) stop() {
	n.hub.Close(context.Background()) // some tests have closed them
	n.engine.Close(context.Background())
}

// gapText is what members get for a gap.
const gapText = "(gap)"

var format = &hub.Format{
	Entry: func(_ string, e *hub.Entry) ws.Message {
		return ws.Text(e.Position.String() + " " + e.Message.String())
	},
	Gap: func(string, *hub.Gap) ws.Message { return ws.Text(gapText) },
}

// member is a connection that has joined a topic, and what it got.
type member struct {
	topic string
	close func()

	mu       sync.Mutex
	texts    []string
	position hub.Position
	gaps     int
}

func (n *node) join(topic string, o hub.JoinOptions) *member {
	n.t.Helper()
	conn, client := ws.Pipe(nil, nil)
	m := &member{topic: topic}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var once sync.Once
	m.close = func() {
		once.Do(func() {
			client.CloseNow(errors.NormalClosure, "")
			conn.CloseNow(errors.NormalClosure, "")
			cancel()
			<-done
		})
	}
	n.t.Cleanup(m.close)
	go func() {
		defer close(done)
		for {
			msg, err := client.Receive(ctx)
			if err != nil {
				return
			}
			m.take(n.t, msg.String())
		}
	}()
	o.Format = format
	if _, err := n.hub.Join(context.Background(), topic, conn, &o); err != nil {
		n.t.Fatalf("Join %q: %v", topic, err)
	}
	return m
}

func (m *member) take(t testing.TB, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if text == gapText {
		m.gaps++
		return
	}
	position, text, _ := strings.Cut(text, " ")
	p, err := hub.ParsePosition(position)
	if err != nil {
		t.Error(err)
	}
	m.position = p
	m.texts = append(m.texts, text)
}

// state returns copies.
func (m *member) state() (texts []string, position hub.Position, gaps int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.texts...), m.position, m.gaps
}

func (m *member) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.texts)
}

// publish publishes until it succeeds, with one ID, as a client would.
func (n *node) publish(ctx context.Context, topic, text string) error {
	for {
		_, err := n.hub.Publish(ctx, topic, ws.Text(text), &hub.PublishOptions{ID: text})
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (n *node) mustPublish(topic, text string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.publish(ctx, topic, text); err != nil {
		n.t.Fatalf("Publish %q: %v", text, err)
	}
}

// checkOrder checks that every member of a topic got the same messages in the same order, each
// once and without a gap, and that the messages of each publisher, "publisher/number", are in
// their order and complete.
func checkOrder(t *testing.T, members []*member, perPublisher map[string]int) {
	t.Helper()
	want, _, _ := members[0].state()
	next := map[string]int{}
	for _, text := range want {
		publisher, number, _ := strings.Cut(text, "/")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("message %q", text)
		}
		if n != next[publisher] {
			t.Fatalf("%q came instead of %s/%d", text, publisher, next[publisher])
		}
		next[publisher]++
	}
	for publisher, n := range perPublisher {
		if next[publisher] != n {
			t.Errorf("%d messages of %s, want %d", next[publisher], publisher, n)
		}
	}
	for i, m := range members {
		got, _, gaps := m.state()
		if gaps != 0 {
			t.Errorf("member %d: %d gaps", i, gaps)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("member %d got %d messages, member 0 %d, or in another order", i, len(got), len(want))
		}
	}
}

// load publishes from all nodes at the same time, each under all topics, until stop or so many
// each.
type load struct {
	t      *testing.T
	topics []string
	work   sync.WaitGroup
	ended  atomic.Bool
	mu     sync.Mutex
	sent   map[string]int // by publisher, for each topic
}

func startLoad(t *testing.T, nodes []*node, topics []string, each int, pause time.Duration) *load {
	l := &load{t: t, topics: topics, sent: map[string]int{}}
	for i, n := range nodes {
		publisher := fmt.Sprintf("p%d", i)
		l.work.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			for k := 0; k < each && !l.ended.Load(); k++ {
				for _, topic := range topics {
					if err := n.publish(ctx, topic, fmt.Sprintf("%s/%d", publisher, k)); err != nil {
						t.Errorf("Publish: %v", err)
						return
					}
				}
				l.mu.Lock()
				l.sent[publisher]++
				l.mu.Unlock()
				time.Sleep(pause)
			}
		})
	}
	return l
}

// by returns how many rounds a publisher has ended.
func (l *load) by(publisher int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent[fmt.Sprintf("p%d", publisher)]
}

// stop ends the load, and returns how many messages each publisher has published under each topic.
func (l *load) stop() (perPublisher map[string]int, total int) {
	l.ended.Store(true)
	l.work.Wait()
	for _, n := range l.sent {
		total += n
	}
	return l.sent, total
}

// await waits until each member has so many messages.
func await(t *testing.T, members []*member, n int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		least := n
		for _, m := range members {
			least = min(least, m.count())
		}
		if least >= n {
			return
		}
		if time.Now().After(end) {
			for i, m := range members {
				_, _, gaps := m.state()
				t.Logf("member %d of %q has %d of %d messages, and %d gaps", i, m.topic, m.count(), n, gaps)
			}
			t.Fatal("some members have not got all messages within a minute")
		}
	}
}

func TestThreeNodesHaveOneOrder(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix = prefix()
	var nodes []*node
	topics := []string{"a room", "*", ">"}
	members := map[string][]*member{}
	for range 3 {
		n := newNode(t, s.ClientURL(), &o, nil)
		nodes = append(nodes, n)
		for _, topic := range topics {
			members[topic] = append(members[topic], n.join(topic, hub.JoinOptions{}), n.join(topic, hub.JoinOptions{}))
		}
	}
	const each = 100
	l := startLoad(t, nodes, topics, each, 0)
	l.work.Wait()
	sent, total := l.stop()
	for _, topic := range topics {
		await(t, members[topic], total)
		checkOrder(t, members[topic], sent)
	}
}

func TestAMemberResumesOnAnotherNode(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix = prefix()
	one, two := newNode(t, s.ClientURL(), &o, nil), newNode(t, s.ClientURL(), &o, nil)
	m := one.join("room", hub.JoinOptions{})
	for i := range 10 {
		two.mustPublish("room", fmt.Sprint(i))
	}
	await(t, []*member{m}, 10)
	_, position, _ := m.state()
	m.close()
	one.stop()
	for i := range 10 {
		two.mustPublish("room", fmt.Sprint(10+i))
	}
	again := two.join("room", hub.JoinOptions{Since: position})
	two.mustPublish("room", "20")
	await(t, []*member{again}, 11)
	got, _, gaps := again.state()
	if strings.Join(got, " ") != "10 11 12 13 14 15 16 17 18 19 20" || gaps != 0 {
		t.Errorf("got %v and %d gaps", got, gaps)
	}
}

// TestANodeThatLosesMostMessagesRepairsAll has a queue of one message on one node.
func TestANodeThatLosesMostMessagesRepairsAll(t *testing.T) {
	n := 4_000
	if testing.Short() {
		n = 400
	}
	repairAll(t, n, 20)
}

// BenchmarkRepair is the same for 40,000 messages: -bench Repair -benchtime 1x.
func BenchmarkRepair(b *testing.B) {
	const n = 40_000
	for range b.N {
		repairAll(b, n, 20)
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "messages/s")
}

// repairAll publishes n messages under so many topics, and checks that a node with a queue of one message delivers all.
func repairAll(t testing.TB, n, topics int) {
	s := startServer(t, true)
	o := quick
	o.Prefix = prefix()
	fast := newNode(t, s.ClientURL(), &o, nil)
	o.Queue = 1
	slow := newNode(t, s.ClientURL(), &o, nil)
	var members []*member
	for i := range topics {
		members = append(members, slow.join(fmt.Sprint(i), hub.JoinOptions{}))
	}
	var publishers sync.WaitGroup
	for i := range topics {
		publishers.Go(func() {
			for k := range n / topics {
				if _, err := fast.hub.Publish(context.Background(), fmt.Sprint(i), ws.Text(fmt.Sprint(k)), nil); err != nil {
					t.Errorf("Publish: %v", err)
					return
				}
			}
		})
	}
	publishers.Wait()
	within(t, 2*time.Minute, "all messages have arrived", func() bool {
		for _, m := range members {
			if m.count() < n/topics {
				return false
			}
		}
		return true
	})
	for _, m := range members {
		texts, _, gaps := m.state()
		if gaps > 0 {
			t.Errorf("%d gaps", gaps)
		}
		for k, text := range texts {
			if text != fmt.Sprint(k) {
				t.Fatalf("message %d of topic %s is %s", k, m.topic, text)
			}
		}
	}
	dropped := 0
	for _, topic := range slow.engine.all() {
		d, err := topic.nats.Dropped()
		if err != nil {
			t.Error(err)
		}
		dropped += d
	}
	status := slow.engine.Status()
	t.Logf("%d messages, %d of them lost on their way and repaired; overflows %d, doubts %d, hub %+v", n, dropped, status.Overflows, status.Doubts, slow.hub.Stats())
	if dropped == 0 {
		t.Error("no message was lost: the test shows nothing")
	}
}
