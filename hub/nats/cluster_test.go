package nats

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsio "github.com/nats-io/nats.go"

	"github.com/isosocket/isosocket/hub"
)

// cluster is a cluster of servers of NATS with JetStream.
type cluster struct {
	t       testing.TB
	options []*server.Options
	servers []*server.Server
}

func startCluster(t testing.TB, n int) *cluster {
	t.Helper()
	return startClusterWith(t, n, func(int, []int, *server.Options) {})
}

// startClusterWith has the options of each server changed, which gets the ports of the routes of all.
func startClusterWith(t testing.TB, n int, change func(i int, routePorts []int, o *server.Options)) *cluster {
	t.Helper()
	c := &cluster{t: t, servers: make([]*server.Server, n)}
	ports := freePorts(t, 2*n)
	var routes []*url.URL
	for i := range n {
		routes = append(routes, &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[n+i]))})
	}
	for i := range n {
		c.options = append(c.options, &server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: ports[i], NoLog: true, NoSigs: true,
			JetStream: true, StoreDir: t.TempDir(), Routes: routes,
			Cluster: server.ClusterOpts{Name: "tests", Host: "127.0.0.1", Port: ports[n+i]},
		})
		change(i, ports[n:], c.options[i])
		c.start(i)
	}
	t.Cleanup(func() {
		for i := range c.servers {
			c.kill(i)
		}
	})
	eventually(t, "the cluster has a leader", func() bool {
		for _, s := range c.servers {
			if s.JetStreamIsLeader() {
				return s.JetStreamIsCurrent() && len(s.JetStreamClusterPeers()) == n
			}
		}
		return false
	})
	return c
}

// freePorts returns ports that are free at the moment. Servers that know each other's ports
// cannot be given port 0.
func freePorts(t testing.TB, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func (c *cluster) start(i int) {
	c.t.Helper()
	s, err := server.NewServer(c.options[i].Clone())
	if err != nil {
		c.t.Fatal(err)
	}
	s.Start()
	c.servers[i] = s
	if !s.ReadyForConnections(20 * time.Second) {
		c.t.Fatalf("server %d does not start", i)
	}
}

func (c *cluster) kill(i int) {
	if s := c.servers[i]; s != nil {
		stopServer(s)
		c.servers[i] = nil
	}
}

// url returns the addresses of all servers, with that of i first.
func (c *cluster) url(i int) string {
	var all []string
	for k := range c.options {
		o := c.options[(i+k)%len(c.options)]
		all = append(all, "nats://"+net.JoinHostPort(o.Host, strconv.Itoa(o.Port)))
	}
	return strings.Join(all, ",")
}

// leader returns which server leads the stream.
func (c *cluster) leader(stream string) int {
	c.t.Helper()
	at := -1
	eventually(c.t, "the stream has a leader", func() bool {
		for i, s := range c.servers {
			if s != nil && s.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, stream) {
				at = i
				return true
			}
		}
		return false
	})
	return at
}

// clustered are options for nodes of a cluster that fails.
func clustered() Options {
	o := quick
	o.Prefix = prefix()
	o.InMemory = false
	o.NATS = []natsio.Option{natsio.ReconnectWait(50 * time.Millisecond), natsio.DontRandomize()}
	return o
}

// TestServersOfAClusterFail kills the server that leads the stream, a server to which a node is
// connected, and a node, while all nodes publish.
func TestServersOfAClusterFail(t *testing.T) {
	c := startCluster(t, 3)
	o := clustered()
	topics := []string{"one", "two"}
	var nodes []*node
	members := map[string][]*member{}
	for i := range 3 {
		n := newNode(t, c.url(i), &o, nil)
		nodes = append(nodes, n)
		for _, topic := range topics {
			members[topic] = append(members[topic], n.join(topic, hub.JoinOptions{}))
		}
	}
	stream := nodes[0].engine.Status().Stream
	l := startLoad(t, nodes, topics, 100_000, 5*time.Millisecond)
	time.Sleep(500 * time.Millisecond)
	leads := c.leader(stream)
	c.kill(leads)
	time.Sleep(2 * time.Second)
	if now := c.leader(stream); now == leads {
		t.Fatal("the same server leads the stream")
	}
	c.start(leads)
	time.Sleep(time.Second)
	other := (leads + 1) % 3
	c.kill(other)
	time.Sleep(2 * time.Second)
	c.start(other)
	time.Sleep(time.Second)
	sent, total := l.stop()
	lost := uint64(0)
	for _, n := range nodes {
		s := n.engine.Status()
		lost += s.Lost
		t.Logf("%+v", s)
	}
	if lost == 0 {
		t.Error("no node lost its connection: the test shows nothing")
	}
	for _, topic := range topics {
		await(t, members[topic], total)
		checkOrder(t, members[topic], sent)
	}
	t.Logf("%d messages under each topic", total)
}

// TestANodeDiesUnderLoad ends a node without its telling anybody; its members resume on another.
func TestANodeDiesUnderLoad(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix = prefix()
	var nodes []*node
	for range 3 {
		nodes = append(nodes, newNode(t, s.ClientURL(), &o, nil))
	}
	stays := nodes[0].join("room", hub.JoinOptions{Key: "stays"})
	moves := nodes[2].join("room", hub.JoinOptions{Key: "moves"})
	eventually(t, "both are present", func() bool { return present(t, nodes[0], "room") == "moves stays" })
	l := startLoad(t, nodes[:2], []string{"room"}, 100_000, 5*time.Millisecond)
	eventually(t, "some messages have arrived", func() bool { return moves.count() > 20 })
	nodes[2].engine.nc.Close() // the machine is dead, from the others' point of view
	got, position, _ := moves.state()
	moves.close()
	eventually(t, "its key is gone", func() bool { return present(t, nodes[0], "room") == "stays" })
	moved := nodes[1].join("room", hub.JoinOptions{Key: "moves", Since: position})
	sent, total := l.stop()
	await(t, []*member{stays}, total)
	await(t, []*member{moved}, total-len(got))
	more, _, gaps := moved.state()
	moved.mu.Lock()
	moved.texts = append(got, more...)
	moved.mu.Unlock()
	if gaps != 0 {
		t.Errorf("%d gaps", gaps)
	}
	checkOrder(t, []*member{stays, moved}, sent)
	eventually(t, "it is present again", func() bool { return present(t, nodes[0], "room") == "moves stays" })
}

// present returns the keys that are present, as text.
func present(t testing.TB, n *node, topic string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	all, err := n.hub.Present(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, p := range all {
		keys = append(keys, p.Key)
	}
	return strings.Join(keys, " ")
}
