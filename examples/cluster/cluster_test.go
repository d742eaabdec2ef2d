//go:build !js

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub/topic"
	"github.com/isosocket/isosocket/internal/testing/browser"
	"github.com/isosocket/isosocket/internal/testing/leak"
	"github.com/isosocket/isosocket/ws"
)

// TestMain runs a machine in a process of the test, as main does.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-node" {
		if err := runNode(context.Background(), os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	leak.Main(m)
}

// chatter is a client in a room.
type chatter struct {
	client *topic.Client
	room   *topic.Subscription

	mu    sync.Mutex
	texts []string
	gaps  int
	nodes map[string]string // by user
}

func enter(t *testing.T, ctx context.Context, address, name string) *chatter {
	c := &chatter{nodes: map[string]string{}}
	c.client = topic.NewClient(ctx, "ws://"+address+"/topics?name="+name, &topic.Options{
		Reconnect: &isosocket.ReconnectOptions{MaxDelay: 500 * time.Millisecond},
	})
	t.Cleanup(func() { c.client.Close(errors.NormalClosure, "") })
	c.room = c.client.Subscribe("room/1", nil)
	var work sync.WaitGroup
	t.Cleanup(work.Wait)
	ctx, stop := context.WithCancel(ctx)
	t.Cleanup(stop)
	work.Go(func() {
		for m, err := range c.room.Messages(ctx) {
			c.mu.Lock()
			if err != nil {
				c.gaps++ // or the end of the test
			} else {
				var l line
				if err := json.Unmarshal(m.Message.Data, &l); err != nil {
					t.Error(err)
				}
				c.texts = append(c.texts, l.Text)
			}
			c.mu.Unlock()
		}
	})
	work.Go(func() {
		for p, err := range c.room.Present(ctx) {
			if err != nil {
				return
			}
			c.mu.Lock()
			if p.Here {
				c.nodes[p.Key] = string(p.Info)
			} else {
				delete(c.nodes, p.Key)
			}
			c.mu.Unlock()
		}
	})
	return c
}

// where returns the machine on which a user is, as c knows it.
func (c *chatter) where(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[name]
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so within a minute: %s", what)
		}
	}
}

// startAll starts the machines and the proxy, and waits until a machine serves the page.
func startAll(t *testing.T) (ctx context.Context, c *cluster, address string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(stop)
	if c, err = start(ctx, self, 3); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := c.serve(ctx, l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(serving.Wait)
	t.Cleanup(stop)
	address = l.Addr().String()
	eventually(t, "a machine serves the page", func() bool {
		r, err := http.Get("http://" + address + "/")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return ctx, c, address
}

// TestNoLineIsLost kills the machine on which one of two clients is, while the other publishes.
func TestNoLineIsLost(t *testing.T) {
	ctx, c, address := startAll(t)
	ann, bob := enter(t, ctx, address, "ann"), enter(t, ctx, address, "bob")
	eventually(t, "both see both", func() bool {
		return ann.where("ann") != "" && ann.where("bob") != "" && bob.where("ann") != "" && bob.where("bob") != ""
	})
	n := 0
	say := func(lines int) {
		t.Helper()
		for range lines {
			if _, err := ann.client.Publish(ctx, "room/1", ws.Text(fmt.Sprint(n)), nil); err != nil {
				t.Fatal(err)
			}
			n++
			time.Sleep(10 * time.Millisecond)
		}
	}
	say(20)
	for round := range 2 {
		of := bob.where("bob")
		r, err := http.PostForm("http://"+address+"/kill", url.Values{"node": {of}})
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Fatalf("%s cannot be killed: %s", of, r.Status)
		}
		say(50)
		eventually(t, "bob is on another machine, and ann knows", func() bool {
			now := ann.where("bob")
			return now != "" && now != of && bob.where("bob") == now
		})
		say(10)
		t.Logf("round %d: bob moved from %s to %s", round, of, bob.where("bob"))
		eventually(t, "all machines are back", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			for i := range c.machines {
				if c.commands[i] == nil {
					return false
				}
			}
			return true
		})
	}
	for name, who := range map[string]*chatter{"ann": ann, "bob": bob} {
		eventually(t, name+" has all lines", func() bool {
			who.mu.Lock()
			defer who.mu.Unlock()
			return len(who.texts) >= n
		})
		who.mu.Lock()
		for i, text := range who.texts {
			if text != fmt.Sprint(i) {
				t.Fatalf("%s got %q as line %d", name, text, i)
			}
		}
		if who.gaps > 0 || len(who.texts) != n {
			t.Errorf("%s: %d lines of %d, and %d gaps", name, len(who.texts), n, who.gaps)
		}
		who.mu.Unlock()
	}
}

// TestPageKillsItsMachine presses the button of the page in Chromium. The page moves to another machine, and
// marks the line that was published meanwhile.
func TestPageKillsItsMachine(t *testing.T) {
	ctx, _, address := startAll(t)
	b := browser.Start(t)
	page := b.NewPage(t)
	if err := page.Navigate(ctx, "http://"+address+"/?name=eve"); err != nil {
		t.Fatal(err)
	}
	text := func(expression string) (s string) {
		t.Helper()
		if err := page.Evaluate(ctx, expression, &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	node := func() string { return text(`document.getElementById("node").textContent`) }
	eventually(t, "the page is on a machine", func() bool { return strings.HasPrefix(node(), "node") })
	ann := enter(t, ctx, address, "ann")
	eventually(t, "ann sees eve", func() bool { return ann.where("eve") != "" && ann.where("ann") != "" })
	for ann.where("ann") == ann.where("eve") { // ann must be able to publish
		ann.client.Close(errors.NormalClosure, "")
		ann = enter(t, ctx, address, "ann")
		eventually(t, "ann sees eve", func() bool { return ann.where("eve") != "" && ann.where("ann") != "" })
	}
	of := node()
	// The page may connect again before a look from here would find the state between.
	text(`((state) => {
		globalThis.states = [];
		new MutationObserver(() => states.push(state.textContent)).observe(state, { childList: true });
		return "";
	})(document.getElementById("state"))`)
	if err := page.Click(ctx, "#kill"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the page has lost its machine", func() bool {
		return strings.Contains(text(`states.join()`), "No connection.")
	})
	if _, err := ann.client.Publish(ctx, "room/1", ws.Text("meanwhile"), nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the page has the line, and is on another machine", func() bool {
		now := node()
		return text(`document.getElementById("lines").innerText`) == "ann: meanwhile" && now != of && strings.HasPrefix(now, "node")
	})
	if exceptions := page.Exceptions(); len(exceptions) > 0 {
		t.Error(exceptions)
	}
}
