package chromium

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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

// Find returns the path of the Chromium that the repository's script finds.
func Find() (string, error) {
	dir, err := moduleDir()
	if err != nil {
		return "", err
	}
	script := exec.Command("sh", filepath.Join(dir, "..", "scripts", "chromium.sh"), "--no-install")
	var advice bytes.Buffer
	script.Stderr = &advice
	out, err := script.Output()
	if err != nil {
		return "", fmt.Errorf("no Chromium: %s", strings.TrimSpace(advice.String()))
	}
	return strings.TrimSpace(string(out)), nil
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

// Run starts a browser in which a client does j, and returns how many messages it received a
// second. wasm is the client's program; nil selects plain JavaScript.
func Run(browser string, wasm []byte, j *Job) (perSecond float64, err error) {
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

	stop, err := start(browser, "http://"+l.Addr().String()+"/")
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

// start starts a browser with a new profile on url. stop ends the browser and all its processes.
func start(path, url string) (stop func(), err error) {
	profile, err := os.MkdirTemp("", "bench-chromium-")
	if err != nil {
		return nil, err
	}
	args := []string{"--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
		"--disable-background-timer-throttling", "--disable-renderer-backgrounding",
		"--user-data-dir=" + profile}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox")
	}
	cmd := exec.Command(path, append(args, url)...)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		os.RemoveAll(profile)
		return nil, err
	}
	return func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		os.RemoveAll(profile)
	}, nil
}
