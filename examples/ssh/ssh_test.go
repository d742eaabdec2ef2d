//go:build !js

package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/internal/testing/browser"
)

// TestShellInAPage opens the page in Chromium, signs in, and types commands.
func TestShellInAPage(t *testing.T) {
	web := t.TempDir()
	if err := os.CopyFS(web, os.DirFS("web")); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(web, "client.wasm"), ".")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	glue, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib/wasm/wasm_exec.js"))
	if err == nil {
		err = os.WriteFile(filepath.Join(web, "wasm_exec.js"), glue, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	const password = "open sesame"
	config, err := newConfig(password)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(newHandler(config, web))
	defer s.Close()

	page := browser.Start(t).NewPage(t)
	ctx, cancel := context.WithTimeout(page.Context(), time.Minute)
	defer cancel()
	if err := page.Navigate(ctx, s.URL); err != nil {
		t.Fatal(err)
	}
	waits := func(expression string) {
		t.Helper()
		for is := false; !is; time.Sleep(20 * time.Millisecond) {
			if err := page.Evaluate(ctx, expression, &is); err != nil {
				var shown string
				page.Evaluate(page.Context(), "document.body.innerText", &shown)
				t.Fatalf("%s: %v; the page shows %q", expression, err, shown)
			}
		}
	}
	signIn := func(password string) {
		t.Helper()
		waits(`!document.getElementById("form").hidden`)
		if err := page.Evaluate(ctx, fmt.Sprintf(`document.getElementById("password").value = %q`, password), new(string)); err != nil {
			t.Fatal(err)
		}
		if err := page.Click(ctx, "button"); err != nil {
			t.Fatal(err)
		}
	}
	press := func(keys string) {
		t.Helper()
		if err := page.Press(ctx, keys); err != nil {
			t.Fatal(err)
		}
	}
	const screen = `document.getElementById("screen").textContent`
	signIn("wrong")
	waits(`document.getElementById("status").textContent.includes("unable to authenticate")`)
	signIn(password)
	waits(`document.getElementById("status").textContent === "connected"`)
	waits(screen + `.endsWith("$ ")`)
	press("echo helloo\b over a WebSocket\n")
	waits(screen + `.endsWith("\nhello over a WebSocket\n$ ")`)
	press("whoami\n")
	waits(screen + `.endsWith("\ngopher\n$ ")`)
	if shot := os.Getenv("SSH_SCREENSHOT"); shot != "" {
		image, err := page.Screenshot(ctx)
		if err == nil {
			err = os.WriteFile(shot, image, 0o644)
		}
		if err != nil {
			t.Error(err)
		}
	}
	press("exit\n")
	waits(`document.getElementById("status").textContent === "The session has ended."`)
}
