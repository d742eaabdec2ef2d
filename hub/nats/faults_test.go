package nats

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
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

// behindProxy are options of a node that notices soon that its connection is dead.
func behindProxy(t testing.TB, s *server.Server, o Options) (*faultproxy.Proxy, *Options) {
	t.Helper()
	p, err := faultproxy.Start(strings.TrimPrefix(s.ClientURL(), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	o.NATS = []natsio.Option{
		natsio.PingInterval(100 * time.Millisecond), natsio.MaxPingsOutstanding(2), natsio.ReconnectWait(50 * time.Millisecond),
		natsio.Timeout(300 * time.Millisecond), natsio.IgnoreDiscoveredServers(),
	}
	return p, &o
}

func set(t testing.TB, p *faultproxy.Proxy, f faultproxy.Fault) {
	t.Helper()
	if err := p.Set(f, 0); err != nil {
		t.Fatal(err)
	}
}

func TestAPartitionedNodeMissesNothing(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix = prefix()
	near := newNode(t, s.ClientURL(), &o, nil)
	proxy, far := behindProxy(t, s, o)
	var links atomic.Int32
	far.Trace = &Trace{Link: func(bool, error) { links.Add(1) }}
	cut := newNode(t, proxy.Address(), far, nil)
	atNear, atCut := near.join("room", hub.JoinOptions{}), cut.join("room", hub.JoinOptions{})
	quiet := cut.join("quiet", hub.JoinOptions{})
	published := 0
	for _, fault := range []faultproxy.Fault{faultproxy.Reset, faultproxy.Refuse, faultproxy.Blackhole, faultproxy.Hang} {
		before := cut.engine.Status().Lost
		set(t, proxy, fault)
		near.mustPublish("quiet", fault.String()) // no later message shows it
		for range 20 {
			near.mustPublish("room", fmt.Sprintf("p0/%d", published))
			published++
			time.Sleep(5 * time.Millisecond)
		}
		if fault != faultproxy.Reset {
			eventually(t, fault.String()+": the loss of the connection is noticed", func() bool { return !cut.engine.Status().Connected })
			if status := cut.engine.Status(); status.Since.IsZero() {
				t.Errorf("%v: %+v", fault, status)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			if _, err := cut.hub.Publish(ctx, "room", ws.Text("x"), nil); !errors.Is(err, ErrDisconnected) || !errors.Is(err, errors.ErrWebSocket) {
				t.Errorf("%v: Publish: %v, want %v", fault, err, ErrDisconnected)
			}
			cancel()
		}
		set(t, proxy, faultproxy.Pass)
		eventually(t, fault.String()+": the connection is back", func() bool {
			status := cut.engine.Status()
			return status.Connected && status.Lost > before
		})
		await(t, []*member{atNear, atCut}, published)
	}
	checkOrder(t, []*member{atNear, atCut}, map[string]int{"p0": published})
	await(t, []*member{quiet}, 4)
	if got, _, gaps := quiet.state(); strings.Join(got, " ") != "reset refuse blackhole hang" || gaps > 0 {
		t.Errorf("got %v, and %d gaps", got, gaps)
	}
	if links.Load() < 8 {
		t.Errorf("Trace.Link was called %d times", links.Load())
	}
	cut.mustPublish("room", fmt.Sprintf("p0/%d", published))
	await(t, []*member{atNear, atCut}, published+1)
}

func TestWithoutHistoryTheMachineGoesOnAlone(t *testing.T) {
	s := startServer(t, false)
	o := quick
	o.Prefix, o.NoHistory = prefix(), true
	rules := &hub.Rules{History: -1}
	near := newNode(t, s.ClientURL(), &o, rules)
	proxy, far := behindProxy(t, s, o)
	cut := newNode(t, proxy.Address(), far, rules)
	atNear, atCut := near.join("room", hub.JoinOptions{}), cut.join("room", hub.JoinOptions{})
	publish := func(n *node, text string) {
		t.Helper()
		if _, err := n.hub.Publish(t.Context(), "room", ws.Text(text), nil); err != nil {
			t.Fatal(err)
		}
	}
	publish(near, "1")
	await(t, []*member{atNear, atCut}, 1)
	set(t, proxy, faultproxy.Refuse)
	eventually(t, "the loss is noticed", func() bool { return !cut.engine.Status().Connected })
	publish(cut, "here only")
	publish(near, "there only")
	await(t, []*member{atNear, atCut}, 2)
	set(t, proxy, faultproxy.Pass)
	eventually(t, "the member of the machine that was alone gets a gap", func() bool {
		_, _, gaps := atCut.state()
		return gaps == 1
	})
	publish(cut, "2")
	await(t, []*member{atNear, atCut}, 3)
	got, _, _ := atCut.state()
	other, _, _ := atNear.state()
	if strings.Join(got, ",") != "1,here only,2" || strings.Join(other, ",") != "1,there only,2" {
		t.Errorf("got %q and %q", got, other)
	}
	if _, err := cut.engine.Publish(t.Context(), "room", &hub.Entry{Message: ws.Text("x")}, hub.Keep{Messages: 1, Age: time.Minute}); !errors.Is(err, ErrNoHistory) {
		t.Errorf("Publish under a topic with history: %v", err)
	}
}

// stream returns access to the stream of a node.
func (n *node) stream() (jetstream.JetStream, jetstream.Stream) {
	n.t.Helper()
	s, err := n.engine.js.Stream(context.Background(), n.engine.Status().Stream)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.engine.js, s
}

// TestAnotherStreamIsAGap deletes the stream, and makes it again in two ways.
func TestAnotherStreamIsAGap(t *testing.T) {
	for name, remake := range map[string]func(js jetstream.JetStream, old jetstream.StreamConfig) error{
		"by an engine": func(jetstream.JetStream, jetstream.StreamConfig) error { return nil },
		// As if the messages of a stream in memory had been lost.
		"with the same name": func(js jetstream.JetStream, old jetstream.StreamConfig) error {
			_, err := js.CreateStream(context.Background(), old)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, true)
			o := quick
			o.Prefix = prefix()
			one, two := newNode(t, s.ClientURL(), &o, nil), newNode(t, s.ClientURL(), &o, nil)
			members := []*member{one.join("room", hub.JoinOptions{}), two.join("room", hub.JoinOptions{})}
			for i := range 50 {
				one.mustPublish("room", fmt.Sprintf("p0/%d", i))
			}
			await(t, members, 50)
			_, position, _ := members[0].state()
			js, stream := one.stream()
			info, err := stream.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			epoch := one.engine.storage.Load().epoch
			if err := js.DeleteStream(t.Context(), info.Config.Name); err != nil {
				t.Fatal(err)
			}
			if err := remake(js, info.Config); err != nil {
				t.Fatal(err)
			}
			// Among them messages with the sequences of earlier ones.
			for i := range 60 {
				two.mustPublish("room", fmt.Sprintf("p1/%d", i))
			}
			for _, n := range []*node{one, two} {
				eventually(t, "the epoch has changed", func() bool { return n.engine.storage.Load().epoch != epoch })
			}
			two.mustPublish("room", "p1/60")
			for i, m := range members {
				eventually(t, "a gap, and the newest message", func() bool {
					got, _, gaps := m.state()
					return gaps > 0 && got[len(got)-1] == "p1/60"
				})
				got, _, gaps := m.state()
				t.Logf("member %d: %d messages, %d gaps", i, len(got), gaps)
			}
			late := one.join("room", hub.JoinOptions{Since: position})
			eventually(t, "who returns gets a gap, and all of the new stream", func() bool {
				got, _, gaps := late.state()
				return gaps > 0 && len(got) >= 61
			})
			got, _, gaps := late.state()
			if gaps != 1 || got[0] != "p1/0" || len(got) != 61 {
				t.Errorf("%d gaps, and %v", gaps, got)
			}
		})
	}
}

// TestAStreamOfTheSameNameIsAnotherOne makes the stream again with its name, and messages with the
// sequences of earlier ones. The engine does not look at the stream by itself.
func TestAStreamOfTheSameNameIsAnotherOne(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix, o.Check = prefix(), time.Hour
	n := newNode(t, s.ClientURL(), &o, nil)
	m := n.join("room", hub.JoinOptions{})
	for i := range 5 {
		n.mustPublish("room", fmt.Sprintf("old %d", i))
	}
	await(t, []*member{m}, 5)
	_, position, _ := m.state()
	js, stream := n.stream()
	config := stream.CachedInfo().Config
	if err := js.DeleteStream(t.Context(), config.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	nc, err := natsio.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	other, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	// As another machine publishes that has not noticed it either.
	for i := range position.Offset() + 5 {
		p := packet{source: position.Epoch(), entry: hub.Entry{Message: ws.Text(fmt.Sprintf("new %d", i))}}
		if _, err := other.Publish(t.Context(), n.engine.storedSubject("room"), p.encode()); err != nil {
			t.Fatal(err)
		}
	}
	want := make([]string, position.Offset()+5)
	for i := range want {
		want[i] = fmt.Sprintf("new %d", i)
	}
	late := n.join("room", hub.JoinOptions{Since: position})
	for _, m := range []*member{late, m} {
		eventually(t, "the messages of the other stream", func() bool { return len(m.get("new ")) == len(want) })
		got, _, gaps := m.state()
		if !slices.Equal(m.get("new "), want) || gaps == 0 {
			t.Errorf("got %q, and %d gaps", got, gaps)
		}
	}
	entries, top, err := n.engine.Since(t.Context(), "room", position, 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(want) || entries[0].Prev == position || top.Epoch() == position.Epoch() {
		t.Errorf("after %v there are %d entries, the first after %v, and the end is %v", position, len(entries), entries[0].Prev, top)
	}
}

// get returns the messages that begin with a prefix.
func (m *member) get(prefix string) (got []string) {
	all, _, _ := m.state()
	for _, text := range all {
		if strings.HasPrefix(text, prefix) {
			got = append(got, text)
		}
	}
	return got
}

func TestEvictedMessagesAreAGap(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix, o.Messages = prefix(), 10
	n := newNode(t, s.ClientURL(), &o, &hub.Rules{History: 10})
	m := n.join("room", hub.JoinOptions{})
	n.mustPublish("room", "p0/0")
	await(t, []*member{m}, 1)
	_, position, _ := m.state()
	for i := 1; i <= 10; i++ {
		n.mustPublish("room", fmt.Sprintf("p0/%d", i))
	}
	whole := n.join("room", hub.JoinOptions{Since: position})
	await(t, []*member{whole}, 10)
	if _, _, gaps := whole.state(); gaps != 0 {
		t.Errorf("%d gaps, though all messages are stored", gaps)
	}
	for i := 11; i <= 20; i++ {
		n.mustPublish("room", fmt.Sprintf("p0/%d", i))
	}
	part := n.join("room", hub.JoinOptions{Since: position})
	await(t, []*member{part}, 11) // one more than asked for: there is no place for the beginning of the topic any more
	if got, _, gaps := part.state(); gaps != 1 || got[0] != "p0/10" {
		t.Errorf("%d gaps, and %v", gaps, got)
	}
	_, err := n.engine.Publish(t.Context(), "room", &hub.Entry{Message: ws.Text("x")}, hub.Keep{Messages: 11, Age: time.Minute})
	if keep, ok := errors.AsType[*KeepError](err); !ok || keep.Wanted != 11 || keep.Most != 10 || !errors.Is(err, errors.ErrWebSocket) {
		t.Errorf("Publish with more history than the stream keeps: %v", err)
	}
}

// TestAQuietTopicHasNoGap lets all messages of topics expire. A member that stays misses nothing, and
// has no gap; one that returns to a position that is no longer stored has one, unless its machine was there all the time.
func TestAQuietTopicHasNoGap(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix, o.Age, o.IDs = prefix(), 4*time.Second, time.Second // half of Age is how long the engine may be delayed
	rules := &hub.Rules{History: 10, Age: time.Second, IDs: time.Second}
	one, two := newNode(t, s.ClientURL(), &o, rules), newNode(t, s.ClientURL(), &o, rules)
	m := one.join("room", hub.JoinOptions{})
	two.mustPublish("room", "p0/0")
	await(t, []*member{m}, 1)
	_, position, _ := m.state()
	_, stream := one.stream()
	eventually(t, "the messages have expired", func() bool {
		_, err := stream.GetLastMsgForSubject(t.Context(), one.engine.storedSubject("room"))
		return errors.Is(err, jetstream.ErrMsgNotFound)
	})
	two.join("room", hub.JoinOptions{}) // begins the topic anew
	for i := 1; i <= 3; i++ {
		two.mustPublish("room", fmt.Sprintf("p0/%d", i))
	}
	await(t, []*member{m}, 4)
	checkOrder(t, []*member{m}, map[string]int{"p0": 4})
	for n, want := range map[*node]int{one: 0, two: 1} { // only one knows that nothing came in between
		late := n.join("room", hub.JoinOptions{Since: position})
		await(t, []*member{late}, 3)
		if _, _, gaps := late.state(); gaps != want {
			t.Errorf("%d gaps, want %d", gaps, want)
		}
	}
	if one.engine.storage.Load().epoch != two.engine.storage.Load().epoch {
		t.Error("the epoch has changed")
	}
}

// TestTheMarkerOutlivesEverything fills the stream several times.
func TestTheMarkerOutlivesEverything(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix, o.Bytes, o.Check = prefix(), 128<<10, 20*time.Millisecond
	n := newNode(t, s.ClientURL(), &o, nil)
	m := n.join("room", hub.JoinOptions{})
	epoch := n.engine.storage.Load().epoch
	data := strings.Repeat("x", 100)
	const total = 3_000
	for i := range total {
		if _, err := n.hub.Publish(t.Context(), fmt.Sprint("topic ", i%100), ws.Text(data), nil); err != nil {
			t.Fatal(err)
		}
	}
	_, stream := n.stream()
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State.FirstSeq < total/2 {
		t.Errorf("the stream begins with %d: the test shows nothing", info.State.FirstSeq)
	}
	time.Sleep(2 * o.Check)
	if now := n.engine.storage.Load(); now.epoch != epoch {
		t.Errorf("the epoch has changed: %+v", now)
	}
	n.mustPublish("room", "p0/0")
	await(t, []*member{m}, 1)
}
