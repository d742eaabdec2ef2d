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

// TestMemoryOfASubscription bounds the memory of a connection, at both of its ends, and of each of
// its subscriptions, which its client in this process does not remember.
func TestMemoryOfASubscription(t *testing.T) {
	const connections, topics = 300, 20
	absent := all
	absent.Subscribe = func(context.Context, *topicserver.Member, string) (topicserver.Grant, error) {
		return topicserver.Grant{History: true}, nil
	}
	_, url := serve(t, newHub(t, nil), absent, &topicserver.Options{Server: &server.Options{Detach: true}})
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc + m.StackInuse)
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
	t.Logf("%d bytes for a connection at both ends, with a topic; %d bytes for each further topic", connection, subscription)
	if subscription > 512 {
		t.Errorf("a further topic takes %d bytes, allowed are 512", subscription)
	}
}
