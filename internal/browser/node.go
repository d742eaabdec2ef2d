//go:build !js

package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Node is a Node.js that has a WebSocket.
type Node struct {
	Path    string   // of the executable
	Version string   // as node --version prints it
	Flags   []string // what it must be started with to have a global WebSocket
}

// FindNode returns the first node in $PATH, if it is new enough to have a WebSocket: version 20.10 or 21 with a flag, 22 and later without.
// Tests that run in Node where there is one, and are content where there is none, ask it first and skip with the error.
func FindNode(ctx context.Context) (*Node, error) {
	path, err := exec.LookPath("node")
	if err != nil {
		return nil, fmt.Errorf("no Node.js: %w", err)
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", path, err)
	}
	version := strings.TrimSpace(string(out))
	flags, err := webSocketFlags(version)
	if err != nil {
		return nil, err
	}
	return &Node{Path: path, Version: version, Flags: flags}, nil
}

func webSocketFlags(version string) ([]string, error) {
	var major, minor int
	if _, err := fmt.Sscanf(version, "v%d.%d", &major, &minor); err != nil {
		return nil, fmt.Errorf("node --version printed %q, which is no version like v22.1.0", version)
	}
	switch {
	case major >= 22:
		return nil, nil
	case major == 21 || major == 20 && minor >= 10:
		return []string{"--experimental-websocket"}, nil
	}
	return nil, fmt.Errorf("node %s has no WebSocket; 20.10 or newer has", version)
}

func (test WasmTest) startNode(ctx context.Context, to *reports) (func() string, error) {
	node, err := FindNode(ctx)
	if err != nil {
		return nil, err
	}
	goroot, err := goCommand(ctx, nil, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	binary, err := filepath.Abs(test.Binary)
	if err != nil {
		return nil, err
	}

	ctx, cancel := context.WithCancel(ctx)
	// Go's own script for Node; the stack size is the one Go's own tests need.
	args := append([]string{"--stack-size=8192"}, node.Flags...)
	args = append(args, filepath.Join(goroot, "lib", "wasm", "wasm_exec_node.js"), binary)
	cmd := exec.CommandContext(ctx, node.Path, append(args, test.arguments(ctx)...)...)
	cmd.Dir = test.Dir
	for name, value := range test.environment(map[string]string{"PATH": os.Getenv("PATH"), "HOME": os.TempDir(), "TMPDIR": os.TempDir()}) {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.WaitDelay = 5 * time.Second
	reader, writer := io.Pipe()
	cmd.Stdout, cmd.Stderr = writer, writer // one writer: exec keeps the order of the two
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}

	done := make(chan struct{})
	go func() {
		buf := make([]byte, 32<<10)
		for {
			n, err := reader.Read(buf)
			if n > 0 {
				to.add(report{Type: reportOutput, Text: string(buf[:n])})
			}
			if err != nil {
				break
			}
		}
		close(done)
	}()
	exited := make(chan struct{})
	go func() {
		err := cmd.Wait()
		writer.Close()
		<-done
		var status *exec.ExitError
		switch {
		case err == nil:
			to.add(report{Type: reportExit})
		case errors.As(err, &status) && status.Exited():
			to.add(report{Type: reportExit, Code: status.ExitCode()})
		default:
			to.add(report{Type: reportError, Text: "node: " + err.Error()})
		}
		close(exited)
	}()
	return func() string {
		cancel()
		<-exited
		return ""
	}, nil
}
