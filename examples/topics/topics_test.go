//go:build !js

package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/internal/testing/browser"
	"github.com/isosocket/isosocket/internal/testing/faultproxy"
	"github.com/isosocket/isosocket/ws"
)

// TestPage opens the page in Chromium, behind a network that is cut. The client in JavaScript gets
// every message once and in order, and a gap in its place.
func TestPage(t *testing.T) {
	h, err := hub.New(&hub.Options{
		Rules: func(string) hub.Rules { return hub.Rules{History: 20} },
		Grace: 30 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(context.Background())
	handler, endpoint, err := newHandler(h)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(handler)
	defer s.Close()
	defer endpoint.Shutdown(context.Background())
	proxy, err := faultproxy.Start(strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()

	b := browser.Start(t)
	page := b.NewPage(t)
	ctx, cancel := context.WithTimeout(page.Context(), 2*time.Minute)
	defer cancel()
	if err := page.Navigate(ctx, "http://"+proxy.Address()+"/?name=ann"); err != nil {
		t.Fatal(err)
	}
	evaluate := func(expression string, result any) {
		t.Helper()
		if err := page.Evaluate(ctx, expression, result); err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
	}
	waits := func(expression string) {
		t.Helper()
		for is := false; !is; time.Sleep(20 * time.Millisecond) {
			if err := page.Evaluate(ctx, expression, &is); err != nil {
				var shown string
				page.Evaluate(page.Context(), "document.body.innerText", &shown)
				t.Fatalf("%s: %v; the page shows %q", expression, err, shown)
			}
		}
	}
	// settled returns what a promise becomes.
	settled := func(promise string) (text string) {
		t.Helper()
		evaluate("(globalThis.settled = undefined, "+promise+".then((value) => globalThis.settled = value), true)", new(bool))
		waits("globalThis.settled !== undefined")
		evaluate("globalThis.settled", &text)
		return text
	}
	var want []string
	publish := func(m ws.Message, shown string) {
		t.Helper()
		if _, err := h.Publish(ctx, "room/1", m, nil); err != nil {
			t.Fatal(err)
		}
		want = append(want, shown)
	}
	lines := func() {
		t.Helper()
		waits(fmt.Sprintf(`document.querySelectorAll("li").length >= %d`, len(want)))
		var text string
		evaluate(`[...document.querySelectorAll("li")].map((li) => li.textContent).join("\n")`, &text)
		if got := strings.Split(text, "\n"); !slices.Equal(got, want) {
			t.Fatalf("the page shows %q, want %q", got, want)
		}
	}
	send := func(text string) {
		t.Helper()
		evaluate(fmt.Sprintf(`document.getElementById("text").value = %q`, text), new(string))
		if err := page.Click(ctx, "button"); err != nil {
			t.Fatal(err)
		}
	}
	isHere := func(names string) {
		t.Helper()
		waits(fmt.Sprintf(`document.getElementById("here").textContent === %q`, names))
	}

	isHere("ann")
	publish(ws.Text("hello: a message"), "hello: a message")
	publish(ws.Binary([]byte{0, 10, 255}), "bytes 0 10 255")
	lines()
	send("mine")
	want = append(want, "ann: mine")
	lines()
	evaluate(`!!topics.publish("room/1", new Uint8Array([255, 10, 0]))`, new(bool))
	want = append(want, "bytes 255 10 0")
	lines()

	// A cut: the page misses messages, and publishes one meanwhile.
	for round := range 3 {
		if err := proxy.Set(faultproxy.Refuse, 0); err != nil {
			t.Fatal(err)
		}
		waits(`document.getElementById("state").textContent === "No connection."`)
		for i := range 10 {
			publish(ws.Text(fmt.Sprint(round, " ", i)), fmt.Sprint(round, " ", i))
		}
		send("while away")
		if err := proxy.Set(faultproxy.Pass, 0); err != nil {
			t.Fatal(err)
		}
		want = append(want, "ann: while away")
		lines()
	}
	isHere("ann")

	// More than history has.
	if err := proxy.Set(faultproxy.Refuse, 0); err != nil {
		t.Fatal(err)
	}
	waits(`document.getElementById("state").textContent === "No connection."`)
	publish(ws.Text("too old"), "Messages were lost.")
	for i := range 20 {
		publish(ws.Text(fmt.Sprint("kept ", i)), fmt.Sprint("kept ", i))
	}
	if err := proxy.Set(faultproxy.Pass, 0); err != nil {
		t.Fatal(err)
	}
	lines()

	// A page that is loaded again continues.
	if err := page.Navigate(ctx, "about:blank"); err != nil {
		t.Fatal(err)
	}
	publish(ws.Text("between"), "between")
	if err := page.Navigate(ctx, "http://"+proxy.Address()+"/?name=ann"); err != nil {
		t.Fatal(err)
	}
	lines()

	// Another user, refusals, and the end.
	other := b.NewPage(t)
	if err := other.Navigate(ctx, "http://"+proxy.Address()+"/?name=bob"); err != nil {
		t.Fatal(err)
	}
	isHere("ann, bob")
	if text := settled(`topics.publish("secret", "x").then(() => "published", (err) => err.message)`); text != "denied: there are only rooms" {
		t.Errorf("publish to another topic: %q", text)
	}
	if text := settled(`new Promise((end) => topics.subscribe("secret", { onend: (code, text) => end(code + ": " + text) }))`); text != "denied: there are only rooms" {
		t.Errorf("subscribe to another topic: %q", text)
	}
	text := settled(`(async () => { // leave and come back, with messages on their way
		const got = [];
		for (let i = 0; i < 20; i++) {
			const s = topics.subscribe("room/2", {});
			topics.publish("room/2", "old");
			s.leave();
		}
		await topics.publish("room/2", "old");
		topics.subscribe("room/2", { onmessage: (payload) => got.push(payload) });
		for (let i = 0; i < 3; i++) await topics.publish("room/2", String(i));
		while (got.length < 3) await new Promise((then) => setTimeout(then, 10));
		return got.join();
	})()`)
	if text != "ann: 0,ann: 1,ann: 2" {
		t.Errorf("after leaving and coming back: %q", text)
	}
	text = settled(`(async () => { // before there is a connection
		const more = new topics.constructor(location.origin.replace("http", "ws") + "/topics?name=cid");
		more.subscribe("room/3", {}).leave();
		const got = new Promise((then) => more.subscribe("room/3", { onmessage: then }));
		await more.publish("room/3", "hello");
		const text = await got; // may come after the answer, and not after close
		more.close();
		return text;
	})()`)
	if text != "cid: hello" {
		t.Errorf("after leaving and coming back before there was a connection: %q", text)
	}
	if err := endpoint.Unsubscribe(ctx, "ann", "room/1"); err != nil {
		t.Fatal(err)
	}
	want = append(want, "The room is closed (denied): the server has ended the subscription")
	lines()
	if err := endpoint.Disconnect(ctx, "ann", 4403, "banned"); err != nil {
		t.Fatal(err)
	}
	waits(`document.getElementById("state").textContent === "No connection."`)
	text = settled(`new Promise((then) => setTimeout(then, 2500)).then(() => document.getElementById("state").textContent)`)
	if text != "No connection." {
		t.Errorf("after a final reason the page shows %q", text)
	}
}
