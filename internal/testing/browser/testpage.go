//go:build !js

package browser

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"
	"time"
)

//go:embed assets
var assets embed.FS

// binding is the function that assets/page.js calls to report to this side, if the engine has
// one.
const binding = "reportToGo"

// pageConfig is config.json: the configuration of the page.
type pageConfig struct {
	Argv  []string          `json:"argv"`
	Env   map[string]string `json:"env"`
	Where string            `json:"where"` // an element of places
	Files map[string][]byte `json:"files"` // absolute path to contents, base64 on the wire
	Keep  string            `json:"keep"`  // a directory whose files are reported at the end, or ""
}

func (test WasmTest) startPage(ctx context.Context, b *Browser, to *reports) (func() string, error) {
	var pages atomic.Pointer[Page]
	handler, err := test.handler(ctx, func(text string) { pages.Load().reported(text) })
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(listener) // ends with ErrServerClosed; a page that cannot load reports it
	}()
	closeServer := func() {
		server.Close()
		<-served
	}

	page, err := b.open(ctx, to.add)
	if err != nil {
		closeServer()
		return nil, err
	}
	pages.Store(page)
	// The browser itself may end.
	gone := context.AfterFunc(page.ctx, func() {
		to.add(report{Type: reportError, Text: "the browser closed the page"})
	})
	stop := func() string {
		gone()
		page.close()
		closeServer()
		return page.Console()
	}
	if err := page.Navigate(ctx, "http://"+listener.Addr().String()+"/"); err != nil {
		stop()
		return nil, errors.Join(err, ctx.Err())
	}
	return stop, nil
}

// handler serves the page, its scripts, the binary and its configuration, and receives the
// reports of the page.
func (test WasmTest) handler(ctx context.Context, reported func(text string)) (http.Handler, error) {
	files, err := testdata(test.Dir)
	if err != nil {
		return nil, err
	}
	keep := ""
	if coverageDir() != "" {
		keep = "/coverage"
	}
	config, err := json.Marshal(pageConfig{
		Argv:  append([]string{filepath.Base(test.Binary)}, test.arguments(ctx, keep)...),
		Keep:  keep,
		Env:   test.environment(map[string]string{"HOME": "/", "PWD": "/src", "TMPDIR": "/tmp"}),
		Where: test.Where.String(),
		Files: files,
	})
	if err != nil {
		return nil, err
	}
	goroot, err := goCommand(ctx, nil, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	wasmExec, err := os.ReadFile(filepath.Join(goroot, "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(test.Binary); err != nil {
		return nil, err
	}
	scripts, err := fs.Sub(assets, "assets")
	if err != nil {
		return nil, err
	}

	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(scripts))
	mux.HandleFunc("/wasm_exec.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "wasm_exec.js", time.Time{}, bytes.NewReader(wasmExec))
	})
	mux.HandleFunc("/config.json", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "config.json", time.Time{}, bytes.NewReader(config))
	})
	mux.HandleFunc("/test.wasm", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/wasm")
		http.ServeFile(w, r, test.Binary)
	})
	// For engines without a binding. The page sends one request after the other.
	mux.HandleFunc("POST /reports", func(w http.ResponseWriter, r *http.Request) {
		var all []json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&all); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, one := range all {
			reported(string(one))
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("/favicon.ico", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		// A strict policy: the library must work without eval and without inline scripts.
		w.Header().Set("Content-Security-Policy",
			"default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' http: https: ws: wss:")
		mux.ServeHTTP(w, r)
	}), nil
}

// testdata reads the testdata directory in dir as the files of a page. They are below /src, the
// binary's working directory.
func testdata(dir string) (map[string][]byte, error) {
	if dir == "" {
		return nil, nil
	}
	files := make(map[string][]byte)
	root := os.DirFS(dir)
	err := fs.WalkDir(root, "testdata", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		contents, err := fs.ReadFile(root, name)
		files[path.Join("/src", name)] = contents
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return files, err
}
