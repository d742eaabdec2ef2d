// The race detector of Go 1.26 breaks down (a failed CHECK in its runtime) when
// thousands of goroutines come and go in fake time. This test runs without it,
// and in Chromium.

//go:build !race

package isosocket

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// TestHerd: a thousand clients lose their server at the same moment. In no 100
// ms do more than a tenth of them try to come back, however long it is down, or a few
// more where the server said that it restarts.
func TestHerd(t *testing.T) {
	for _, down := range []time.Duration{0, 500 * time.Millisecond, 2 * time.Second, 5 * time.Second, 30 * time.Second, 5 * time.Minute} {
		// A planned restart spreads the first attempts over a second: a tenth of them
		// is the mean there, and those that try again come on top. Over many seeds, the most
		// in any window is 142 on average, with a standard deviation of 7.
		for reason, most := range map[errors.CloseReason]int{errors.InternalError: 100, errors.ServiceRestart: 175} {
			t.Run("down for "+down.String()+" with "+reason.String(), func(t *testing.T) { testHerd(t, down, reason, most) })
		}
	}
}

func testHerd(t *testing.T, down time.Duration, reason errors.CloseReason, most int) {
	const clients, window = 1000, 100 * time.Millisecond
	var summary string
	defer func() { t.Log(summary) }() // in a browser a bubble cannot write
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var (
			mu       sync.Mutex
			attempts []time.Duration // since the restart began
			back     int
			servers  []*ws.Conn
		)
		restart := time.Now().Add(time.Hour)
		dial := func(context.Context, string, *DialOptions) (*ws.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			since := time.Since(restart)
			if since >= 0 {
				attempts = append(attempts, since)
				if since < down {
					return nil, refused(0)
				}
				if back++; back == clients {
					cancel()
				}
			}
			client, server := ws.Pipe(nil, nil)
			servers = append(servers, server)
			return client, nil
		}
		var loops sync.WaitGroup
		for i := range clients {
			r := newRedialer("ws://herd/", nil)
			// The same waits in each run, so that chance fails none.
			r.random = rand.New(rand.NewPCG(1, uint64(i))).Float64
			r.dial = dial
			r.presence = newVisitor().watch
			loops.Go(func() { run(ctx, r) })
		}
		time.Sleep(time.Until(restart))
		mu.Lock()
		for _, s := range servers {
			s.Close(reason, "")
		}
		mu.Unlock()
		loops.Wait()

		slices.Sort(attempts)
		first, worst := 0, 0
		for i, at := range attempts {
			for attempts[first] <= at-window {
				first++
			}
			worst = max(worst, i-first+1)
		}
		summary = fmt.Sprintf("%d attempts, at most %d in any %v, the last after %v", len(attempts), worst, window, attempts[len(attempts)-1])
		if worst >= most {
			t.Errorf("%d attempts in %v, want less than %d", worst, window, most)
		}
		if last := attempts[len(attempts)-1]; last > down+DefaultMaxDelay {
			t.Errorf("the last client came back after %v, want at most %v more than the %v that the server was down", last, DefaultMaxDelay, down)
		}
	})
}
