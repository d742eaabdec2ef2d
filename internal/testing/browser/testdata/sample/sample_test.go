//go:build js

// Package sample is what the harness's own tests run in a browser: tests that end in every
// way a test can.
package sample

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall/js"
	"testing"
	"time"

	"github.com/isosocket/isosocket/internal/testing/leak"
)

func TestMain(m *testing.M) {
	if os.Getenv("SAMPLE_END") == "before any test" {
		os.Exit(0)
	}
	leak.Main(m)
}

func TestPass(t *testing.T) { t.Log("hello from the browser") }

func TestSkip(t *testing.T) { t.Skip("not today") }

func TestGroup(t *testing.T) {
	t.Run("one", func(t *testing.T) { fmt.Print("no newline at the end") })
	t.Run("with space", func(t *testing.T) {})
	t.Run("a/b", func(t *testing.T) { t.Run("c", func(t *testing.T) {}) })
	t.Run("", func(t *testing.T) {})
}

func TestParallel(t *testing.T) {
	for _, name := range []string{"x", "y", "z"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			time.Sleep(time.Millisecond)
			t.Log("log of", name)
		})
	}
}

func TestUnicode(t *testing.T) {
	os.Stdout.Write([]byte("h\xc3"))
	os.Stdout.Write([]byte("\xa9 \xf0\x9f"))
	os.Stdout.Write([]byte("\x8c\x8d\n"))
}

func TestArgsAndEnv(t *testing.T) {
	if got := os.Getenv("SAMPLE_VALUE"); got != "a=b c\n✓" {
		t.Errorf("SAMPLE_VALUE is %q", got)
	}
	if flag.Lookup("test.timeout").Value.String() == "0s" {
		t.Error("no -test.timeout was given")
	}
	if !testing.Verbose() {
		t.Error("not verbose")
	}
}

func TestPlace(t *testing.T) {
	place := "page"
	switch {
	case js.Global().Get("Deno").Truthy():
		place = "deno"
	case js.Global().Get("Bun").Truthy():
		place = "bun"
	case js.Global().Get("SharedWorkerGlobalScope").Truthy():
		place = "shared worker"
	case js.Global().Get("ServiceWorkerGlobalScope").Truthy():
		place = "service worker"
	case js.Global().Get("WorkerGlobalScope").Truthy():
		place = "worker"
	case js.Global().Get("document").IsUndefined():
		place = "node"
	}
	t.Logf("place=%s websocket=%t", place, js.Global().Get("WebSocket").Truthy())
	js.Global().Get("console").Call("warn", "a warning of the "+place)
}

func TestFiles(t *testing.T) {
	golden, err := os.ReadFile("testdata/golden.txt")
	if err != nil || string(golden) != "what the test expects\n" {
		t.Errorf("ReadFile gave %q, %v", golden, err)
	}

	dir := t.TempDir()
	path := filepath.Join(dir, "new")
	if err := os.WriteFile(path, []byte("12345"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "678")
	buf := make([]byte, 3)
	if _, err := f.ReadAt(buf, 4); err != nil || string(buf) != "567" {
		t.Errorf("ReadAt gave %q, %v", buf, err)
	}
	f.Close()
	if err := os.Rename(path, path+"er"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("Stat of a renamed file gave %v, want that it does not exist", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "a/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 || !entries[0].IsDir() || entries[1].Name() != "newer" {
		t.Errorf("ReadDir gave %v, %v", entries, err)
	}
}

func FuzzSeeds(f *testing.F) {
	f.Add("seed")
	f.Fuzz(func(t *testing.T, s string) {
		if !strings.Contains(s, "s") {
			t.Errorf("unexpected seed %q", s)
		}
	})
}

func Example() {
	fmt.Println("captured")
	// Output: captured
}

// The tests below run only when they are asked for.

func wanted(t *testing.T, end string) {
	if os.Getenv("SAMPLE_END") != end {
		t.Skip("runs only when asked for")
	}
}

func TestEndFailing(t *testing.T) {
	wanted(t, "failing")
	t.Run("good", func(t *testing.T) {})
	t.Run("bad", func(t *testing.T) { t.Error("the sum is wrong") })
	t.Run("bad too", func(t *testing.T) { t.Fatal("the product is wrong") })
}

func TestEndPanicking(t *testing.T) {
	wanted(t, "panicking")
	t.Run("inner", func(t *testing.T) { panic("out of cheese") })
}

func TestEndExiting(t *testing.T) {
	wanted(t, "exiting")
	os.Exit(0)
}

func TestEndHanging(t *testing.T) {
	wanted(t, "hanging")
	t.Run("inner", func(t *testing.T) { select {} })
}

func TestEndThrowing(t *testing.T) {
	wanted(t, "throwing")
	js.Global().Get("Promise").Call("reject", "this is not caught")
	time.Sleep(time.Hour)
}

func TestEndLeaking(t *testing.T) {
	wanted(t, "leaking")
	go func() { select {} }()
	js.FuncOf(func(js.Value, []js.Value) any { return nil })
}

func TestEndBusy(t *testing.T) {
	wanted(t, "busy")
	for i := 0; ; i++ {
		_ = i
	}
}
