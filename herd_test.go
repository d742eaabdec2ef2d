// The race detector of Go 1.26 breaks down (a failed CHECK in its runtime) when
// thousands of goroutines start and end in fake time. This test runs without it, and in
// Chromium.

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

// TestHerd makes a thousand clients lose their server at the same moment. At most a
// tenth of them, or a few more if the server announced a restart, may try to reconnect
// within any 100 ms, however long the server is down.
func TestHerd(t *testing.T) {
	for _, down := range []time.Duration{0, 500 * time.Millisecond, 2 * time.Second, 5 * time.Second, 30 * time.Second, 5 * time.Minute} {
		// A planned restart spreads the first attempts over a second: the mean is a tenth of
		// them, plus those that try again. Over many seeds, the most in any window is 142 on
		// average, with a standard deviation of 7.
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
			// The waits are the same in each run, because random ones could fail the
			// test.
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
			t.Errorf("the last client reconnected after %v, want at most %v more than the %v that the server was down", last, DefaultMaxDelay, down)
		}
	})
}
