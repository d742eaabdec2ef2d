//go:build !js

package browser

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// command returns the command line with which a runtime runs script, which is Go's own script
// for Node, with args.
func (e Engine) command(path, script string, args []string) []string {
	switch e {
	case Node:
		return append([]string{path, "--stack-size=8192", script}, args...) // Go's own tests use this stack size
	case Deno:
		return append([]string{path, "run", "--allow-all", "--quiet", "--no-config", "--no-lock", script}, args...)
	}
	return append([]string{path, script}, args...)
}

// nodeScript returns the path of Go's script for Node. Deno treats a script that calls require
// as an ECMAScript module unless its name ends in .cjs, so nodeScript makes copies for it in
// dir.
func (e Engine) nodeScript(ctx context.Context, dir string) (string, error) {
	goroot, err := goCommand(ctx, nil, "env", "GOROOT")
	if err != nil {
		return "", err
	}
	scripts := filepath.Join(goroot, "lib", "wasm")
	if e != Deno {
		return filepath.Join(scripts, "wasm_exec_node.js"), nil
	}
	for from, to := range map[string]string{"wasm_exec_node.js": "wasm_exec_node.cjs", "wasm_exec.js": "wasm_exec.cjs"} {
		text, err := os.ReadFile(filepath.Join(scripts, from))
		if err == nil {
			text = []byte(strings.ReplaceAll(string(text), `require("./wasm_exec")`, `require("./wasm_exec.cjs")`))
			err = os.WriteFile(filepath.Join(dir, to), text, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "wasm_exec_node.cjs"), nil
}

// startRuntime runs the binary in a process of its own.
func (test WasmTest) startRuntime(ctx context.Context, to *reports) (_ func() string, err error) {
	engine := test.Where.runtime()
	path, err := engine.Find(ctx)
	if err != nil {
		return nil, err
	}
	version, err := engine.Version(ctx)
	if err != nil {
		return nil, err
	}
	binary, err := filepath.Abs(test.Binary)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "runtime-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	script, err := engine.nodeScript(ctx, dir)
	if err != nil {
		return nil, err
	}

	ctx, cancel := context.WithCancel(ctx)
	args := engine.command(path, script, append([]string{binary}, test.arguments(ctx, coverageDir())...))
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = test.Dir
	// Runtimes store compiled code and the time of their update checks in DENO_DIR and HOME.
	env := map[string]string{"PATH": os.Getenv("PATH"), "HOME": dir, "TMPDIR": os.TempDir(), "DENO_DIR": dir, "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
	for name, value := range test.environment(env) {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.WaitDelay = 5 * time.Second
	reader, writer := io.Pipe()
	cmd.Stdout, cmd.Stderr = writer, writer // one writer: exec keeps the order of the two
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	if err := recordRun(engine, version); err != nil {
		to.add(report{Type: reportError, Text: err.Error()})
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
			to.add(report{Type: reportError, Text: string(engine) + ": " + err.Error()})
		}
		close(exited)
	}()
	return func() string {
		cancel()
		<-exited
		os.RemoveAll(dir)
		return ""
	}, nil
}
