package main

import (
	"io"
	"strings"
	"testing"
	"time"
)

// TestSoak is a short run with few clients of every kind. It is too short to judge growth.
func TestSoak(t *testing.T) {
	p := plan{clients: 40, lasts: 5 * time.Second, pace: 100 * time.Millisecond, beat: 500 * time.Millisecond, seed: uint64(time.Now().UnixNano())}
	r, err := p.run(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range r.problems {
		t.Errorf("%s (seed %d)", problem, p.seed)
	}
	t.Log(strings.Join(r.summary(), "\n"))
	for what, n := range map[string]int64{
		"echoes": r.counts.Echoes, "ended connections": r.counts.Churned, "messages through a faulty network": int64(r.faulty.Arrived),
		"pushed messages": r.counts.Pushed, "deaths": 5 * r.counts.Deaths, "faults": int64(r.faults), "samples": 5 * int64(len(r.samples)),
	} {
		if n < 5 {
			t.Errorf("only %d %s", n, what)
		}
	}
}

func TestPlanRefusesBadInput(t *testing.T) {
	for _, tt := range []struct {
		name string
		plan plan
		want string
	}{
		{"too few clients", plan{clients: 19, lasts: time.Minute, pace: time.Second}, "at least 20"},
		{"too short", plan{clients: 100, lasts: time.Millisecond, pace: time.Second}, "-time"},
		{"too fast", plan{clients: 100, lasts: time.Minute}, "-pace"},
		{"too many descriptors", plan{clients: 1 << 30, lasts: time.Minute, pace: time.Second}, "ulimit -n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.plan.run(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("run = %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// TestServerProcessDies checks that its end is an error, and not a wait.
func TestServerProcessDies(t *testing.T) {
	c, err := startChild()
	if err != nil {
		t.Fatal(err)
	}
	defer c.kill()
	if _, err := c.ask(t.Context(), question{Measure: true}); err != nil {
		t.Fatal(err)
	}
	c.command.Process.Kill()
	if _, err := c.ask(t.Context(), question{Measure: true}); err == nil {
		t.Error("a server process that was killed answers")
	}
	if err := c.stop(); err == nil {
		t.Error("a server process that was killed ended well")
	}
}
