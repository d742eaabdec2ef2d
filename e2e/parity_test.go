//go:build !js

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket/internal/testing/browser"
	"github.com/isosocket/isosocket/internal/testing/parity"
	"github.com/isosocket/isosocket/ws/wstest"
)

// conformance is the package whose TestConformance runs every case.
const conformance = "../ws/wstest"

// parityTimeout bounds one run of all cases. It is long enough for busy machines.
const parityTimeout = 8 * time.Minute

// TestParity runs every case natively, with the race detector, and in each engine that ENGINE
// names, all with the same test server, and prints the results side by side. With
// PARITY_PLACES=all, the cases also run in every kind of worker. If PARITY_DIR is set,
// TestParity writes the results of each run there as JSON. PARITY_CASES, a regular expression,
// selects cases.
func TestParity(t *testing.T) {
	server, err := parity.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	addresses := server.Addresses()
	var mu sync.Mutex
	columns := make(map[string][]wstest.Result)
	add := func(t *testing.T, name string, results []wstest.Result) {
		save(t, name, results)
		mu.Lock()
		defer mu.Unlock()
		columns[name] = results
	}
	t.Run("native", func(t *testing.T) { add(t, "native", runNative(t, parityEnv(t, "native", addresses))) })

	test := browser.CompileWasmTest(t, conformance)
	test.Args = []string{"-test.run=" + selected()}
	// Node and similar runtimes read the trusted certificates when they start.
	certificate := filepath.Join(t.TempDir(), "certificate.pem")
	if err := os.WriteFile(certificate, []byte(addresses.Certificate), 0o600); err != nil {
		t.Fatal(err)
	}
	places := venues
	if os.Getenv("PARITY_PLACES") == "all" {
		places = slices.Concat(venues, furtherVenues)
	}
	options := &browser.Options{
		Trust: addresses.Certificate, TrustAt: strings.TrimPrefix(addresses.TLS, "wss://"),
		NoReconnectDelay: true, // no case may depend on the ones before it
	}
	eachVenue(t, places, options, func(t *testing.T, b *browser.Browser, v venue) {
		test := test
		test.Where, test.Env = v.where, parityEnv(t, v.String(), addresses)
		for _, name := range []string{"NODE_EXTRA_CA_CERTS", "DENO_CERT"} {
			test.Env[name] = certificate
		}
		ctx, cancel := context.WithTimeout(t.Context(), parityTimeout)
		defer cancel()
		add(t, v.String(), collect(t, browser.RunWasmTest(ctx, t, b, test).Tests))
	})

	var names []string
	var runs [][]wstest.Result
	addColumn := func(name string) {
		if results, ok := columns[name]; ok {
			names, runs = append(names, name), append(runs, results)
		}
	}
	addColumn("native")
	for _, v := range places {
		addColumn(v.String())
	}
	rows := wstest.Compare(runs...)
	if os.Getenv("PARITY_CASES") != "" {
		rows = slices.DeleteFunc(rows, func(row wstest.Row) bool {
			return !slices.ContainsFunc(row.Results, func(r wstest.Result) bool { return r.Target != "" })
		})
	}
	if err := parity.WriteTable(os.Stdout, names, rows); err != nil {
		t.Fatal(err)
	}
	if !parity.Right(rows) {
		t.Error("not every row is right in every engine")
	}
}

// parityEnv returns the environment variables for a test binary: the addresses of the test
// server, and the name of the column.
func parityEnv(t *testing.T, target string, addresses wstest.Addresses) map[string]string {
	t.Helper()
	text, err := json.Marshal(addresses)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"WSTEST_SERVER": string(text), "WSTEST_TARGET": target}
}

// selected returns the pattern of the cases to run.
func selected() string {
	return "^TestConformance$/(" + os.Getenv("PARITY_CASES") + ")"
}

// runNative runs the cases in a process of their own, with the race detector.
func runNative(t *testing.T, env map[string]string) []wstest.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), parityTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-race", "-count=1", "-v", "-run="+selected(), conformance)
	cmd.Env = os.Environ()
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", cmd, err, out)
	}
	results, err := wstest.ParseResults(bytes.NewReader(out))
	if err != nil {
		t.Error(err)
	}
	return results
}

// collect returns the results in the logs of tests and their subtests.
func collect(t *testing.T, tests []*browser.TestResult) []wstest.Result {
	t.Helper()
	var results []wstest.Result
	for _, test := range tests {
		own, err := wstest.ParseResults(strings.NewReader(test.Output()))
		if err != nil {
			t.Error(err)
		}
		results = append(append(results, own...), collect(t, test.Subtests)...)
	}
	return results
}

// save writes results to PARITY_DIR, if that is set.
func save(t *testing.T, target string, results []wstest.Result) {
	t.Helper()
	dir := os.Getenv("PARITY_DIR")
	if dir == "" {
		return
	}
	text, err := json.MarshalIndent(results, "", "\t")
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, target+".json"), append(text, '\n'), 0o644)
	}
	if err != nil {
		t.Error(err)
	}
}
