//go:build !js

package docs_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"go/format"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/wstest"
)

// readmeAddress is the address of the README's server, which its clients dial.
const readmeAddress = "127.0.0.1:8080"

// readmePrograms returns the README's Go blocks in order, each a whole program.
func readmePrograms(t *testing.T) []string {
	t.Helper()
	text := readPage(t, "README.md")
	var programs []string
	for _, block := range regexp.MustCompile("(?s)\n```go\n(.*?)```\n").FindAllStringSubmatch(text, -1) {
		programs = append(programs, block[1])
	}
	if len(programs) != 3 {
		t.Fatalf("the README has %d Go programs; this test expects 3: client, server, client that stays connected", len(programs))
	}
	return programs
}

// root is the folder of the module.
const root = "../../.."

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// buildProgram compiles source as a program of its own and returns the path of the binary.
func buildProgram(t *testing.T, source string, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	file, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program.exe")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, file)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s\n%s", strings.Join(env, " "), err, out, source)
	}
	return program
}

// TestREADMEProgramsCompile compiles every program for both targets, except the server, which is
// native.
func TestREADMEProgramsCompile(t *testing.T) {
	t.Parallel()
	for i, source := range readmePrograms(t) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			if formatted, err := format.Source([]byte(source)); err != nil {
				t.Error(err)
			} else if string(formatted) != source {
				t.Errorf("not formatted:\n%s", source)
			}
			buildProgram(t, source)
			if !strings.Contains(source, "isosocket/server\"") {
				buildProgram(t, source, "GOOS=js", "GOARCH=wasm")
			}
		})
	}
}

// freeAddress returns an address of this machine whose port is outside of the range from which
// systems take ports: another test would take such a port before the program listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	first := 10_000 + os.Getpid()%10_000
	for port := first; port < first+1000; port++ {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

// TestREADMEProgramsRun runs the README's clients with the README's server.
func TestREADMEProgramsRun(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	programs := readmePrograms(t)
	for i, source := range programs {
		if programs[i] = strings.ReplaceAll(source, readmeAddress, address); programs[i] == source {
			t.Fatalf("program %d does not use %s", i, readmeAddress)
		}
	}
	client, server := buildProgram(t, programs[0]), buildProgram(t, programs[1])

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	serving := exec.CommandContext(ctx, server)
	if err := serving.Start(); err != nil {
		t.Fatal(err)
	}
	defer serving.Wait()
	defer serving.Process.Kill()
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			break
		}
		if ctx.Err() != nil {
			t.Fatal("the server does not listen:", err)
		}
		time.Sleep(10 * time.Millisecond)
	}

	dialing := exec.CommandContext(ctx, client)
	lines, err := dialing.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dialing.Start(); err != nil {
		t.Fatal(err)
	}
	defer dialing.Wait()
	defer dialing.Process.Kill()
	next := bufio.NewScanner(lines)
	line := func(want string) {
		t.Helper()
		if !next.Scan() {
			t.Fatal("the client wrote no line with", want, next.Err())
		}
		if !strings.HasSuffix(next.Text(), want) {
			t.Fatalf("the client wrote %q, want %q", next.Text(), want)
		}
	}
	line("hello <nil>")
	serving.Process.Kill()
	if next.Scan(); !strings.Contains(next.Text(), "1006 (abnormal closure)") {
		t.Errorf("when the server was killed the client wrote %q", next.Text())
	}
}

// TestCallbackProgramsCompile compiles the programs of docs/callbacks.md.
func TestCallbackProgramsCompile(t *testing.T) {
	t.Parallel()
	programs := regexp.MustCompile("(?s)\n```go\n(.*?)```\n").FindAllStringSubmatch(readPage(t, "docs/callbacks.md"), -1)
	if len(programs) < 2 {
		t.Errorf("the page has %d programs", len(programs))
	}
	for _, p := range programs {
		buildProgram(t, p[1], "GOOS=js", "GOARCH=wasm")
	}
}

// TestErrorsPageMatchesDefaultRetry compares the column "again?" of docs/errors.md with
// DefaultRetry.
func TestErrorsPageMatchesDefaultRetry(t *testing.T) {
	t.Parallel()
	status := func(codes ...int) (all []error) {
		for _, c := range codes {
			all = append(all, &errors.ConnectionError{StatusCode: c})
		}
		return all
	}
	closed := func(remote bool, message string, reasons ...errors.CloseReason) (all []error) {
		for _, r := range reasons {
			all = append(all, &errors.ConnectionClosed{Reason: r, Message: message, Remote: remote})
		}
		return all
	}
	for event, errs := range map[string][]error{
		"no connection: network, name lookup or timeout": append(status(0),
			&errors.ConnectionError{Err: context.DeadlineExceeded}),
		"the server refused with 401, 403 or 404": status(401, 403, 404),
		"the server refused with 429 or 503":      status(429, 503),
		"another server refused with any status, in a browser": {
			&errors.ConnectionError{StatusCode: 401, StatusGuessed: true}, &errors.ConnectionError{StatusCode: 404, StatusGuessed: true}},
		"the browser forbids the connection: mixed content, Content-Security-Policy, a blocked port": {
			&errors.ConnectionError{Err: errors.ErrForbidden}},
		"the server redirects": append(status(301, 302, 307), &errors.ConnectionError{Err: errors.ErrRedirected}),
		"the server's certificate is not trusted": {
			&errors.ConnectionError{Err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}},
			&errors.ConnectionError{Err: x509.HostnameError{Certificate: &x509.Certificate{}}}},
		"the server chose none of the offered subprotocols":                        {&errors.ConnectionError{Err: errors.ErrSubprotocolMismatch}},
		"the answer is not a WebSocket handshake":                                  {&errors.ConnectionError{Err: errors.ErrBadHandshake}},
		"a URL that cannot be dialed":                                              {&errors.ConnectionError{Err: errors.ErrInvalidURL}},
		"a subprotocol that is no token, or doubled":                               {&errors.ConnectionError{Err: errors.ErrInvalidSubprotocol}},
		"an option that this target cannot honour":                                 {&errors.ConnectionError{Err: errors.ErrUnsupported}},
		"the peer closed with 1000 or 1005":                                        closed(true, "", 1000, 1005),
		"the peer closed with 1001, 1011, 1012, 1013 or 1014":                      closed(true, "", 1001, 1011, 1012, 1013, 1014),
		"the peer closed with a reason of the application's, 3000-4999":            closed(true, "", 3000, 3999, 4000, 4999),
		"the connection was lost without a close frame":                            closed(false, "", 1006),
		"the peer answers neither pings nor heartbeats":                            closed(false, ws.PingTimeoutMessage, 1008),
		"a message over `MaxMessageSize` came":                                     closed(false, "", 1009),
		"this side began a [message in parts](streams.md) and did not complete it": closed(false, "a message was begun and not completed", 1011),
		"the peer broke the protocol":                                              closed(false, "", 1002, 1007),
	} {
		row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(event) + ` \|.*\| (\w+)[^|]*\|$`).FindStringSubmatch(readPage(t, "docs/errors.md"))
		if row == nil {
			t.Errorf("the page has no row for %q", event)
			continue
		}
		for _, err := range errs {
			want := map[bool]string{true: "yes", false: "no"}[isosocket.DefaultRetry(err)]
			if row[1] != want {
				t.Errorf("%s: the page says %s; DefaultRetry of %v says %s", event, row[1], err, want)
			}
		}
	}
}

// TestReconnectPageMatchesDefaultRetry compares the table of docs/reconnect.md with
// DefaultRetry. Each row is a tested decision, and each decision has a row.
func TestReconnectPageMatchesDefaultRetry(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(readPage(t, "docs/reconnect.md"), "| what happened | again? |\n| --- | --- |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	decisions := map[string]retryDecision{}
	for _, d := range retryDecisions() {
		decisions[d.event] = d
	}
	decisions["a certificate that is not trusted, natively"] = retryDecision{errs: []error{
		&errors.ConnectionError{Err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}},
		&errors.ConnectionError{Err: x509.UnknownAuthorityError{}},
		&errors.ConnectionError{Err: x509.CertificateInvalidError{Reason: x509.Expired}},
	}}
	for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		event, again := strings.TrimSpace(cells[0]), strings.TrimSpace(cells[len(cells)-1])
		d, ok := decisions[event]
		if !ok {
			t.Errorf("no decision is tested for the row %q", event)
			continue
		}
		delete(decisions, event)
		word, _, _ := strings.Cut(strings.NewReplacer(":", " ", ",", " ", ";", " ").Replace(again)+" ", " ")
		for _, err := range d.errs {
			if isosocket.DefaultRetry(err) != d.again || (word == "yes") != d.again {
				t.Errorf("%s: the page says %q; DefaultRetry of %v says %v", event, again, err, isosocket.DefaultRetry(err))
			}
		}
	}
	for event := range decisions {
		t.Errorf("the page has no row for %q", event)
	}
}

// TestPagesNameExistingThings checks that the links between the project's pages work, and that
// the targets of make, the tests and the cases that they name exist.
func TestPagesNameExistingThings(t *testing.T) {
	t.Parallel()
	makefile := readPage(t, "Makefile")
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	code := regexp.MustCompile("(?ms)^    .*?$|^```.*?^```$|`[^`\n]*`")
	target := regexp.MustCompile("(?m)(?:`|^    )make ([a-z][a-z0-9-]*)")
	test := regexp.MustCompile("`((?:Test|Fuzz|Example)[A-Za-z0-9_]*)`")
	row := regexp.MustCompile(`\b[PD][0-9]{2}\b`)
	tests, rows := testsOfModule(t), map[string]bool{}
	for _, c := range wstest.Cases() {
		rows[c.ID] = true
	}
	pages := []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}
	more, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range more {
		pages = append(pages, "docs/"+filepath.Base(page))
	}
	for _, page := range pages {
		text := readPage(t, page)
		for _, l := range link.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), l[1])); errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s links to %s, which does not exist", page, l[1])
			}
		}
		for _, m := range target.FindAllStringSubmatch(text, -1) {
			if !regexp.MustCompile(`(?m)^` + m[1] + `:.*## `).MatchString(makefile) {
				t.Errorf("%s names make %s, which the Makefile does not list", page, m[1])
			}
		}
		for _, m := range test.FindAllStringSubmatch(text, -1) {
			if !tests[m[1]] {
				t.Errorf("%s names %s, which no package has", page, m[1])
			}
		}
		for _, id := range row.FindAllString(text, -1) {
			if !rows[id] {
				t.Errorf("%s names the case %s, which wstest does not have", page, id)
			}
		}
	}
}

// testsOfModule returns the names of all tests in the module.
func testsOfModule(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestIndexHasEveryPage checks that docs/README.md lists each page.
func TestIndexHasEveryPage(t *testing.T) {
	t.Parallel()
	index := readPage(t, "docs/README.md")
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(pages) < 5 {
		t.Fatal(pages, err)
	}
	for _, page := range pages {
		if name := filepath.Base(page); name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/README.md does not list %s", name)
		}
	}
}

// TestRootFolderIsSmall keeps the root folder readable. It holds the client's API.
func TestRootFolderIsSmall(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "git", "ls-files")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]bool{}
	for file := range strings.Lines(string(out)) {
		entry, _, _ := strings.Cut(strings.TrimSpace(file), "/")
		if !strings.HasPrefix(entry, ".") {
			entries[entry] = true
		}
	}
	if len(entries) > 34 {
		t.Errorf("the root folder has %d entries, more than 34", len(entries))
	}
}
