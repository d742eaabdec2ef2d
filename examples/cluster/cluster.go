//go:build !js

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// restart is how long a machine that was killed stays away.
const restart = 5 * time.Second

// cluster is the machines' processes, and the proxy in front of them.
type cluster struct {
	dir  string
	self string
	work sync.WaitGroup
	end  context.CancelFunc

	mu       sync.Mutex
	machines []*machine
	commands []*exec.Cmd // nil for a machine that is away
	next     int
}

// start starts n machines as processes of the program self.
func start(ctx context.Context, self string, n int) (*cluster, error) {
	dir, err := os.MkdirTemp("", "cluster")
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(ctx)
	c := &cluster{dir: dir, self: self, end: end, commands: make([]*exec.Cmd, n)}
	addresses, err := freeAddresses(3 * n)
	if err != nil {
		return nil, err
	}
	for i := range n {
		m := &machine{
			Name: fmt.Sprintf("node%d", i+1), Dir: filepath.Join(dir, fmt.Sprint(i)),
			HTTP: addresses[i], NATS: addresses[n+i], Route: addresses[2*n+i], Peers: addresses[2*n:],
		}
		for k := range n {
			m.All = append(m.All, "nats://"+addresses[n+(i+k)%n])
		}
		c.machines = append(c.machines, m)
	}
	for i := range n {
		c.work.Go(func() { c.keep(ctx, i) })
	}
	return c, nil
}

// freeAddresses returns addresses whose ports are free at the moment.
func freeAddresses(n int) ([]string, error) {
	var all []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		all = append(all, l.Addr().String())
	}
	return all, nil
}

// keep runs a machine, again and again, until ctx ends.
func (c *cluster) keep(ctx context.Context, i int) {
	description, err := json.Marshal(c.machines[i])
	if err != nil {
		panic(err) // it has only strings
	}
	for ctx.Err() == nil {
		cmd := exec.Command(c.self, "-node", string(description))
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err == nil {
			c.mu.Lock()
			c.commands[i] = cmd
			c.mu.Unlock()
			stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
			cmd.Wait() // it ends by being killed
			stop()
			c.mu.Lock()
			c.commands[i] = nil
			c.mu.Unlock()
		}
		select {
		case <-time.After(restart):
		case <-ctx.Done():
		}
	}
}

// kill kills a machine without notice.
func (c *cluster) kill(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, m := range c.machines {
		if m.Name == name && c.commands[i] != nil {
			return c.commands[i].Process.Kill()
		}
	}
	return fmt.Errorf("there is no machine %q at present", name)
}

// stop ends all machines.
func (c *cluster) stop() {
	c.end()
	c.work.Wait()
	os.RemoveAll(c.dir)
}

// serve forwards requests to the machines in turn.
func (c *cluster) serve(ctx context.Context, l net.Listener) error {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "machine"})
			r.Out.Host = r.In.Host // the origin of the page
		},
		Transport: &http.Transport{DialContext: c.dial, DisableKeepAlives: true},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "no machine answers: "+err.Error(), http.StatusBadGateway)
		},
	}
	mux := http.NewServeMux()
	mux.Handle("/", proxy)
	mux.HandleFunc("POST /kill", func(w http.ResponseWriter, r *http.Request) {
		if err := c.kill(r.FormValue("node")); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		io.WriteString(w, "killed")
	})
	s := &http.Server{Handler: mux}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// dial connects to the next machine that accepts connections.
func (c *cluster) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var errs []error
	for range c.machines {
		c.mu.Lock()
		m := c.machines[c.next%len(c.machines)]
		c.next++
		c.mu.Unlock()
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, m.HTTP)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}
