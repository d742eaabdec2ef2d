package browser

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

var (
	goRoot = sync.OnceValue(func() string {
		out, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	})
	moduleDir = sync.OnceValues(func() (string, error) {
		out, err := exec.Command("go", "env", "GOMOD").Output()
		file := strings.TrimSpace(string(out))
		if err != nil || filepath.Base(file) != "go.mod" {
			return "", errors.New("the browser rows build programs: run bench in the directory of its module")
		}
		return filepath.Dir(file), nil
	})
)

// Build compiles a package of this module, such as "./wasm/size/empty", for a
// browser, without symbols.
func Build(pkg string) ([]byte, error) {
	dir, err := moduleDir()
	if err != nil {
		return nil, err
	}
	out, err := os.CreateTemp("", "bench-*.wasm")
	if err != nil {
		return nil, err
	}
	defer os.Remove(out.Name())
	out.Close()
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out.Name(), pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if message, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building %s: %w\n%s", pkg, err, message)
	}
	return os.ReadFile(out.Name())
}

// Gzipped returns the size of b after gzip -9.
func Gzipped(b []byte) (int, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return 0, err
	}
	if _, err := w.Write(b); err != nil {
		return 0, err
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	return out.Len(), nil
}
