package nats

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/ws"
)

// TestPositionsSurviveARestart ends the server and all machines, and starts them again.
func TestPositionsSurviveARestart(t *testing.T) {
	so := &server.Options{Host: "127.0.0.1", Port: freePorts(t, 1)[0], NoLog: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir()}
	s := runServer(t, so.Clone())
	o := clustered()
	one, stays := newNode(t, s.ClientURL(), &o, nil), newNode(t, s.ClientURL(), &o, nil)
	m, other := one.join("room", hub.JoinOptions{}), stays.join("room", hub.JoinOptions{})
	for i := range 5 {
		one.mustPublish("room", fmt.Sprintf("p0/%d", i))
	}
	await(t, []*member{m, other}, 5)
	_, position, _ := m.state()
	one.mustPublish("room", "p0/5")
	one.stop()
	stopServer(s)
	s = runServer(t, so.Clone())
	two := newNode(t, s.ClientURL(), &o, nil)
	two.mustPublish("room", "p0/6")
	again := two.join("room", hub.JoinOptions{Since: position})
	await(t, []*member{again}, 2)
	if got, _, gaps := again.state(); strings.Join(got, " ") != "p0/5 p0/6" || gaps != 0 {
		t.Errorf("got %v, and %d gaps", got, gaps)
	}
	await(t, []*member{other}, 7)
	checkOrder(t, []*member{other}, map[string]int{"p0": 7})
	two.mustPublish("room", "p0/6") // the ID is still known
	two.mustPublish("room", "p0/7")
	await(t, []*member{other}, 8)
	checkOrder(t, []*member{other}, map[string]int{"p0": 8})
}

// TestSizesOfMessages publishes messages around the most that NATS permits.
func TestSizesOfMessages(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix = prefix()
	n := newNode(t, s.ClientURL(), &o, nil)
	m := n.join("room", hub.JoinOptions{})
	most := int(n.engine.nc.MaxPayload())
	for _, keep := range []hub.Keep{{Messages: 10, Age: time.Minute}, {Age: time.Minute}} {
		if _, err := n.engine.Publish(t.Context(), "room", &hub.Entry{Message: ws.Text(strings.Repeat("x", most))}, keep); !errors.Is(err, natsio.ErrMaxPayload) || !errors.Is(err, errors.ErrWebSocket) {
			t.Errorf("a message of %d bytes: %v", most, err)
		}
	}
	large := strings.Repeat("x", most-512)
	n.mustPublish("room", "1")
	if _, err := n.hub.Publish(t.Context(), "room", ws.Text(large), &hub.PublishOptions{Key: "key"}); err != nil {
		t.Fatal(err)
	}
	await(t, []*member{m}, 2)
	if got, _, gaps := m.state(); gaps != 0 || got[1] != large {
		t.Errorf("a message of %d bytes arrived with %d, and %d gaps", len(large), len(got[1]), gaps)
	}
}

// TestATopicWithoutHistory has JetStream, and bypasses it.
func TestATopicWithoutHistory(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix = prefix()
	rules := &hub.Rules{History: -1}
	one, two := newNode(t, s.ClientURL(), &o, rules), newNode(t, s.ClientURL(), &o, rules)
	members := []*member{one.join("room", hub.JoinOptions{}), two.join("room", hub.JoinOptions{})}
	for i := range 10 {
		id := ""
		if i%5 == 0 {
			id = fmt.Sprint(i)
		}
		for _, n := range []*node{one, two} {
			if id == "" && n == two {
				continue
			}
			if _, err := n.hub.Publish(t.Context(), "room", ws.Text(fmt.Sprintf("p0/%d", i)), &hub.PublishOptions{ID: id}); err != nil {
				t.Fatal(err)
			}
		}
		await(t, members, i+1)
	}
	checkOrder(t, members, map[string]int{"p0": 10})
	_, stream := one.stream()
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs > 4 { // the marker, the beginning of the topic, and the two with an ID
		t.Errorf("the stream has %d messages", info.State.Msgs)
	}
	for _, n := range []*node{one, two} {
		if s := n.hub.Stats(); s.Gaps != 0 || s.Failures != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// TestForeignMessagesArePassedOver publishes what is no message of an engine.
func TestForeignMessagesArePassedOver(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix = prefix()
	failures := make(chan error, 100)
	o.Trace = &Trace{Failed: func(err error) {
		select {
		case failures <- err:
		default:
		}
	}}
	n := newNode(t, s.ClientURL(), &o, nil)
	m := n.join("room", hub.JoinOptions{})
	nc, err := natsio.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for i := range 3 {
		n.mustPublish("room", fmt.Sprintf("p0/%d", i))
		for _, subject := range []string{n.engine.storedSubject("room"), n.engine.liveSubject("room"), n.engine.presence.subject(""), n.engine.presence.subject(n.engine.name)} {
			for _, data := range []string{"", "rubbish", "\x01\x00\x07", `{"from":""}`} {
				if err := nc.Publish(subject, []byte(data)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	n.mustPublish("room", "p0/3")
	await(t, []*member{m}, 4)
	checkOrder(t, []*member{m}, map[string]int{"p0": 4})
	select {
	case err := <-failures:
		if !errors.Is(err, errPacket) {
			t.Error(err)
		}
	default:
		t.Error("Trace.Failed was not called")
	}
}

// TestSinceAgreesWithItself asks for what follows a message that is gone, while the next one is
// published: an answer without messages, but with the new one as the end of the topic, would be a
// gap in which that message is lost.
func TestSinceAgreesWithItself(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix = prefix()
	e := connect(t, s.ClientURL(), &o)
	keep := hub.Keep{Messages: 10, Age: time.Minute}
	_, stream := (&node{t: t, engine: e}).stream()
	for i := range 60 {
		topic := fmt.Sprint(i)
		publish := func() (hub.Position, error) {
			return e.Publish(t.Context(), topic, &hub.Entry{Message: ws.Text("x")}, keep)
		}
		after, err := publish()
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Purge(t.Context(), jetstream.WithPurgeSubject(e.storedSubject(topic))); err != nil {
			t.Fatal(err)
		}
		published := make(chan hub.Position, 1)
		go func() {
			time.Sleep(time.Millisecond)
			p, err := publish()
			if err != nil {
				t.Error(err)
			}
			published <- p
		}()
		var tops []hub.Position // of answers without entries
		for {
			entries, top, err := e.Since(t.Context(), topic, after, 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) == 1 {
				break
			}
			tops = append(tops, top)
		}
		if p := <-published; slices.Contains(tops, p) {
			t.Fatalf("round %d: no entries, and top is %v, the position of one", i, p)
		}
	}
}

// TestThePositionOfAnEmptyTopicIsAPlace joins with the position of a topic that had no message.
func TestThePositionOfAnEmptyTopicIsAPlace(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix = prefix()
	one, two := newNode(t, s.ClientURL(), &o, nil), newNode(t, s.ClientURL(), &o, nil)
	position, err := one.hub.Position(t.Context(), "room")
	if err != nil {
		t.Fatal(err)
	}
	two.mustPublish("room", "p0/0")
	m := two.join("room", hub.JoinOptions{Since: position})
	two.mustPublish("room", "p0/1")
	await(t, []*member{m}, 2)
	checkOrder(t, []*member{m}, map[string]int{"p0": 2})
}
