//go:build !js && !race

package hub_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// TestMemoryOfAMembership bounds the memory of a connection's first topic, without the
// connection, of each further topic, and of a topic that it does not share.
func TestMemoryOfAMembership(t *testing.T) {
	const connections, topics = 2000, 20
	h := newHub(t, nil)
	var conns []*ws.Conn
	for range connections {
		conn, client := ws.Pipe(nil, nil)
		defer client.CloseNow(errors.NormalClosure, "")
		conns = append(conns, conn)
	}
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc + m.StackInuse)
	}
	joinAll := func(topic func(i int) string) int {
		before := heap()
		for i, conn := range conns {
			join(t, h, topic(i), conn, nil)
		}
		return (heap() - before) / connections
	}
	first := joinAll(func(int) string { return "shared" })
	further := 0
	for i := range topics {
		further += joinAll(func(int) string { return fmt.Sprint("shared", i) })
	}
	further /= topics
	own := joinAll(func(i int) string { return fmt.Sprint("own", i) })
	t.Logf("%d bytes for the first topic, %d for each further one, %d for a topic of its own", first, further, own)
	if first > 700 || further > 300 || own > 2000 {
		t.Errorf("%d bytes for the first topic, %d for each further one, %d for a topic of its own; allowed are 700, 300 and 2000", first, further, own)
	}
}
