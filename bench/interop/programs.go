package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// program is a peer in a process of its own. The arguments of each role end with those of the protocol:
// "server", after which it writes its port, or "client URL COUNT".
type program struct {
	name, version  string
	server, client []string // nil: it has no such role
	env            []string
}

// programs returns the peers that can run here: engine gives the path of an engine or a program, "" if
// there is none, and modules is the folder with node_modules.
func programs(folder, modules string, engine func(name string) string) (all []program, missing []string) {
	add := func(p program, needs ...string) {
		for _, need := range needs {
			if _, err := os.Stat(need); need == "" || err != nil {
				missing = append(missing, p.name)
				return
			}
		}
		all = append(all, p)
	}
	file := func(name string) string { return filepath.Join(folder, name) }
	module := func(name string) string { return filepath.Join(modules, "node_modules", name, "package.json") }
	node, deno, bun, python := engine("node"), engine("deno"), engine("bun"), "/usr/bin/python3"
	paths := []string{"NODE_PATH=" + filepath.Join(modules, "node_modules")}
	add(program{"ws", packageVersion(module("ws")), []string{node, file("ws.cjs")}, []string{node, file("ws.cjs")}, paths}, node, module("ws"))
	add(program{"faye-websocket", packageVersion(module("faye-websocket")), []string{node, file("faye.cjs")}, []string{node, file("faye.cjs")}, paths}, node, module("faye-websocket"))
	// ES modules are looked for beside the file.
	add(program{"undici", packageVersion(module("undici")), nil, []string{node, filepath.Join(modules, "standard.mjs")}, []string{"UNDICI=1"}}, node, module("undici"))
	add(program{"Node.js", version(node, "--version"), nil, []string{node, file("standard.mjs")}, nil}, node)
	add(program{"Deno", version(deno, "--version"), []string{deno, "run", "--allow-net", file("deno.mjs")}, []string{deno, "run", "--allow-net", "--allow-env", file("standard.mjs")}, nil}, deno)
	add(program{"Bun", version(bun, "--version"), []string{bun, file("bun.mjs")}, []string{bun, file("standard.mjs")}, nil}, bun)
	library := version(python, "-c", "import websockets; print(websockets.__version__)")
	if library == "" {
		python = ""
	}
	add(program{"websockets", library, []string{python, file("websockets_echo.py")}, []string{python, file("websockets_echo.py")}, nil}, python)
	return all, missing
}

// version returns the first line that a program writes, "" if it fails.
func version(name string, arguments ...string) string {
	if name == "" {
		return ""
	}
	out, err := exec.Command(name, arguments...).Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	line = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "v"), "deno ")
	line, _, _ = strings.Cut(line, " ")
	return line
}

func packageVersion(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text), `"version": "`)
	v, _, _ := strings.Cut(rest, `"`)
	return v
}

func (p program) command(ctx context.Context, arguments []string, more ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, arguments[0], append(arguments[1:len(arguments):len(arguments)], more...)...)
	cmd.Env = append(os.Environ(), p.env...)
	return cmd
}

func (p program) startServer(ctx context.Context) (url string, stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := p.command(ctx, p.server, "server")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return "", nil, err
	}
	stop = func() {
		cancel()
		cmd.Wait()
	}
	// The port, alone or at the end of a line of greetings.
	kill := time.AfterFunc(patience, cancel)
	defer kill.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if port, err := strconv.Atoi(strings.TrimSpace(lines.Text())); err == nil {
			return fmt.Sprintf("ws://127.0.0.1:%d", port), stop, nil
		}
	}
	stop()
	return "", nil, fmt.Errorf("%s wrote no port: %s", p.name, errs.String())
}

func (p program) runClient(ctx context.Context, url string, count int) error {
	out, err := p.command(ctx, p.client, "client", url, strconv.Itoa(count)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %.300s", err, out)
	}
	if len(out) > 0 {
		return fmt.Errorf("%.300s", out)
	}
	return nil
}
