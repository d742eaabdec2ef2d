//go:build !js

package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// TestCompare: reports in the suite's form are written as expected results, and compared with them.
func TestCompare(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const two = `{"isosocket": {"1.1.10": {"behavior": "OK", "behaviorClose": "OK", "duration": 1}, "1.1.2": {"behavior": "INFORMATIONAL", "behaviorClose": "INFORMATIONAL"}}}`
	good := file("good.json", two)
	want := filepath.Join(folder, "expected.json")
	if err := compare(want, []string{"server=" + good, "client=" + good}, true, false); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(want)
	if err != nil || string(written) != `{
  "1.1.2": {"client":"INFORMATIONAL","server":"INFORMATIONAL"},
  "1.1.10": {"client":"OK","server":"OK"}
}
` {
		t.Errorf("%s, %v", written, err)
	}
	for name, test := range map[string]struct {
		report, text string
		part         bool
		want         string
	}{
		"the same":            {"server", two, false, ""},
		"another result":      {"client", strings.Replace(two, `"OK"`, `"FAILED"`, 1), false, "1.1.10 as client: FAILED, close OK, expected OK"},
		"another close":       {"server", strings.Replace(two, `"behaviorClose": "OK"`, `"behaviorClose": "UNCLEAN"`, 1), false, "1.1.10 as server: OK, close UNCLEAN, expected OK"},
		"a case less":         {"server", `{"isosocket": {"1.1.10": {"behavior": "OK", "behaviorClose": "OK"}}}`, false, "1.1.2 as server: not run, expected INFORMATIONAL"},
		"a case less, a part": {"server", `{"isosocket": {"1.1.10": {"behavior": "OK", "behaviorClose": "OK"}}}`, true, ""},
		"a case more":         {"server", strings.Replace(two, `"1.1.2"`, `"1.1.3"`, 1), true, "1.1.3 as server: INFORMATIONAL, expected none"},
		"two agents":          {"server", `{"a": {}, "b": {}}`, false, `has the agents ["a" "b"], want one`},
		"no JSON":             {"server", `<html>`, false, "invalid character"},
		"another role":        {"proxy", two, false, "is not client=FILE or server=FILE"},
	} {
		err := compare(want, []string{test.report + "=" + file("report.json", test.text)}, false, test.part)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestRunCases: the client asks a fuzzing server for the number of cases, runs each, and asks for the
// report, whatever the server does to its connections.
func TestRunCases(t *testing.T) {
	t.Parallel()
	var paths []string
	s := httptest.NewServer(server.Handler(func(ctx context.Context, conn *server.Conn) error {
		paths = append(paths, conn.URL().RequestURI())
		switch {
		case conn.URL().Path == "/getCaseCount":
			return conn.Send(ctx, ws.Text("2"))
		case conn.URL().Query().Get("case") == "1":
			if err := conn.Send(ctx, ws.Text("hello")); err != nil {
				return err
			}
			m, err := conn.Receive(ctx)
			if err == nil && string(m.Data) != "hello" {
				t.Errorf("the client sends %q", m.Data)
			}
			return err
		}
		return errors.ProtocolError
	}, nil))
	defer s.Close()
	if err := runCases(t.Context(), strings.Replace(s.URL, "http", "ws", 1), "a b", 0); err != nil {
		t.Fatal(err)
	}
	if want := []string{"/getCaseCount", "/runCase?case=1&agent=a+b", "/runCase?case=2&agent=a+b", "/updateReports?agent=a+b"}; !slices.Equal(paths, want) {
		t.Errorf("the client asks for %q, want %q", paths, want)
	}

	none := httptest.NewServer(http.NotFoundHandler())
	defer none.Close()
	if err := runCases(t.Context(), strings.Replace(none.URL, "http", "ws", 1), "a", 0); err == nil {
		t.Error("a server without cases has some")
	}
}
