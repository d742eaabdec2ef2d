package ws_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/isosocket/isosocket/ws"
)

func TestPreparedFormIsMadeOnce(t *testing.T) {
	p := ws.Prepare(ws.Text("hello"))
	made := 0
	for range 3 {
		for _, key := range [][2]int{{1, 1}, {1, 2}, {2, 1}} {
			got := ws.PreparedForm(p, key, func(m ws.Message) []byte {
				made++
				return fmt.Appendf(nil, "%v %v", key, m)
			})
			if want := fmt.Sprintf("%v hello", key); string(got) != want {
				t.Errorf("the form for %v is %q, want %q", key, got, want)
			}
		}
	}
	if made != 3 {
		t.Errorf("3 forms were made %d times", made)
	}
}

// Send one message to everybody.
func ExamplePrepare() {
	ctx := context.Background()
	a, alice := ws.Pipe(nil, nil)
	b, bob := ws.Pipe(nil, nil)

	news := ws.Prepare(ws.Text("the kettle is on"))
	for _, conn := range []*ws.Conn{a, b} {
		conn.SendPrepared(ctx, news)
	}

	for _, conn := range []*ws.Conn{alice, bob} {
		m, _ := conn.Receive(ctx)
		fmt.Println(m)
	}
	// Output:
	// the kettle is on
	// the kettle is on
}
