package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// outcome is what became of a mutant.
type outcome string

// The outcomes of a mutant.
const (
	killed   outcome = "killed"   // a test failed
	slow     outcome = "slow"     // the tests did not end in time
	survived outcome = "survived" // all tests passed
	invalid  outcome = "invalid"  // it does not compile
)

// measure runs the tests of a target without a change, and returns the time that a mutant may take.
func measure(ctx context.Context, t target) (time.Duration, error) {
	began := time.Now()
	test := exec.CommandContext(ctx, "go", "test", "-count=1", "-vet=off", "-run="+t.run, t.tests)
	if output, err := test.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("the tests of %s fail without a change: %w\n%s", t.tests, err, output)
	}
	return 2*time.Since(began) + 10*time.Second, nil
}

// try runs the tests of a target with one mutant, for at most patience.
func try(ctx context.Context, m mutant, t target, patience time.Duration) (outcome, error) {
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	source, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	path, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	changed := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(changed, m.apply(source), 0o600); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		return "", err
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "package.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay="+overlayFile, "-o", binary, t.tests)
	if output, err := build.CombinedOutput(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); ok && bytes.Contains(output, []byte(filepath.Base(m.file))) {
			return invalid, nil
		}
		return "", errors.Join(err, errors.New(string(output)))
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	run := exec.CommandContext(limited, binary, "-test.failfast", "-test.run="+t.run, "-test.timeout="+patience.String())
	run.Dir = t.tests
	run.WaitDelay = time.Second
	err = run.Run()
	switch {
	case limited.Err() != nil && ctx.Err() == nil:
		return slow, nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err == nil:
		return survived, nil
	}
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return killed, nil
	}
	return "", err
}
