//go:build js

package client_test

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strconv"
	"testing"

	"github.com/hack-pad/safejs"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/testing/trend"
	"github.com/isosocket/isosocket/ws"
)

// ISOSOCKET_SOAK_MESSAGES and ISOSOCKET_SOAK_RECONNECTS are how many messages TestSoak sends over
// how many connections; the defaults are 2,000 and 20. Memory is judged from 100,000 messages on.

// soakQuantity is what is measured of a page. Its values are bytes if InBytes is true.
type soakQuantity struct {
	Name                       string
	InBytes                    bool
	Mean, Growth, Noise, Bound float64

	of     func() float64
	at     trend.Bound
	values []float64
}

// soakQuantities are those that the engine tells.
func soakQuantities(t *testing.T) (all []*soakQuantity) {
	t.Helper()
	// number returns a function that finds the number at a path from the global object, and calls
	// it if it is a function, or nil if the engine has none.
	number := func(path ...string) func() float64 {
		find := func() (parent, value safejs.Value, err error) {
			value = safejs.Global()
			for _, name := range path {
				parent = value
				if value, err = parent.Get(name); err != nil || value.IsUndefined() {
					return parent, value, err
				}
			}
			return parent, value, nil
		}
		if _, value, err := find(); err != nil || value.IsUndefined() {
			return nil
		}
		return func() float64 {
			// From the start each time: performance.memory is a copy.
			parent, value, err := find()
			if err == nil && value.Type() == safejs.TypeFunction {
				value, err = parent.Call(path[len(path)-1])
			}
			f := 0.0
			if err == nil {
				f, err = value.Float()
			}
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			return f
		}
	}
	add := func(q soakQuantity) {
		if q.of != nil {
			all = append(all, &q)
		}
	}
	add(soakQuantity{Name: "memory of the WebAssembly instance", InBytes: true, of: number("goHolds", "memory"), at: trend.Bound{Share: 0.05, Least: 1 << 20}})
	add(soakQuantity{Name: "heap of Go after a collection", InBytes: true, at: trend.Bound{Share: 0.05, Least: 256 << 10}, of: func() float64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}})
	add(soakQuantity{Name: "goroutines", at: trend.Bound{Least: 2}, of: func() float64 { return float64(runtime.NumGoroutine()) }})
	add(soakQuantity{Name: "JavaScript values that Go holds", at: trend.Bound{Share: 0.05, Least: 20}, of: number("goHolds", "values")})
	add(soakQuantity{Name: "heap of JavaScript", InBytes: true, of: number("performance", "memory", "usedJSHeapSize"), at: trend.Bound{Share: 0.05, Least: 512 << 10}})
	return all
}

// collect collects the garbage of Go and, if the engine lets a page do that, of JavaScript.
func collect(t *testing.T) {
	t.Helper()
	runtime.GC()
	runtime.GC() // what pools hold survives the first one
	if gc, err := safejs.Global().Get("gc"); err == nil && gc.Type() == safejs.TypeFunction {
		if _, err := gc.Invoke(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSoak sends numbered messages of many sizes over many connections, half of which end by the
// server, and checks each echo. Nothing may grow.
func TestSoak(t *testing.T) {
	_, direct := stormURLs(t)
	messages := setting(t, "ISOSOCKET_SOAK_MESSAGES", strconv.Atoi, 2_000)
	reconnects := setting(t, "ISOSOCKET_SOAK_RECONNECTS", strconv.Atoi, 20)
	const burst, samples, judged = 10, 60, 100_000
	each := messages / max(reconnects, 1)
	if each < 1 {
		t.Fatalf("%d messages over %d connections: want at least one for each", messages, reconnects)
	}
	// The runtime keeps goroutines for callbacks.
	first, err := isosocket.Dial(t.Context(), direct+"/mirror", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Send(t.Context(), ws.Text("leave")); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Receive(t.Context()); !errors.Is(err, errors.GoingAway) {
		t.Fatalf("the first connection ended with %v, want 1001", err)
	}
	check := countResources(t)
	body := make([]byte, 16<<10)
	for i := range body {
		body[i] = byte(' ' + i%95)
	}
	// message returns message n: 1 of 50 is large.
	message := func(n int) ws.Message {
		size := n * 7919 % 200
		if n%50 == 0 {
			size = n * 7919 % len(body)
		}
		data := append(strconv.AppendInt(nil, int64(n), 10), ':')
		data = append(data, body[n%95:min(n%95+size, len(body))]...)
		if n%2 == 0 {
			return ws.Binary(data)
		}
		return ws.Message{Kind: ws.KindText, Data: data}
	}
	quantities := soakQuantities(t)
	var places []float64
	measure := func(at int) {
		collect(t)
		places = append(places, float64(at))
		for _, q := range quantities {
			q.values = append(q.values, q.of())
		}
	}

	options := &isosocket.ReconnectOptions{
		Dial:      &isosocket.DialOptions{Heartbeat: &ws.Heartbeat{}, DisableStatusProbe: true},
		BaseDelay: 1, MaxDelay: 1,
	}
	sent, connections, next := 0, 0, 0
	for conn, err := range isosocket.Connections(t.Context(), direct+"/mirror", options) {
		if err != nil {
			t.Fatalf("connection %d: %v", connections, err)
		}
		for last := sent + each; sent < last; {
			from := sent
			for ; sent < min(from+burst, last); sent++ {
				if err := conn.Send(t.Context(), message(sent)); err != nil {
					t.Fatalf("sending message %d: %v", sent, err)
				}
			}
			for n := from; n < sent; n++ {
				m, err := conn.Receive(t.Context())
				if err != nil {
					t.Fatalf("waiting for the echo of message %d: %v", n, err)
				}
				if want := message(n); m.Kind != want.Kind || !bytes.Equal(m.Data, want.Data) {
					t.Fatalf("%.20q arrived in place of %.20q", m.Data, want.Data)
				}
			}
		}
		connections++
		if sent >= next {
			measure(sent)
			next += messages / samples
		}
		if connections%2 == 0 {
			if err := conn.Send(t.Context(), ws.Text("leave")); err != nil {
				t.Fatalf("connection %d: %v", connections, err)
			}
			if _, err := conn.Receive(t.Context()); !errors.Is(err, errors.GoingAway) {
				t.Fatalf("connection %d ended with %v, want 1001", connections, err)
			}
		}
		if sent >= messages {
			break
		}
	}
	t.Logf("%d messages over %d connections", sent, connections)
	for _, q := range quantities {
		// The first quarter fills pools, and compiles what runs often.
		from := len(places) / 4
		line, err := trend.Fit(places[from:], q.values[from:])
		if err != nil {
			t.Logf("%s: %.0f, %v", q.Name, q.values, err)
			continue
		}
		q.Mean, q.Growth, q.Noise, q.Bound = line.Mean, line.Growth, line.Noise, q.at.Of(line.Mean)
		t.Logf("%s: mean %.0f, growth %.0f ± %.0f, at most %.0f", q.Name, q.Mean, q.Growth, q.Noise, q.Bound)
		if err := line.Judge(q.at); err != nil && messages >= judged {
			t.Errorf("%s: %v: %.0f", q.Name, err, q.values)
		}
	}
	figures, err := json.Marshal(struct {
		Messages, Reconnects int
		Quantities           []*soakQuantity
	}{sent, connections, quantities})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("figures: %s", figures)
	check()
}
