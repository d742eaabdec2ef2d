//go:build !js && !race

package topicserver_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/isosocket/isosocket/hub/topicserver"
	"github.com/isosocket/isosocket/server"
)

// TestMemoryOfASubscription bounds the heap that each subscription of a connection takes. Its
// client, in this process, does not remember it.
func TestMemoryOfASubscription(t *testing.T) {
	const connections, topics = 300, 20
	absent := all
	absent.Subscribe = func(context.Context, *topicserver.Member, string) (topicserver.Grant, error) {
		return topicserver.Grant{History: true}, nil
	}
	_, url := serve(t, newHub(t, nil), absent, &topicserver.Options{Server: &server.Options{Detach: true}})
	// A topic has no goroutine. Stacks do not count: they grow and shrink between the two
	// measurements.
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	var clients []*raw
	for i := range connections {
		r := dial(t, fmt.Sprintf("%s?user%d", url, i))
		r.ask("sub 0 first")
		clients = append(clients, r)
	}
	connected := heap()
	for i := range topics {
		for _, r := range clients {
			r.ask(fmt.Sprintf("sub %d topic%d", i, i))
		}
	}
	after := heap()
	connection, subscription := (connected-before)/connections, (after-connected)/connections/topics
	t.Logf("%d bytes of heap for a connection at both ends, with a topic; %d for each further topic", connection, subscription)
	if subscription > 512 {
		t.Errorf("a further topic takes %d bytes, allowed are 512", subscription)
	}
}
