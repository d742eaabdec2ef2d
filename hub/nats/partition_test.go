package nats

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsio "github.com/nats-io/nats.go"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/internal/testing/faultproxy"
	"github.com/isosocket/isosocket/ws"
)

// routes are the connections between the servers of a cluster, all through proxies.
type routes struct {
	t       testing.TB
	cluster *cluster
	proxies [][]*faultproxy.Proxy // proxies[i][j] is where server i connects to server j
}

// startRoutedCluster starts three servers. No route bypasses the proxies: servers tell each other
// an address at which nobody listens, and clients none.
func startRoutedCluster(t testing.TB) *routes {
	t.Helper()
	const n = 3
	r := &routes{t: t, proxies: make([][]*faultproxy.Proxy, n)}
	nowhere, err := faultproxy.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nowhere.Close)
	set(t, nowhere, faultproxy.Refuse)
	r.cluster = startClusterWith(t, n, func(i int, ports []int, o *server.Options) {
		o.Routes = nil
		o.Cluster.NoAdvertise, o.Cluster.Advertise = true, nowhere.Address()
		o.Cluster.PingInterval, o.Cluster.MaxPingsOut = 500*time.Millisecond, 2
		for j := range n {
			r.proxies[i] = append(r.proxies[i], nil)
			if j == i {
				continue
			}
			p, err := faultproxy.Start(net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[j])))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Close)
			r.proxies[i][j] = p
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: p.Address()})
		}
	})
	return r
}

// between sets a fault of the routes between two servers, whichever of them made the connection.
func (r *routes) between(i, j int, f faultproxy.Fault, latency time.Duration) {
	r.t.Helper()
	for _, p := range []*faultproxy.Proxy{r.proxies[i][j], r.proxies[j][i]} {
		if err := p.Set(f, latency); err != nil {
			r.t.Fatal(err)
		}
	}
}

// around sets a fault of all routes of a server.
func (r *routes) around(i int, f faultproxy.Fault, latency time.Duration) {
	r.t.Helper()
	for j := range r.proxies {
		if j != i {
			r.between(i, j, f, latency)
		}
	}
}

// linked reports whether there are routes between two servers.
func (r *routes) linked(i, j int) bool {
	a, b := r.cluster.servers[i], r.cluster.servers[j]
	rz, err := a.Routez(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, route := range rz.Routes {
		if route.RemoteID == b.ID() {
			return true
		}
	}
	return false
}

// TestServersArePartitioned cuts the routes between the servers of a cluster, while nodes that are
// connected to one server each publish. A side without a majority acknowledges nothing, the other
// goes on; after that, all members have all acknowledged messages once, in one order and without a gap.
func TestServersArePartitioned(t *testing.T) {
	r := startRoutedCluster(t)
	c := r.cluster
	o := clustered()
	o.NATS = append(o.NATS, natsio.IgnoreDiscoveredServers())
	topics := []string{"one", "two"}
	var nodes []*node
	var unsure []*member
	members := map[string][]*member{}
	for i, s := range c.servers {
		n := newNode(t, s.ClientURL(), &o, nil)
		nodes = append(nodes, n)
		for _, topic := range topics {
			members[topic] = append(members[topic], n.join(topic, hub.JoinOptions{}))
		}
		unsure = append(unsure, n.join("unsure", hub.JoinOptions{}))
		if at := n.engine.Status().Server; at != s.ClientURL() {
			t.Fatalf("node %d is connected to %s", i, at)
		}
	}
	stream := nodes[0].engine.Status().Stream
	l := startLoad(t, nodes, topics, 100_000, 10*time.Millisecond)
	progress := func(what string, publishers ...int) {
		t.Helper()
		before := map[int]int{}
		for _, p := range publishers {
			before[p] = l.by(p)
		}
		within(t, time.Minute, what, func() bool {
			for _, p := range publishers {
				if l.by(p) < before[p]+10 {
					return false
				}
			}
			return true
		})
	}
	// refused publishes without an ID, which the engine must not repeat, and expects no acknowledgement.
	refused := func(i int, phase string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if p, err := nodes[i].hub.Publish(ctx, "unsure", ws.Text(phase), nil); err == nil {
			t.Errorf("%s: a message that only one of three servers has was acknowledged, with %v", phase, p)
		}
	}
	all := []int{0, 1, 2}
	for _, phase := range []struct {
		name    string
		leader  bool // the one that is cut off leads the stream
		fault   faultproxy.Fault
		partial bool // it still has a route to one other
	}{
		{"the leader is cut off", true, faultproxy.Refuse, false},
		{"a follower is cut off, and nobody is told", false, faultproxy.Blackhole, false},
		{"the leader is cut off, and nobody is told", true, faultproxy.Blackhole, false},
		{"the leader cannot reach one follower", true, faultproxy.Blackhole, true},
	} {
		began := time.Now()
		leads := c.leader(stream)
		alone := leads
		if !phase.leader {
			alone = (leads + 1) % 3
		}
		others := []int{(alone + 1) % 3, (alone + 2) % 3}
		if phase.partial {
			r.between(alone, others[0], phase.fault, 0)
			within(t, 30*time.Second, phase.name+": the route is closed", func() bool { return !r.linked(alone, others[0]) })
			progress(phase.name+": those that reach a majority go on", others[1])
		} else {
			r.around(alone, phase.fault, 0)
			within(t, 30*time.Second, phase.name+": the routes are closed", func() bool {
				return !r.linked(alone, others[0]) && !r.linked(alone, others[1])
			})
			before := l.by(alone)
			refused(alone, phase.name)
			progress(phase.name+": the majority goes on", others...)
			refused(alone, phase.name+", later")
			// What was under way when the routes were cut may have been acknowledged.
			if n := l.by(alone) - before; n > 1 {
				t.Errorf("%s: the server that is alone has acknowledged %d messages under each topic", phase.name, n)
			}
			if r.linked(alone, others[0]) || r.linked(alone, others[1]) {
				t.Errorf("%s: a route has bypassed the proxies: the test shows nothing", phase.name)
			}
		}
		r.around(alone, faultproxy.Pass, 0)
		progress(phase.name+": all go on afterwards", all...)
		t.Logf("%s: %v", phase.name, time.Since(began).Round(time.Millisecond))
	}
	r.around(c.leader(stream), faultproxy.Pass, 100*time.Millisecond)
	progress("all go on with a slow leader", all...)
	sent, total := l.stop()
	for _, topic := range topics {
		await(t, members[topic], total)
		checkOrder(t, members[topic], sent)
	}
	nodes[0].mustPublish("unsure", "end")
	for _, m := range unsure {
		eventually(t, "the end arrives", func() bool {
			got, _, _ := m.state()
			return len(got) > 0 && got[len(got)-1] == "end"
		})
		got, _, gaps := m.state()
		first, _, _ := unsure[0].state()
		if gaps > 0 || fmt.Sprint(got) != fmt.Sprint(first) {
			t.Errorf("members have got %q and %q, and %d gaps", got, first, gaps)
		}
	}
	t.Logf("%d messages under each topic", total)
}
