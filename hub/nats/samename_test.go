package nats

import (
	"fmt"
	"testing"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/ws"
)

// other publishes as a machine that knows an epoch, and has not noticed that the stream is another one.
type other struct {
	t     *testing.T
	n     *node
	epoch string
	js    jetstream.JetStream
}

func newOther(t *testing.T, n *node) *other {
	t.Helper()
	nc, err := natsio.Connect(n.engine.nc.ConnectedUrl())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return &other{t: t, n: n, epoch: n.engine.storage.Load().epoch, js: js}
}

// publish returns the sequence of the message.
func (o *other) publish(topic, text string) uint64 {
	o.t.Helper()
	p := packet{source: o.epoch, entry: hub.Entry{Message: ws.Text(text)}}
	ack, err := o.js.Publish(o.t.Context(), o.n.engine.storedSubject(topic), p.encode())
	if err != nil {
		o.t.Fatal(err)
	}
	return ack.Sequence
}

// remake deletes the stream, and makes it again with its name. It first calls fill with a stream that
// republishes nothing, so that no machine notices.
func (o *other) remake(fill func()) {
	o.t.Helper()
	js, stream := o.n.stream()
	config := stream.CachedInfo().Config
	if err := js.DeleteStream(o.t.Context(), config.Name); err != nil {
		o.t.Fatal(err)
	}
	silent := config
	silent.RePublish = nil
	if _, err := js.CreateStream(o.t.Context(), silent); err != nil {
		o.t.Fatal(err)
	}
	fill()
	if _, err := js.UpdateStream(o.t.Context(), config); err != nil {
		o.t.Fatal(err)
	}
}

// TestOnlyADroppedMarkerKeepsTheEpoch lets the engine look at a stream without its marker, whose last
// sequence is above that of the last message it knows, and whose first is above that of the marker.
func TestOnlyADroppedMarkerKeepsTheEpoch(t *testing.T) {
	s := startServer(t, true)
	for _, c := range []struct {
		name string
		lose func(t *testing.T, x *other)
		same bool
	}{
		{"the marker was dropped", func(t *testing.T, x *other) {
			_, stream := x.n.stream()
			if err := stream.DeleteMsg(t.Context(), x.n.engine.storage.Load().marker); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"the stream was purged", func(t *testing.T, x *other) {
			_, stream := x.n.stream()
			if err := stream.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"the stream was made again", func(t *testing.T, x *other) {
			x.remake(func() {
				for i := range 20 {
					x.publish("room", fmt.Sprintf("new %d", i))
				}
			})
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := quick
			o.Prefix, o.Messages, o.Check = prefix(), 3, time.Hour
			n := newNode(t, s.ClientURL(), &o, &hub.Rules{History: 3})
			m := n.join("room", hub.JoinOptions{})
			for i := range 5 {
				n.mustPublish("room", fmt.Sprintf("old %d", i))
				await(t, []*member{m}, i+1) // before it is dropped
			}
			x := newOther(t, n)
			c.lose(t, x)
			before := n.engine.storage.Load()
			n.engine.wake()
			_, stream := n.stream()
			eventually(t, "there is a marker", func() bool {
				_, err := stream.GetLastMsgForSubject(t.Context(), n.engine.markerSubject())
				return err == nil
			})
			eventually(t, "the engine knows the marker", func() bool { return n.engine.storage.Load() != before })
			if now := n.engine.storage.Load(); (now.epoch == before.epoch) != c.same {
				t.Errorf("the epoch is %s after %s", now.epoch, before.epoch)
			}
			n.mustPublish("room", "end")
			eventually(t, "the last message", func() bool {
				got, _, _ := m.state()
				return got[len(got)-1] == "end"
			})
			if _, _, gaps := m.state(); gaps > 0 == c.same {
				t.Errorf("%d gaps", gaps)
			}
		})
	}
}

// TestATopicForgetsTheSequencesOfAnotherStorage uses a topic at the moment at which the storage is replaced.
func TestATopicForgetsTheSequencesOfAnotherStorage(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix, o.Check = prefix(), time.Hour
	n := newNode(t, s.ClientURL(), &o, nil)
	n.join("room", hub.JoinOptions{})
	n.engine.mu.RLock()
	room := n.engine.topics["room"]
	n.engine.mu.RUnlock()
	now := n.engine.storage.Load()
	before := *now
	before.epoch = "before"

	room.mu.Lock()
	top, seq := room.top, room.seq
	room.mu.Unlock()
	if p, ok := room.beginAt(&before, 1_000); ok {
		t.Errorf("the topic begins at %v of a storage that was replaced", p)
	}
	if room.top != top || room.seq != seq {
		t.Errorf("the topic is at %v and %d, and was at %v and %d", room.top, room.seq, top, seq)
	}

	room.mu.Lock()
	defer room.mu.Unlock()
	room.top, room.born, room.first, room.follows, room.covered = before.at(7), 9, 9, before.at(7), true
	room.mu.Unlock()
	l := room.local(now)
	room.mu.Lock()
	if l.born != 0 || l.first != 0 || l.recent || !l.follows.IsZero() {
		t.Errorf("%+v", l)
	}
	p := &page{storage: now, after: before.at(7), local: l}
	if at := p.top(9); at != now.at(9) {
		t.Errorf("the last message is at %v", at)
	}
}

// TestAServerThatIsBehindBeginsNoEpoch marks a stream as one that has lost messages, by the answer of a
// server that has fewer than the leader.
func TestAServerThatIsBehindBeginsNoEpoch(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix, o.Check = prefix(), time.Hour
	n := newNode(t, s.ClientURL(), &o, nil)
	n.mustPublish("room", "1")
	known := n.engine.storage.Load()
	_, stream := n.stream()
	info := stream.CachedInfo()
	behind := *info
	behind.State.LastSeq--
	marked := *known
	if err := n.engine.mark(t.Context(), &marked, known, &behind, true); !isWrongLast(err) {
		t.Errorf("mark: %v", err)
	}
	if _, id, _, err := n.engine.lastOf(t.Context(), known.stream, n.engine.markerSubject()); err != nil || string(id) != known.epoch {
		t.Errorf("the marker is %q, want %q: %v", id, known.epoch, err)
	}
	if err := n.engine.mark(t.Context(), &marked, known, info, true); err != nil || marked.epoch == known.epoch {
		t.Errorf("the epoch is %q after %q: %v", marked.epoch, known.epoch, err)
	}
}
