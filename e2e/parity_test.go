//go:build !js

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/isosocket/isosocket/internal/browser"
	"github.com/isosocket/isosocket/internal/testing/parity"
	"github.com/isosocket/isosocket/ws/wstest"
)

// conformance is the package whose TestConformance runs every case.
const conformance = "../ws/wstest"

// parityTimeout bounds one run of all cases; it is generous because machines are busy.
const parityTimeout = 8 * time.Minute

// node20Skip are the cases that cannot run in Node 20 and 21, whose WebSocket is experimental, each with the reason.
var node20Skip = map[string]string{
	"P02": "its WebSocket drops a BOM at the beginning of a text",
	"P28": "its WebSocket ends the process when a server chooses a subprotocol that was not asked for",
}

// TestParity runs every case natively, with the race detector, and in Chromium: in a page and in a worker, and in Node
// where there is one, all against the same test server, and prints the native run and the page's side by side. With
// PARITY_DIR set, the results of each run are written there as JSON. For work on a case, PARITY_CASES, a regular
// expression, selects some, and -run TestParity/page, say, a target.
func TestParity(t *testing.T) {
	server, err := parity.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	addresses := server.Addresses()
	env := func(target string) map[string]string {
		text, err := json.Marshal(addresses)
		if err != nil {
			t.Fatal(err)
		}
		return map[string]string{"WSTEST_SERVER": string(text), "WSTEST_TARGET": target}
	}

	var native, page []wstest.Result
	t.Run("native", func(t *testing.T) {
		native = runNative(t, env("native"))
		save(t, "native", native)
	})

	test := browser.CompileWasmTest(t, conformance)
	test.Args = []string{"-test.run=" + selected()}
	b := browser.Start(t, chromedp.Flag("ignore-certificate-errors-spki-list", spkiHash(t, addresses.Certificate)))
	run := func(t *testing.T, where browser.Where, env map[string]string) []wstest.Result {
		test := test
		test.Where, test.Env = where, env
		ctx, cancel := context.WithTimeout(t.Context(), parityTimeout)
		defer cancel()
		results := collect(t, browser.RunWasmTest(ctx, t, b, test).Tests)
		save(t, env["WSTEST_TARGET"], results)
		return results
	}
	t.Run("page", func(t *testing.T) { page = run(t, browser.InPage, env("chromium")) })
	t.Run("worker", func(t *testing.T) { complete(t, run(t, browser.InWorker, env("worker")), nil) })
	t.Run("node", func(t *testing.T) {
		node, err := browser.FindNode(t.Context())
		if err != nil {
			t.Skip(err)
		}
		var nodeSkip map[string]string
		if len(node.Flags) > 0 { // the WebSocket is experimental
			nodeSkip = node20Skip
		}
		env := env("node")
		// Node reads the certificates that it shall trust when it starts.
		certificate := filepath.Join(t.TempDir(), "certificate.pem")
		if err := os.WriteFile(certificate, []byte(addresses.Certificate), 0o600); err != nil {
			t.Fatal(err)
		}
		env["NODE_EXTRA_CA_CERTS"] = certificate
		skip, err := json.Marshal(nodeSkip)
		if err != nil {
			t.Fatal(err)
		}
		env["WSTEST_SKIP"] = string(skip)
		complete(t, run(t, browser.InNode, env), nodeSkip)
	})

	if native == nil || page == nil {
		t.Log("no table: it needs the subtests native and page") // one that failed has failed t
		return
	}
	rows := wstest.Compare(native, page)
	if err := parity.WriteTable(os.Stdout, rows); err != nil {
		t.Fatal(err)
	}
	if !parity.Right(rows) {
		t.Error("not every row is right on both targets")
	}
}

// selected is the pattern of the cases to run.
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

// collect returns the results that tests and their subtests wrote into their logs.
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

// complete fails t unless every case ran and was right, but for those in skip.
func complete(t *testing.T, results []wstest.Result, skip map[string]string) {
	t.Helper()
	byID := make(map[string]wstest.Result)
	for _, r := range results {
		byID[r.ID] = r
	}
	right := 0
	for _, c := range wstest.Cases() {
		r, ok := byID[c.ID]
		switch {
		case !ok:
			t.Errorf("%s: no result", c.ID)
		case skip[c.ID] != "":
			t.Logf("%s is not run here: %s", c.ID, skip[c.ID])
		case r.Skipped != "" || r.Failed || len(r.Mistakes(c)) > 0:
			t.Errorf("%s is not right", c.ID)
		default:
			right++
		}
	}
	t.Logf("%d cases right, %d not run", right, len(skip))
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

// spkiHash is what Chromium names a public key by.
func spkiHash(t *testing.T, certificate string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(certificate))
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(parsed.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
