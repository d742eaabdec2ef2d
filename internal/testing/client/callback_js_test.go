//go:build js

package client_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hack-pad/safejs"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// inCallback runs f in a function that the event loop calls, like an event listener.
func inCallback(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	callback := must[safejs.Func](t)(safejs.FuncOf(func(safejs.Value, []safejs.Value) any {
		defer close(done)
		start := time.Now()
		f()
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("the callback blocked the page for %v", d)
		}
		return nil
	}))
	defer callback.Release()
	must[safejs.Value](t)(safejs.Global().Call("setTimeout", callback, 0))
	<-done
}

func wouldBlock(t *testing.T, call string, err error) {
	t.Helper()
	if !errors.Is(err, errors.ErrWouldBlock) || !strings.Contains(err.Error(), call+" cannot wait inside a JavaScript callback") {
		t.Errorf("%s returned %v, want ErrWouldBlock", call, err)
	}
}

// TestCallbackOfConn checks that calls that would wait return an error inside a callback, and do
// not block the page.
func TestCallbackOfConn(t *testing.T) {
	url := probeURL(t) + "/foreign?lose=0&id=" + t.Name()
	ctx := t.Context()
	inCallback(t, func() {
		_, err := isosocket.Dial(ctx, url, nil)
		wouldBlock(t, "Dial", err)
		for _, err := range isosocket.Connections(ctx, url, nil) {
			wouldBlock(t, "Connections", err)
		}
	})
	conn, err := isosocket.Dial(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	inCallback(t, func() {
		_, err := conn.Receive(ctx)
		wouldBlock(t, "Receive", err)
		if err := conn.Send(ctx, ws.Text("hello")); err != nil {
			t.Error(err)
		}
	})
	if m, err := conn.Receive(ctx); err != nil || m.String() != "hello" {
		t.Fatalf("Receive returned %q, %v", m.Data, err)
	}
	inCallback(t, func() {
		large := ws.Binary(make([]byte, 1<<20))
		var err error
		for range 100 {
			if err = conn.Send(ctx, large); err != nil {
				break
			}
		}
		wouldBlock(t, "Send", err)
	})
	if conn.Err() != nil {
		t.Fatal(conn.Err())
	}
	inCallback(t, func() { wouldBlock(t, "Close", conn.Close(errors.NormalClosure, "bye")) })
	select {
	case <-conn.Done():
	case <-time.After(30 * time.Second):
		t.Error("the connection has not ended")
	}
	if !errors.Is(conn.Err(), errors.NormalClosure) {
		t.Errorf("it ended with %v", conn.Err())
	}
}

func TestCallbackOfClient(t *testing.T) {
	url := probeURL(t) + "/foreign?lose=0&id=" + t.Name()
	ctx := t.Context()
	var client *isosocket.Client
	inCallback(t, func() {
		client = isosocket.NewClient(ctx, url, nil)
		wouldBlock(t, "Send", client.Send(ctx, ws.Text("too early")))
		_, err := client.Receive(ctx)
		wouldBlock(t, "Receive", err)
	})
	if err := client.Send(ctx, ws.Text("in time")); err != nil {
		t.Fatal(err)
	}
	for client.State().Phase != isosocket.Connected {
		time.Sleep(time.Millisecond)
	}
	if m, err := client.Receive(ctx); err != nil || m.String() != "in time" {
		t.Errorf("Receive returned %q, %v", m.Data, err)
	}
	inCallback(t, func() {
		if err := client.Send(ctx, ws.Text("connected")); err != nil {
			t.Error(err)
		}
		wouldBlock(t, "Close", client.Close(errors.NormalClosure, "bye"))
		if err := client.Send(ctx, ws.Text("too late")); !errors.Is(err, errors.NormalClosure) {
			t.Errorf("after Close, Send returned %v", err)
		}
	})
	select {
	case <-client.Done():
	case <-time.After(30 * time.Second):
		t.Error("the client has not ended")
	}
	if !errors.Is(client.Err(), errors.NormalClosure) {
		t.Errorf("it ended with %v", client.Err())
	}
}
