//go:build !js

// Package tutorial_test runs each step of the tutorial as its reader does: it builds the client and
// the server, starts the server, and opens the page in a browser.
package tutorial_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/testing/browser"
	"github.com/isosocket/isosocket/ws"
)

// patience bounds each wait for something that happens soon, on a machine that may be busy.
const patience = 30 * time.Second

// step is a built step of the tutorial.
type step struct {
	t                *testing.T
	server, web, tmp string
	addr             string
}

// build builds step n in a temporary folder.
func build(t *testing.T, n int) *step {
	t.Helper()
	folder, err := filepath.Abs(fmt.Sprintf("step%d", n))
	if err != nil {
		t.Fatal(err)
	}
	s := &step{t: t, tmp: t.TempDir()}
	s.web, s.server = filepath.Join(s.tmp, "web"), filepath.Join(s.tmp, "server")
	if err := os.CopyFS(s.web, os.DirFS(filepath.Join(folder, "web"))); err != nil {
		t.Fatal(err)
	}
	run := func(env, name string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), strings.Fields(env)...)
		output, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s %s: %v\n%s", env, name, strings.Join(args, " "), err, output)
		}
		return strings.TrimSpace(string(output))
	}
	run("GOOS=js GOARCH=wasm", "go", "build", "-o", filepath.Join(s.web, "client.wasm"), ".")
	run("", "go", "build", "-o", s.server, ".")
	glue, err := os.ReadFile(filepath.Join(run("", "go", "env", "GOROOT"), "lib/wasm/wasm_exec.js"))
	if err == nil {
		err = os.WriteFile(filepath.Join(s.web, "wasm_exec.js"), glue, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.addr = freeAddress(t)
	return s
}

// lastPort is the port that freeAddress has tried last. It begins at random, for other processes.
var lastPort atomic.Int32

func init() { lastPort.Store(10_000 + int32(os.Getpid()%10_000)) }

// freeAddress returns an address of this machine whose port is outside of the range from which
// systems take those of outgoing connections: one of these might take it while the server is down.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 1000 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(lastPort.Add(1))))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

// start starts the server and waits until it answers.
func (s *step) start(args ...string) (stop func(os.Signal)) {
	s.t.Helper()
	cmd := exec.Command(s.server, append([]string{"-addr", s.addr, "-web", s.web}, args...)...)
	cmd.Dir = s.tmp
	cmd.Env = append(os.Environ(), "BOARD_KEY=of this test")
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		cmd.Wait()
		close(exited)
	}()
	stop = func(signal os.Signal) {
		s.t.Helper()
		cmd.Process.Signal(signal)
		select {
		case <-exited:
		case <-time.After(patience):
			cmd.Process.Kill()
			<-exited
			s.t.Errorf("the server did not stop:\n%s", &log)
		}
	}
	s.t.Cleanup(func() { stop(os.Kill) })
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		response, err := http.Get("http://" + s.addr + "/")
		if err == nil {
			response.Body.Close()
			return stop
		}
		select {
		case <-exited:
			s.t.Fatalf("the server has ended:\n%s", &log)
		default:
		}
		if time.Now().After(end) {
			s.t.Fatalf("the server does not answer: %v", err)
		}
	}
}

// tab is the page of a step.
type tab struct {
	t *testing.T
	*browser.Page
}

func (s *step) open(b *browser.Browser) *tab {
	s.t.Helper()
	p := &tab{s.t, b.NewPage(s.t)}
	ctx, cancel := context.WithTimeout(p.Context(), patience)
	defer cancel()
	if err := p.Navigate(ctx, "http://"+s.addr+"/"); err != nil {
		s.t.Fatal(err)
	}
	return p
}

// eval returns the value of a JavaScript expression.
func eval[T any](p *tab, expression string) (value T) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), patience)
	defer cancel()
	if err := p.Evaluate(ctx, expression, &value); err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// waits waits until a JavaScript expression is true. While the page is being loaded, the expression
// may fail.
func (p *tab) waits(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), patience)
	defer cancel()
	for {
		is := false
		err := p.Evaluate(ctx, expression, &is)
		switch {
		case err == nil && is:
			return
		case ctx.Err() != nil:
			p.t.Fatalf("%s does not become true (%v); the page shows %q", expression, err, eval[string](p, "document.body.innerText"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

const status = `document.getElementById("status").textContent`

// drawn is whether there is something at a point of the board.
func drawn(x, y int) string {
	return fmt.Sprintf(`document.getElementById("board").getContext("2d").getImageData(%d, %d, 1, 1).data[3] > 0`, x, y)
}

// draw draws a horizontal line with the mouse.
func (p *tab) draw(x1, x2, y int) {
	p.t.Helper()
	at := eval[struct{ X, Y float64 }](p, `(() => { const r = document.getElementById("board").getBoundingClientRect(); return {X: r.x, Y: r.y} })()`)
	mouse := func(kind input.DispatchMouseEventType, x int, buttons int64) {
		event := chromedp.MouseEvent(kind, at.X+float64(x)+1, at.Y+float64(y)+1, chromedp.ButtonLeft,
			func(p *input.DispatchMouseEventParams) { p.Buttons = buttons })
		if err := chromedp.Do(p.Context(), event); err != nil {
			p.t.Fatal(err)
		}
	}
	mouse(input.DispatchMouseEventTypeMousePressed, x1, 1)
	for x := x1; x <= x2; x += 10 {
		mouse(input.DispatchMouseEventTypeMouseMoved, x, 1)
	}
	mouse(input.DispatchMouseEventTypeMouseReleased, x2, 0)
	p.waits(drawn((x1+x2)/2, y))
}

// signIn fills in the form.
func (p *tab) signIn(name string) {
	p.t.Helper()
	p.waits(`!document.getElementById("signin").hidden`)
	if err := p.Click(p.Context(), "[name=name]"); err != nil {
		p.t.Fatal(err)
	}
	if err := p.Press(p.Context(), name+"\n"); err != nil {
		p.t.Fatal(err)
	}
	p.waits(status + ` === "connected"`)
}

func TestStep1(t *testing.T) {
	b := browser.Start(t)
	s := build(t, 1)
	stop := s.start()
	page := s.open(b)
	page.waits(status + ` === "Hello, browser!"`)
	stop(os.Kill)
	page.waits(status + `.includes("1006")`)
}

func TestStep2(t *testing.T) {
	b := browser.Start(t)
	s := build(t, 2)
	s.start()
	ann, ben := s.open(b), s.open(b)
	ann.waits(status + ` === "connected"`)
	ben.waits(status + ` === "connected"`)
	ann.draw(50, 150, 100)
	ben.waits(drawn(100, 100))
	ben.draw(50, 150, 200)
	ann.waits(drawn(100, 200))
}

func TestStep3(t *testing.T) {
	b := browser.Start(t)
	s := build(t, 3)
	stop := s.start()
	ann, ben := s.open(b), s.open(b)
	ann.waits(status + ` === "connected"`)
	ann.draw(50, 150, 100)
	ben.waits(drawn(100, 100))
	s.open(b).waits(drawn(100, 100)) // from the board so far

	stop(os.Kill)
	ann.waits(status + ` !== "connected"`)
	ann.draw(50, 150, 200) // waits in the outbox
	s.start()
	ann.waits(status + ` === "connected"`)
	ben.waits(drawn(100, 200))
}

func TestStep4(t *testing.T) {
	b := browser.Start(t)
	s := build(t, 4)
	s.start()
	ann := s.open(b)
	ann.signIn("ann")
	conn := s.dial("ben")
	ann.waits(`document.getElementById("users").textContent === "ann, ben"`)
	eval[string](ann, `document.getElementById("color").value = "red"`)
	ann.draw(50, 150, 100)
	if err := conn.Send(t.Context(), ws.Text(`{"X1":0,"Y1":0,"X2":9,"Y2":9,"Color":"url(javascript:)"}`)); err != nil {
		t.Fatal(err)
	}
	red := false
	for {
		m, err := conn.Receive(t.Context())
		if errors.Is(err, errors.PolicyViolation) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		red = red || strings.Contains(m.String(), `"red"`)
	}
	if !red {
		t.Error("no red stroke came")
	}
	ann.waits(`document.getElementById("users").textContent === "ann"`)
	for _, cookie := range []string{"", "user=x", "user=YW5u.", "user=YW5u.YW5u"} {
		_, err := isosocket.Dial(t.Context(), "ws://"+s.addr+"/ws", &isosocket.DialOptions{Header: http.Header{"Cookie": {cookie}}})
		if failed, ok := errors.AsType[*errors.ConnectionError](err); !ok || failed.StatusCode != 401 {
			t.Errorf("with the cookie %q: %v, want 401", cookie, err)
		}
	}
}

// dial signs in as name, and connects from this program.
func (s *step) dial(name string) *ws.Conn {
	s.t.Helper()
	jar, _ := cookiejar.New(nil)
	browserless := &http.Client{Jar: jar}
	response, err := browserless.PostForm("http://"+s.addr+"/signin", url.Values{"name": {name}})
	if err != nil {
		s.t.Fatal(err)
	}
	response.Body.Close()
	conn, err := isosocket.Dial(s.t.Context(), "ws://"+s.addr+"/ws", &isosocket.DialOptions{Native: &isosocket.NativeOptions{HTTPClient: browserless}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close(errors.NormalClosure, "") })
	return conn
}

func TestStep5(t *testing.T) {
	b := browser.Start(t)
	s := build(t, 5)
	gzip := exec.CommandContext(t.Context(), "gzip", "-9", "-k", filepath.Join(s.web, "client.wasm"))
	if output, err := gzip.CombinedOutput(); err != nil {
		t.Fatalf("gzip: %v\n%s", err, output)
	}
	stop := s.start()
	page := s.open(b)
	page.signIn("ann")
	page.draw(50, 150, 100)
	encoded := eval[float64](page, `performance.getEntriesByName(new URL("client.wasm", location))[0].encodedBodySize`)
	if file, err := os.Stat(filepath.Join(s.web, "client.wasm.gz")); err != nil || int64(encoded) != file.Size() {
		t.Errorf("the page loaded %v bytes, want the compressed file: %v", encoded, err)
	}

	conn := s.dial("ben")
	closed := make(chan error, 1)
	go func() {
		for {
			if _, err := conn.Receive(context.Background()); err != nil {
				closed <- err
				return
			}
		}
	}()
	stop(syscall.SIGTERM)
	if err := <-closed; !errors.Is(err, errors.ServiceRestart) {
		t.Errorf("at SIGTERM the connection ended with %v, want 1012", err)
	}
	s.start()
	page.waits(status + ` === "connected"`)
	page.waits(drawn(100, 100)) // the board was saved
	page.waits(`document.getElementById("users").textContent === "ann"`)
}

// The page's blocks are parts of the steps' files. A block begins with a comment that names its file.
func TestPageShowsTheSteps(t *testing.T) {
	page, err := os.ReadFile("../../docs/tutorial.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)\n`(step\\d/[^`\n]+)`[^\n]*:\n\n```\\w*\n(.*?)```\n").FindAllStringSubmatch(string(page), -1)
	if n := strings.Count(string(page), "\n```") / 2; n != len(blocks)+strings.Count(string(page), "\n```sh\n") || n < 10 {
		t.Errorf("%d blocks, of which %d name a file", n, len(blocks))
	}
	for _, block := range blocks {
		file, err := os.ReadFile(block[1])
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(file), block[2]) {
			t.Errorf("%s does not contain\n%s", block[1], block[2])
		}
	}
}

// The container's files name files and flags that exist.
func TestContainer(t *testing.T) {
	dockerfile, err := os.Open("step5/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer dockerfile.Close()
	var entry []string
	for lines := bufio.NewScanner(dockerfile); lines.Scan(); {
		if arguments, ok := strings.CutPrefix(lines.Text(), "ENTRYPOINT "); ok {
			if err := json.Unmarshal([]byte(arguments), &entry); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(entry) == 0 {
		t.Fatal("no ENTRYPOINT")
	}
	s := build(t, 5)
	data := filepath.Join(s.tmp, "data.json")
	for i := range entry {
		entry[i] = strings.NewReplacer("/data/board.json", data, "/web", s.web, ":8080", s.addr).Replace(entry[i])
	}
	cmd := exec.CommandContext(t.Context(), s.server, entry[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first, err := bufio.NewReader(log).ReadString('\n')
	if err != nil || !strings.Contains(first, "serving") {
		t.Errorf("%v wrote %q, %v", entry, first, err)
	}
	response, err := http.Get("http://" + s.addr + "/healthz")
	if err != nil || response.StatusCode != 200 {
		t.Errorf("/healthz: %v, %v", response, err)
	} else {
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil && runtime.GOOS != "windows" {
		t.Errorf("after SIGTERM: %v", err)
	}
	if _, err := os.Stat(data); err != nil {
		t.Error(err)
	}
}
