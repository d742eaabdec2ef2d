package browser

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

//go:embed page.html
var pageHTML []byte

//go:embed wasm.js
var wasmJS []byte

//go:embed plain.js
var plainJS []byte

// patience bounds the time from the start of a browser to its result.
const patience = 60 * time.Second

// Browser is an installed browser.
type Browser struct {
	engine   string
	programs []string // the paths that the repository's script prints
}

// Engines are the names of the browsers that [Find] knows.
func Engines() []string { return []string{"chromium", "firefox", "webkit"} }

// Find returns the browser that the repository's script finds for an element of [Engines].
func Find(engine string) (*Browser, error) {
	if !slices.Contains(Engines(), engine) {
		return nil, fmt.Errorf("no browser %q; there are %s", engine, strings.Join(Engines(), ", "))
	}
	dir, err := moduleDir()
	if err != nil {
		return nil, err
	}
	script := exec.Command("sh", filepath.Join(dir, "..", "scripts", "engine.sh"), "--no-install", engine)
	var advice bytes.Buffer
	script.Stderr = &advice
	out, err := script.Output()
	if err != nil {
		return nil, fmt.Errorf("no %s: %s", engine, strings.TrimSpace(advice.String()))
	}
	b := &Browser{engine: engine, programs: strings.Split(strings.TrimSpace(string(out)), "\n")}
	if engine == "webkit" && len(b.programs) != 3 {
		return nil, fmt.Errorf("scripts/engine.sh named %q, want the paths of a driver, a browser and an Xvfb", b.programs)
	}
	return b, nil
}

// Job describes the load of a client.
type Job struct {
	URL      string        // of the neutral server
	Size     int           // bytes of data in a message
	Depth    int           // messages in flight
	Burst    bool          // send Depth messages, then receive as many; else send one for each received
	Warmup   time.Duration // before the measurement
	Duration time.Duration // of the measurement
}

func (j *Job) args() []string {
	burst := "0"
	if j.Burst {
		burst = "1"
	}
	return []string{j.URL, fmt.Sprint(j.Size), fmt.Sprint(j.Depth), burst,
		fmt.Sprint(j.Warmup.Milliseconds()), fmt.Sprint(j.Duration.Milliseconds())}
}

// result is the body that the page posts.
type result struct {
	Messages     float64
	Milliseconds float64
	Error        string
}

// Run starts b with a page in which a client does j, and returns how many messages it received a
// second. wasm is the client's program; nil selects plain JavaScript.
func Run(b *Browser, wasm []byte, j *Job) (perSecond float64, err error) {
	wasmExec, err := os.ReadFile(filepath.Join(goRoot(), "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return 0, err
	}
	client := plainJS
	if wasm != nil {
		client = wasmJS
	}
	args, err := json.Marshal(j.args())
	if err != nil {
		return 0, err
	}
	results := make(chan result, 1)
	var last atomic.Value // the last path that the page requested
	last.Store("nothing")
	mux := http.NewServeMux()
	serve := func(path, kind string, body []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			last.Store(r.URL.Path)
			w.Header().Set("Content-Type", kind)
			w.Write(body)
		})
	}
	serve("/{$}", "text/html", pageHTML)
	serve("/client.js", "text/javascript", client)
	serve("/wasm_exec.js", "text/javascript", wasmExec)
	serve("/client.wasm", "application/wasm", wasm)
	serve("/args", "application/json", args)
	mux.HandleFunc("POST /result", func(_ http.ResponseWriter, r *http.Request) {
		var got result
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			got.Error = err.Error()
		}
		select {
		case results <- got:
		default:
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: patience}
	go server.Serve(l)
	defer server.Close()

	stop, err := b.start("http://" + l.Addr().String() + "/")
	if err != nil {
		return 0, err
	}
	defer stop()
	select {
	case got := <-results:
		if got.Error != "" {
			return 0, errors.New(got.Error)
		}
		if got.Messages == 0 || got.Milliseconds == 0 {
			return 0, errors.New("the page measured nothing")
		}
		return got.Messages / got.Milliseconds * 1000, nil
	case <-time.After(patience):
		return 0, fmt.Errorf("no result from the browser within %v; its last request was %s", patience, last.Load())
	}
}

// start starts the browser with a new profile on url. stop ends the browser and all its processes.
func (b *Browser) start(url string) (stop func(), err error) {
	profile, err := os.MkdirTemp("", "bench-browser-")
	if err != nil {
		return nil, err
	}
	var running []*exec.Cmd
	stop = func() {
		for _, cmd := range slices.Backward(running) {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			cmd.Wait()
		}
		os.RemoveAll(profile)
	}
	run := func(cmd *exec.Cmd) error {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			return err
		}
		running = append(running, cmd)
		return nil
	}
	switch b.engine {
	case "firefox":
		if err = os.WriteFile(filepath.Join(profile, "user.js"), []byte(firefoxPreferences), 0o600); err == nil {
			err = run(b.firefox(profile, url))
		}
	case "webkit":
		var display string
		if display, err = startDisplay(b.programs[2], run); err == nil {
			err = run(b.webkit(profile, display, url))
		}
	default:
		err = run(b.chromium(profile, url))
	}
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

func (b *Browser) chromium(profile, url string) *exec.Cmd {
	args := []string{"--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
		"--disable-background-timer-throttling", "--disable-renderer-backgrounding",
		"--user-data-dir=" + profile}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox")
	}
	return exec.Command(b.programs[0], append(args, url)...)
}

// firefoxPreferences keep Firefox from opening pages of its own and from ending long scripts.
const firefoxPreferences = `user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.normandy.enabled", false);
user_pref("app.update.disabledForTesting", true);
user_pref("dom.max_script_run_time", 0);
`

func (b *Browser) firefox(profile, url string) *exec.Cmd {
	cmd := exec.Command(b.programs[0], "--headless", "--no-remote", "--profile", profile, url)
	cmd.Env = append(os.Environ(), "MOZ_CRASHREPORTER_DISABLE=1", "HOME="+profile)
	return cmd
}

func (b *Browser) webkit(profile, display, url string) *exec.Cmd {
	cmd := exec.Command(b.programs[1], url)
	cmd.Env = append(os.Environ(), "DISPLAY="+display, "GDK_BACKEND=x11", "HOME="+profile, "XDG_CONFIG_HOME="+profile, "XDG_DATA_HOME="+profile,
		"XDG_CACHE_HOME="+profile, "LIBGL_ALWAYS_SOFTWARE=1", "NO_AT_BRIDGE=1")
	return cmd
}

// startDisplay starts an Xvfb with run, and returns the name of its display.
func startDisplay(xvfb string, run func(*exec.Cmd) error) (string, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer reader.Close()
	cmd := exec.Command(xvfb, "-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp")
	cmd.ExtraFiles = []*os.File{writer}
	err = run(cmd)
	writer.Close()
	if err != nil {
		return "", err
	}
	if err := reader.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	number, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("no display named by Xvfb: %w", err)
	}
	return ":" + strings.TrimSpace(number), nil
}
