//go:build !js

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience bounds each wait for an expected event. It is long enough for busy machines.
const patience = 30 * time.Second

// buildDemo builds the wasm client and the server that contains it with make, once for each run
// of the tests.
var buildDemo = sync.OnceValues(func() (server string, err error) {
	build := exec.Command("make", "--no-print-directory", "-C", "..", "build")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make build: %w\n%s", err, output)
	}
	return filepath.Abs("../bin/isosocket")
})

// buildProgram compiles a main package of this module, with further flags of go build.
func buildProgram(t *testing.T, pkg string, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	args := append(append([]string{"build", "-buildvcs=false", "-o", path}, flags...), pkg)
	if output, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, output)
	}
	return path
}

// process is a program that runs in parallel with the test, and its output.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	exited chan struct{} // closed once it has ended

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced for each new line
}

// start runs a program until the test ends. If the test has failed, start then prints the
// output.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(name, args...), exited: make(chan struct{}), more: make(chan struct{})}
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	// One pipe for both keeps the order of the lines. This copy is closed after the program has
	// started.
	output, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = write, write
	err = p.cmd.Start()
	_ = write.Close()
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		p.read(output)
	}()
	go func() {
		defer close(p.exited)
		<-read
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
		_ = output.Close()
		if t.Failed() {
			t.Logf("%s %s wrote:\n%s", filepath.Base(name), strings.Join(args, " "), strings.Join(p.lines, "\n"))
		}
	})
	return p
}

func (p *process) read(output io.Reader) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, lines.Text())
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
}

// expect waits until a line of the whole output contains words, and returns the line.
func (p *process) expect(words string) string {
	p.t.Helper()
	late := time.After(patience)
	for seen := 0; ; {
		p.mu.Lock()
		lines, more := p.lines, p.more
		p.mu.Unlock()
		for ; seen < len(lines); seen++ {
			if strings.Contains(lines[seen], words) {
				return lines[seen]
			}
		}
		select {
		case <-more:
		case <-p.exited:
			if p.mu.Lock(); len(p.lines) == seen {
				p.mu.Unlock()
				p.t.Fatalf("%s ended without writing %q", p.cmd, words)
			}
			p.mu.Unlock()
		case <-late:
			p.t.Fatalf("%s did not write %q within %v", p.cmd, words, patience)
		}
	}
}

// typeLine writes a line to the program's input.
func (p *process) typeLine(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.t.Fatalf("typing %q: %v", line, err)
	}
}

// ends waits for the end of the program and fails unless it has the exit status.
func (p *process) ends(status int) {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("%s did not end within %v", p.cmd, patience)
	}
	if got := p.cmd.ProcessState.ExitCode(); got != status {
		p.t.Errorf("%s ended with %v, want the exit status %d", p.cmd, p.cmd.ProcessState, status)
	}
}

// interrupt sends the signal of Ctrl-C.
func (p *process) interrupt() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends the program without a chance to clean up.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.exited
}

// demoServer is isosocket serve.
type demoServer struct {
	*process
	host string // HOST:PORT
}

var servedPage = regexp.MustCompile(`http://([^/]+)/`)

// serveDemo runs isosocket serve at addr, with further flags.
func serveDemo(t *testing.T, addr string, flags ...string) *demoServer {
	t.Helper()
	program, err := buildDemo()
	if err != nil {
		t.Fatal(err)
	}
	s := &demoServer{process: start(t, program, append([]string{"serve", "-addr", addr}, flags...)...)}
	s.host = servedPage.FindStringSubmatch(s.expect("page  http://"))[1]
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

func (s *demoServer) page() string { return "http://" + s.host + "/" }
func (s *demoServer) chat() string { return "ws://" + s.host + "/ws" }

// buildWithoutClient compiles cmd/isosocket with an empty folder dist, as without make build.
func buildWithoutClient(t *testing.T) string {
	t.Helper()
	replace := map[string]string{}
	for _, name := range []string{"client.wasm.br", "client.wasm.gz", "wasm_exec.js"} {
		path, err := filepath.Abs(filepath.Join("../cmd/isosocket/dist", name))
		if err != nil {
			t.Fatal(err)
		}
		replace[path] = "" // as if it did not exist
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(path, overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	return buildProgram(t, "../cmd/isosocket", "-overlay", path)
}
