//go:build !js

package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsio "github.com/nats-io/nats.go"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/hub/nats"
	"github.com/isosocket/isosocket/hub/topicserver"
	"github.com/isosocket/isosocket/ws"

	"github.com/isosocket/isosocket/examples/topics/web"
)

//go:embed page/index.html
var page embed.FS

// machine describes a machine to its process.
type machine struct {
	Name  string
	HTTP  string   // address of the chat
	NATS  string   // address of its server of NATS
	Route string   // address of that for the other servers
	All   []string // addresses of the servers of all machines, its own first
	Peers []string // addresses for servers of all machines
	Dir   string
}

// line is a line of the chat.
type line struct {
	Time time.Time `json:"time"`
	From string    `json:"from"`
	Text string    `json:"text"`
}

// runNode runs a machine until ctx ends.
func runNode(ctx context.Context, description string) error {
	var m machine
	if err := json.Unmarshal([]byte(description), &m); err != nil {
		return err
	}
	stop, err := startNATS(&m)
	if err != nil {
		return err
	}
	defer stop()
	engine, err := connect(ctx, &m)
	if err != nil {
		return err
	}
	defer engine.Close(context.Background())
	h, err := hub.New(&hub.Options{Engine: engine})
	if err != nil {
		return err
	}
	defer h.Close(context.Background())
	endpoint, err := topicserver.New(h, access(m.Name), nil)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/topics", endpoint)
	mux.Handle("/topics.js", http.FileServerFS(web.Files))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, page, "page/index.html") })
	s := &http.Server{Addr: m.HTTP, Handler: mux}
	context.AfterFunc(ctx, func() {
		endpoint.Shutdown(context.Background())
		s.Close()
	})
	return s.ListenAndServe()
}

func startNATS(m *machine) (stop func(), err error) {
	client, err := net.ResolveTCPAddr("tcp", m.NATS)
	if err != nil {
		return nil, err
	}
	route, err := net.ResolveTCPAddr("tcp", m.Route)
	if err != nil {
		return nil, err
	}
	o := &server.Options{
		ServerName: m.Name, Host: client.IP.String(), Port: client.Port, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: m.Dir,
		Cluster: server.ClusterOpts{Name: "chat", Host: route.IP.String(), Port: route.Port},
	}
	for _, peer := range m.Peers {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: peer})
	}
	s, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	s.Start()
	return func() {
		s.Shutdown()
		s.WaitForShutdown()
	}, nil
}

// connect connects when enough servers have started to store the history.
func connect(ctx context.Context, m *machine) (*nats.Engine, error) {
	for {
		engine, err := nats.Connect(ctx, strings.Join(m.All, ","), &nats.Options{
			Lease: 5 * time.Second,
			NATS:  []natsio.Option{natsio.DontRandomize(), natsio.ReconnectWait(200 * time.Millisecond)},
			Trace: &nats.Trace{Link: func(connected bool, err error) { log.Printf("%s: connected to NATS: %v %v", m.Name, connected, err) }},
		})
		if err == nil || ctx.Err() != nil {
			return engine, err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// access lets everyone with a name into all rooms, and tells the others on which machine they are.
func access(node string) topicserver.Access {
	room := func(topic string) error {
		if !strings.HasPrefix(topic, "room/") {
			return &topicserver.Refusal{Text: "there are only rooms"}
		}
		return nil
	}
	return topicserver.Access{
		Connect: func(r *http.Request) (topicserver.Who, error) {
			name := r.URL.Query().Get("name")
			if name == "" {
				return topicserver.Who{}, fmt.Errorf("the client has no name")
			}
			return topicserver.Who{User: name, Info: []byte(node)}, nil
		},
		Subscribe: func(_ context.Context, _ *topicserver.Member, topic string) (topicserver.Grant, error) {
			return topicserver.Grant{History: true, Present: true, Watch: true}, room(topic)
		},
		Publish: func(_ context.Context, m *topicserver.Member, topic string, msg ws.Message) (ws.Message, error) {
			if err := room(topic); err != nil {
				return msg, err
			}
			data, err := json.Marshal(line{time.Now(), m.Who.User, msg.String()})
			return ws.Text(string(data)), err
		},
	}
}
