//go:build js

package client_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/hack-pad/safejs"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// watched lists the objects of a page on which the library adds listeners, in addition to its
// WebSockets.
func watched(t *testing.T) []safejs.Value {
	t.Helper()
	document := must[safejs.Value](t)(safejs.Global().Get("document"))
	if document.IsUndefined() {
		t.Skip("this is not a page")
	}
	return []safejs.Value{safejs.Global(), document, must[safejs.Value](t)(
		must[safejs.Value](t)(safejs.Global().Get("WebSocket")).Get("prototype"))}
}

// countListeners counts, until the test ends, the listeners on the page and on WebSockets that
// have been added and not removed.
func countListeners(t *testing.T) (count func() int) {
	t.Helper()
	var n atomic.Int64
	for _, object := range watched(t) {
		for method, change := range map[string]int64{"addEventListener": 1, "removeEventListener": -1} {
			original := must[safejs.Value](t)(object.Get(method))
			counting := must[safejs.Func](t)(safejs.FuncOf(func(this safejs.Value, args []safejs.Value) any {
				n.Add(change)
				all := []any{this}
				for _, a := range args {
					all = append(all, a)
				}
				original.Call("call", all...)
				return nil
			}))
			if err := object.Set(method, counting); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				object.Delete(method) // the original is inherited
				counting.Release()
			})
		}
	}
	return func() int { return int(n.Load()) }
}

// pretend changes a property of object until the returned function is called or the test ends.
func pretend(t *testing.T, object safejs.Value, property string, value any) (stop func()) {
	t.Helper()
	class := must[safejs.Value](t)(safejs.Global().Get("Object"))
	must[safejs.Value](t)(class.Call("defineProperty", object, property, map[string]any{"value": value, "configurable": true}))
	stop = func() { object.Delete(property) }
	t.Cleanup(stop)
	return stop
}

func dispatch(t *testing.T, target safejs.Value, class, event string, init map[string]any) {
	t.Helper()
	constructor := must[safejs.Value](t)(safejs.Global().Get(class))
	must[safejs.Value](t)(target.Call("dispatchEvent", must[safejs.Value](t)(constructor.New(event, init))))
}

// hours makes every wait long, even after a planned restart, where it is otherwise short and
// random.
func hours(error, time.Duration) time.Duration { return 1000 * time.Hour }

// TestPresence checks that events after which an attempt may succeed end a wait of hours, and
// that other events do not.
func TestPresence(t *testing.T) {
	_, direct := stormURLs(t)
	page := watched(t)
	window, document := page[0], page[1]
	online := func() { dispatch(t, window, "Event", "online", nil) }
	for _, tt := range []struct {
		name  string
		event func()
		wakes bool
	}{
		{"online", online, true},
		{"page becomes visible", func() { dispatch(t, document, "Event", "visibilitychange", nil) }, true},
		{"page becomes hidden", func() {
			defer pretend(t, document, "hidden", true)()
			dispatch(t, document, "Event", "visibilitychange", nil)
		}, false},
		{"page comes from the back/forward cache", func() {
			dispatch(t, window, "PageTransitionEvent", "pageshow", map[string]any{"persisted": true})
		}, true},
		{"page is shown for the first time", func() {
			dispatch(t, window, "PageTransitionEvent", "pageshow", map[string]any{"persisted": false})
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			count := countListeners(t)
			down, attempts := make(chan struct{}, 2), make(chan struct{}, 3)
			client := isosocket.NewClient(t.Context(), direct+"/leave", &isosocket.ClientOptions{
				Reconnect: &isosocket.ReconnectOptions{
					Delay:     hours,
					OnAttempt: func(isosocket.Attempt) { attempts <- struct{}{} },
					OnDown:    func(isosocket.Down) { down <- struct{}{} },
				},
			})
			if err := client.Send(t.Context(), ws.Text("leave")); err != nil {
				t.Fatal(err)
			}
			<-attempts
			<-down
			for count() != 3 { // the listeners of the wait only
				time.Sleep(time.Millisecond)
			}
			tt.event()
			patience := 200 * time.Millisecond
			if tt.wakes {
				patience = 30 * time.Second // for busy machines
			}
			select {
			case <-attempts:
				if !tt.wakes {
					t.Error("an attempt was made")
				}
			case <-time.After(patience):
				if tt.wakes {
					t.Error("no attempt was made")
				}
			}
			client.Close(errors.NormalClosure, "")
			<-client.Done()
			settled(t, "listeners", count, 0)
		})
	}
	t.Run("page came from the back/forward cache just before the connection ended", func(t *testing.T) {
		attempts := make(chan struct{}, 3)
		client := isosocket.NewClient(t.Context(), direct+"/leave", &isosocket.ClientOptions{
			Reconnect: &isosocket.ReconnectOptions{
				Delay:     hours,
				OnAttempt: func(isosocket.Attempt) { attempts <- struct{}{} },
			},
		})
		<-attempts
		for client.State().Phase != isosocket.Connected {
			time.Sleep(time.Millisecond)
		}
		dispatch(t, window, "PageTransitionEvent", "pageshow", map[string]any{"persisted": true})
		if err := client.Send(t.Context(), ws.Text("leave")); err != nil {
			t.Fatal(err)
		}
		select {
		case <-attempts:
		case <-time.After(30 * time.Second):
			t.Error("no attempt was made")
		}
		client.Close(errors.NormalClosure, "")
		<-client.Done()
	})
	t.Run("no attempts while offline and hidden", func(t *testing.T) {
		count := countListeners(t)
		navigator := must[safejs.Value](t)(safejs.Global().Get("navigator"))
		pretend(t, navigator, "onLine", false)
		visible := pretend(t, document, "hidden", true)
		attempts := make(chan struct{}, 1)
		client := isosocket.NewClient(t.Context(), direct+"/leave", &isosocket.ClientOptions{
			Reconnect: &isosocket.ReconnectOptions{OnAttempt: func(isosocket.Attempt) { attempts <- struct{}{} }},
		})
		dispatch(t, document, "Event", "visibilitychange", nil)
		select {
		case <-attempts:
			t.Error("an attempt was made")
		case <-time.After(200 * time.Millisecond):
		}
		visible()
		dispatch(t, document, "Event", "visibilitychange", nil)
		select {
		case <-attempts:
		case <-time.After(30 * time.Second):
			t.Error("no attempt was made when the user returned")
		}
		client.Close(errors.NormalClosure, "")
		<-client.Done()
		settled(t, "listeners", count, 0)
	})
}

// TestHeartbeatIsProbedOnReturn checks that a dead connection is found soon after the user
// returns to a page, not only at the end of the interval.
func TestHeartbeatIsProbedOnReturn(t *testing.T) {
	s := newStorm(t)
	document := watched(t)[1]
	conn, err := isosocket.Dial(t.Context(), s.url+"/echo?client=return", &isosocket.DialOptions{
		Heartbeat: &ws.Heartbeat{Every: time.Hour, Timeout: 5 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	dispatch(t, document, "Event", "visibilitychange", nil)
	for conn.Latency() == 0 { // until the server's answer has arrived
		if conn.Err() != nil {
			t.Fatalf("the connection ended though the peer answers: %v", conn.Err())
		}
		_, _, _ = conn.TryReceive()
		time.Sleep(time.Millisecond)
	}
	s.fault("blackhole", 0)
	defer s.fault("pass", 0)
	dispatch(t, document, "Event", "visibilitychange", nil)
	select {
	case <-conn.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("the dead link was not found")
	}
	if _, err := conn.Receive(t.Context()); !errors.Is(err, errors.PolicyViolation) {
		t.Errorf("Receive = %v, want the miss", err)
	}
}
