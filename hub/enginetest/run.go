package enginetest

import (
	"context"
	"testing"
	"time"

	"github.com/isosocket/isosocket/hub"
)

// Target is an engine to test.
type Target struct {
	// Open returns n engines that share one storage, as those of n machines would. It is
	// called for each case, with storage that has no topics, and uses t.Cleanup to close
	// what it opened. The elements may be the same engine, if it serves one process only.
	Open func(t testing.TB, n int) []hub.Engine
	// NoHistory says that the engine keeps no history, regardless of Keep.
	NoHistory bool
	// KeepsMore says that the engine may keep more and longer than Keep says.
	KeepsMore bool
	// Forgets says that the engine no longer knows where a topic ended when its history has
	// expired. A member that returns to it then gets a gap.
	Forgets bool
	// NoIDs says that the engine remembers no Entry.ID.
	NoIDs bool
	// Patience is how long an effect may take to reach other machines. 0 means 10 seconds.
	Patience time.Duration
}

// Run runs every case as a subtest of t, one after the other.
func Run(t *testing.T, target Target) {
	t.Helper()
	if target.Open == nil {
		t.Fatal("enginetest: Target.Open is nil")
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.history && target.NoHistory {
				t.Skip("the target keeps no history")
			}
			if c.bounds && target.KeepsMore {
				t.Skip("the target keeps more")
			}
			if c.ids && target.NoIDs {
				t.Skip("the target remembers no IDs")
			}
			run(t, &target, c)
		})
	}
}

func run(t testing.TB, target *Target, c testCase) {
	t.Helper()
	patience := target.Patience
	if patience <= 0 {
		patience = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
	defer cancel()
	engines := target.Open(t, c.machines)
	if len(engines) != c.machines {
		t.Fatalf("enginetest: Target.Open returned %d engines, want %d", len(engines), c.machines)
	}
	c.run(&bench{TB: t, ctx: ctx, engines: engines, patience: patience, history: !target.NoHistory, forgets: target.Forgets})
}

// testCase is one rule of the contract.
type testCase struct {
	name     string
	machines int
	history  bool // it needs history
	ids      bool // it needs IDs
	bounds   bool // it needs the bounds of Keep
	run      func(b *bench)
}

// bench is the environment of a case.
type bench struct {
	testing.TB
	ctx      context.Context
	engines  []hub.Engine
	patience time.Duration
	history  bool
	forgets  bool
}
