//go:build !js

package wstest_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/internal/testing/parity"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/wstest"
)

// TestBrokenTargetFails shows that the suite can fail: a dialer that ignores
// its options fails the cases that need them, and no others.
func TestBrokenTargetFails(t *testing.T) {
	const marker = "WSTEST_BROKEN"
	if os.Getenv(marker) != "" {
		server, err := parity.StartServer()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		wstest.Run(t, wstest.Target{
			Name:   "broken",
			Class:  wstest.Native,
			Server: server.Addresses(),
			Dial: func(ctx context.Context, url string, _ *wstest.Options) (*ws.Conn, error) {
				return isosocket.Dial(ctx, url, nil)
			},
			Check: checkLeft,
		})
		return
	}
	t.Parallel()
	want := map[string]bool{"P06": true, "P24": false, "P31": false, "D02": false, "P10": true}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^TestBrokenTargetFails$/^(P06|P10|P24|P31|D02)$")
	command.Env = append(os.Environ(), marker+"=1")
	out, err := command.CombinedOutput()
	if err == nil {
		t.Error("the run has passed")
	}
	results, err := wstest.ParseResults(bytes.NewReader(out))
	if err != nil {
		t.Error(err)
	}
	for _, r := range results {
		right, ok := want[r.ID]
		if !ok || r.Failed == right || r.Target != "broken" {
			t.Errorf("%s: %+v", r.ID, r)
		}
		delete(want, r.ID)
	}
	if len(want) > 0 {
		t.Errorf("no results of %v in:\n%s", want, out)
	}
}
