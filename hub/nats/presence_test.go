package nats

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/internal/testing/faultproxy"
)

// TestMachinesLearnAllKeys has more keys than one notice holds, and a machine that comes later.
func TestMachinesLearnAllKeys(t *testing.T) {
	s := startServer(t, false)
	o := quick
	o.Prefix, o.NoHistory = prefix(), true
	one, two := connect(t, s.ClientURL(), &o), connect(t, s.ClientURL(), &o)
	sub, _, err := one.Subscribe(t.Context(), "room", ignore{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 3 * maxChanges
	for i := range n {
		sub.Announce(hub.Presence{Key: fmt.Sprint(i), Info: []byte(strings.Repeat("i", 50)), Here: true})
	}
	for _, e := range []*Engine{one, two, connect(t, s.ClientURL(), &o)} {
		eventually(t, "all keys are known", func() bool {
			all, err := e.Present(t.Context(), "room")
			if err != nil {
				t.Fatal(err)
			}
			return len(all) == n
		})
	}
	// A machine that has missed changes notices from the number of the next one, or of the next lease.
	one.presence.mu.Lock()
	one.presence.withdraw(sub.(*subscription), place{"room", "0"})
	one.presence.pending = nil // as if it had been lost on its way
	one.presence.mu.Unlock()
	eventually(t, "the other machine notices", func() bool {
		all, err := two.Present(t.Context(), "room")
		if err != nil {
			t.Fatal(err)
		}
		return len(all) == n-1
	})
	sub.Cancel()
	eventually(t, "all keys are gone", func() bool {
		all, err := two.Present(t.Context(), "room")
		return err == nil && len(all) == 0
	})
	two.presence.mu.Lock()
	defer two.presence.mu.Unlock()
	if len(two.presence.topics) != 0 {
		t.Errorf("%d topics are left", len(two.presence.topics))
	}
}

// ignore is a Subscriber.
type ignore struct{}

func (ignore) Deliver(*hub.Entry)   {}
func (ignore) Doubt()               {}
func (ignore) Present(hub.Presence) {}

// TestClocksNeedNotAgree has machines whose clocks differ by hours, and one of whose clocks runs at
// half the speed of the others.
func TestClocksNeedNotAgree(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix, o.Lease = prefix(), 2*time.Second
	began := time.Now()
	clocks := []func() time.Time{
		time.Now,
		func() time.Time { return time.Now().Add(5 * time.Hour) },
		func() time.Time { return began.Add(time.Since(began)/2 - 5*time.Hour) },
	}
	var nodes []*node
	var members []*member
	for i, clock := range clocks {
		o := o
		o.now = clock
		nodes = append(nodes, newNode(t, s.ClientURL(), &o, nil))
		members = append(members, nodes[i].join("room", hub.JoinOptions{Key: fmt.Sprint(i)}))
	}
	for _, n := range nodes {
		eventually(t, "all are present", func() bool { return present(t, n, "room") == "0 1 2" })
	}
	var mu sync.Mutex
	var changes []hub.Presence
	watch, _, err := nodes[0].engine.Subscribe(t.Context(), "room", watcher(func(p hub.Presence) {
		mu.Lock()
		defer mu.Unlock()
		changes = append(changes, p)
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Cancel()
	for end := time.Now().Add(2 * o.Lease); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for i, n := range nodes {
			if got := present(t, n, "room"); got != "0 1 2" {
				t.Fatalf("machine %d has %q", i, got)
			}
		}
	}
	mu.Lock()
	if len(changes) > 0 {
		t.Errorf("changes within two leases: %v", changes)
	}
	mu.Unlock()
	for i := range 10 {
		nodes[i%3].mustPublish("room", fmt.Sprintf("p0/%d", i))
	}
	await(t, members, 10)
	checkOrder(t, members, map[string]int{"p0": 10})
	nodes[1].engine.nc.Close()
	for _, i := range []int{0, 2} {
		eventually(t, "the dead machine's key is gone", func() bool { return present(t, nodes[i], "room") == "0 2" })
	}
}

// watcher is a Subscriber for presence.
type watcher func(hub.Presence)

func (watcher) Deliver(*hub.Entry)       {}
func (watcher) Doubt()                   {}
func (w watcher) Present(p hub.Presence) { w(p) }

// TestALostConnectionChangesNobodysPresence cuts a machine off for longer than a lease.
func TestALostConnectionChangesNobodysPresence(t *testing.T) {
	s := startServer(t, false)
	o := quick
	o.Prefix, o.NoHistory, o.Lease = prefix(), true, 500*time.Millisecond
	rules := &hub.Rules{History: -1}
	near := newNode(t, s.ClientURL(), &o, rules)
	proxy, far := behindProxy(t, s, o)
	cut := newNode(t, proxy.Address(), far, rules)
	near.join("room", hub.JoinOptions{Key: "near"})
	cut.join("room", hub.JoinOptions{Key: "far"})
	for _, n := range []*node{near, cut} {
		eventually(t, "both are present", func() bool { return present(t, n, "room") == "far near" })
	}
	set(t, proxy, faultproxy.Blackhole)
	eventually(t, "the machine that is cut off is gone for the other", func() bool { return present(t, near, "room") == "near" })
	late := near.join("room", hub.JoinOptions{Key: "late"})
	if got := present(t, cut, "room"); got != "far near" {
		t.Errorf("the machine that is cut off has %q", got)
	}
	set(t, proxy, faultproxy.Pass)
	for _, n := range []*node{near, cut} {
		eventually(t, "all are present", func() bool { return present(t, n, "room") == "far late near" })
	}
	late.close()
	eventually(t, "one has left", func() bool { return present(t, cut, "room") == "far near" })
}
