//go:build !js

package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Engine names a program that runs JavaScript: a browser, or a runtime without pages.
type Engine string

// The engines that tests run in.
const (
	Chromium Engine = "chromium"
	Firefox  Engine = "firefox"
	WebKit   Engine = "webkit"
	Node     Engine = "node"
	Deno     Engine = "deno"
	Bun      Engine = "bun"
)

// Engines returns every engine, browsers first. The caller owns the slice.
func Engines() []Engine { return []Engine{Chromium, Firefox, WebKit, Node, Deno, Bun} }

// HasPages reports whether e is a browser. A runtime has no pages: a test binary runs in a
// process of its own there.
func (e Engine) HasPages() bool { return e == Chromium || e == Firefox || e == WebKit }

// Label returns the name of e as its makers write it.
func (e Engine) Label() string {
	switch e {
	case WebKit:
		return "WebKit"
	case "":
		return "no engine"
	}
	return strings.ToUpper(string(e[:1])) + string(e[1:])
}

// Find returns the path of the program that tests use as e, or an error of one line that says
// what to do. It installs nothing.
//
// The order is that of scripts/engine.sh, which Find runs, so the working directory must be
// in this module, or in one that uses it.
func (e Engine) Find(ctx context.Context) (string, error) {
	paths, err := e.programs(ctx)
	if err != nil {
		return "", err
	}
	return paths[0], nil
}

// programs returns the path that Find returns and, for WebKit, those of the other programs that
// it needs.
func (e Engine) programs(ctx context.Context) ([]string, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	script := filepath.Join(root, "scripts", "engine.sh")
	out, err := find(exec.CommandContext(ctx, "sh", script, "--no-install", string(e)))
	return strings.Split(out, "\n"), err
}

// Version returns the version of e as its program prints it, without the program's name.
func (e Engine) Version(ctx context.Context) (string, error) {
	paths, err := e.programs(ctx)
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, paths[0], "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", paths[0], err)
	}
	return version(string(out)), nil
}

// version returns the first word of a program's answer to --version that begins with a
// number, without the v before it.
func version(said string) string {
	for word := range strings.FieldsSeq(said) {
		if word = strings.TrimPrefix(word, "v"); word != "" && '0' <= word[0] && word[0] <= '9' {
			return word
		}
	}
	return "of an unknown version"
}

// recordRun adds e to the file that the environment variable ISOSOCKET_ENGINES names, if
// there is one. Make names the engines there when all tests have ended.
func recordRun(e Engine, version string) error {
	path := os.Getenv("ISOSOCKET_ENGINES")
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = fmt.Fprintf(file, "%s %s\n", e, version)
	return err
}
