//go:build !js

package browser

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// webkit controls WebKitGTK's MiniBrowser, which has Safari's engine, with WebDriver. A
// WebKitWebDriver controls one browser with one page, so each page has its own driver and
// browser. All use one Xvfb.
type webkit struct {
	driver, browser string // paths
	display         string // as $DISPLAY names it
	xvfb            *program
	trust           bool
	home            string // of every browser, initially empty

	mu     sync.Mutex
	spare  *webkitTab // opened to check that it works; the first page uses it
	opened map[*webkitTab]bool
}

func startWebKit(ctx context.Context, o *Options) (_ driver, version string, err error) {
	paths, err := WebKit.programs(ctx)
	if err != nil {
		return nil, "", err
	}
	if len(paths) != 3 {
		return nil, "", fmt.Errorf("scripts/engine.sh named %q, want the paths of a driver, a browser and an Xvfb", paths)
	}
	w := &webkit{driver: paths[0], browser: paths[1], trust: o.Trust != "", opened: make(map[*webkitTab]bool)}
	if w.home, err = os.MkdirTemp("", "webkit-home-"); err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			_ = w.close(context.WithoutCancel(ctx))
		}
	}()
	if w.display, w.xvfb, err = startXvfb(ctx, paths[2]); err != nil {
		return nil, "", err
	}
	// A session shows whether the browser starts, and its version.
	if w.spare, version, err = w.session(ctx, false); err != nil {
		return nil, "", err
	}
	return w, version, nil
}

// startXvfb starts a display in memory, and returns its name.
func startXvfb(ctx context.Context, path string) (string, *program, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return "", nil, err
	}
	defer reader.Close()
	cmd := exec.Command(path, "-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp")
	cmd.ExtraFiles = []*os.File{writer}
	xvfb, err := startProgram(cmd)
	writer.Close()
	if err != nil {
		return "", nil, err
	}
	stop := context.AfterFunc(ctx, xvfb.end) // also ends the wait
	defer stop()
	number, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		xvfb.end()
		return "", nil, fmt.Errorf("no display named by Xvfb: %w\n%s", errors.Join(err, ctx.Err()), xvfb.output)
	}
	return ":" + number[:len(number)-1], xvfb, nil
}

// session starts a browser with a driver of its own.
func (w *webkit) session(ctx context.Context, tests bool) (*webkitTab, string, error) {
	// A free port; another program may take it before the driver does.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	cmd := exec.Command(w.driver, "--host=127.0.0.1", "--port="+strconv.Itoa(port))
	cmd.Env = append(os.Environ(), "DISPLAY="+w.display, "GDK_BACKEND=x11", "HOME="+w.home, "XDG_CONFIG_HOME="+w.home, "XDG_DATA_HOME="+w.home, "XDG_CACHE_HOME="+w.home,
		// WEBKIT_DISABLE_COMPOSITING_MODE would keep screenshots of a page that does not change from
		// ever being taken.
		"LIBGL_ALWAYS_SOFTWARE=1", "NO_AT_BRIDGE=1", "LC_ALL=C.UTF-8")
	t := &webkitTab{w: w, tests: tests}
	if t.program, err = startProgram(cmd); err != nil {
		return nil, "", err
	}
	t.client = newWebDriver("http://127.0.0.1:" + strconv.Itoa(port))
	strategy := "normal"
	if tests {
		strategy = "none"
	}
	version, err := t.client.newSession(ctx, map[string]any{
		"acceptInsecureCerts": w.trust,
		"pageLoadStrategy":    strategy,
		"webkitgtk:browserOptions": map[string]any{
			"binary": w.browser,
			"args":   []string{"--automation", "--geometry=1280x900"},
		},
	})
	if err != nil {
		t.client.close()
		t.program.end()
		return nil, "", fmt.Errorf("%s: %w\n%s", filepath.Base(w.driver), err, t.program.output)
	}
	w.mu.Lock()
	w.opened[t] = true
	w.mu.Unlock()
	return t, version, nil
}

func (w *webkit) open(ctx context.Context, page *Page) (tab, error) {
	w.mu.Lock()
	t := w.spare
	w.spare = nil
	w.mu.Unlock()
	if t == nil || page.onReport != nil {
		if t != nil {
			_ = t.close(ctx)
		}
		var err error
		if t, _, err = w.session(ctx, page.onReport != nil); err != nil {
			return nil, err
		}
	}
	t.watch(page)
	return t, nil
}

func (w *webkit) close(ctx context.Context) error {
	w.mu.Lock()
	var all []*webkitTab
	for t := range w.opened {
		all = append(all, t)
	}
	w.mu.Unlock()
	var errs []error
	for _, t := range all {
		errs = append(errs, t.close(ctx))
	}
	if w.xvfb != nil {
		w.xvfb.end()
	}
	return errors.Join(append(errs, os.RemoveAll(w.home))...)
}

// webkitTab is a browser with one page.
type webkitTab struct {
	w       *webkit
	program *program
	client  *webDriver
	tests   bool
	page    *Page
	closing chan struct{}
	watched chan struct{}
}

// watch reports the end of the browser to page.
func (t *webkitTab) watch(page *Page) {
	t.page, t.closing, t.watched = page, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(t.watched)
		select {
		case <-t.closing:
		case <-t.program.exited:
			page.crashed("the browser closed the page")
			page.cancel()
		}
	}()
}

// webkitConsole records the console in the page, because WebDriver does not report it.
const webkitConsole = `
	if (globalThis.webkitSaid === undefined) {
		globalThis.webkitSaid = [];
		for (const level of ["debug", "log", "info", "warn", "error"]) {
			const write = console[level].bind(console);
			console[level] = (...values) => {
				webkitSaid.push([level, values.map(String).join(" ")]);
				write(...values);
			};
		}
		addEventListener("error", (event) => webkitSaid.push(["exception", event.message]));
		addEventListener("unhandledrejection", (event) => webkitSaid.push(["exception", String(event.reason)]));
	}
	return JSON.stringify(webkitSaid.splice(0));`

// listen adds the messages of the page to its console.
func (t *webkitTab) listen(ctx context.Context) error {
	if t.tests { // their reports have their own path
		return nil
	}
	text, err := t.execute(ctx, webkitConsole)
	if err != nil {
		return err
	}
	var said [][2]string
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		return err
	}
	for _, entry := range said {
		t.page.console.add(entry[0], entry[1])
	}
	return nil
}

func (t *webkitTab) navigate(ctx context.Context, url string) error {
	if err := t.client.call(ctx, "POST", "url", map[string]any{"url": url}, nil); err != nil {
		return err
	}
	return t.listen(ctx)
}

func (t *webkitTab) execute(ctx context.Context, script string) (string, error) {
	var value string
	err := t.client.call(ctx, "POST", "execute/sync", map[string]any{"script": script, "args": []any{}}, &value)
	return value, err
}

func (t *webkitTab) evaluate(ctx context.Context, expression string) (string, error) {
	value, err := t.execute(ctx, "return ("+expression+");")
	if err != nil {
		return "", err
	}
	return value, t.listen(ctx)
}

func (t *webkitTab) click(ctx context.Context, x, y float64) error {
	return t.perform(ctx, pointerActions(x, y))
}

func (t *webkitTab) press(ctx context.Context, text string) error {
	return t.perform(ctx, keyActions(text))
}

func (t *webkitTab) perform(ctx context.Context, actions []any) error {
	return t.client.call(ctx, "POST", "actions", map[string]any{"actions": actions}, nil)
}

func (t *webkitTab) screenshot(ctx context.Context) ([]byte, error) {
	// The picture is of the last frame, which may be older than the page.
	const drawn = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done));"
	if err := t.client.call(ctx, "POST", "execute/async", map[string]any{"script": drawn, "args": []any{}}, nil); err != nil {
		return nil, err
	}
	var picture string
	if err := t.client.call(ctx, "GET", "screenshot", nil, &picture); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(picture)
}

func (t *webkitTab) close(ctx context.Context) error {
	t.w.mu.Lock()
	was := t.w.opened[t]
	delete(t.w.opened, t)
	t.w.mu.Unlock()
	if !was {
		return nil
	}
	if t.closing != nil {
		close(t.closing)
		<-t.watched
	}
	err := t.client.call(ctx, "DELETE", "", nil, nil)
	t.client.close()
	t.program.end()
	return err
}

// program is a program that runs in parallel with the tests, in its own process group.
type program struct {
	cmd    *exec.Cmd
	output *tail
	exited chan struct{}
}

func startProgram(cmd *exec.Cmd) (*program, error) {
	p := &program{cmd: cmd, output: &tail{limit: 16 << 10}, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	cmd.WaitDelay = 2 * time.Second // its child processes may still hold its output
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// end kills the program and its child processes, and waits for its end.
func (p *program) end() {
	killGroup(p.cmd)
	<-p.exited
}
