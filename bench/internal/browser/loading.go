package browser

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/andybalholm/brotli"
)

//go:embed loading.js
var loadingJS []byte

// Loading is a way to deliver a program to a page.
type Loading struct {
	Coding    string // of the response: "", "gzip" or "br"
	Streaming bool   // the browser compiles while the bytes arrive
	Caching   string // the field Cache-Control
	Rate      int    // bytes a second of the network
}

// Loaded are the durations from the request for a program until it is ready to run.
type Loaded struct {
	Sent         int // bytes of the response
	First, Again time.Duration
}

// Load loads a program twice in a page of b. body is the program in how.Coding.
func Load(b *Browser, body []byte, how Loading) (Loaded, error) {
	wasmExec, err := os.ReadFile(filepath.Join(goRoot(), "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return Loaded{}, err
	}
	type result struct {
		First, Again float64
		Error        string
	}
	results := make(chan result, 1)
	var unchanged atomic.Bool // the browser has asked whether its copy is current
	mux := http.NewServeMux()
	serve := func(path, kind string, body []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Write(body)
		})
	}
	serve("/{$}", "text/html", pageHTML)
	serve("/client.js", "text/javascript", loadingJS)
	serve("/wasm_exec.js", "text/javascript", wasmExec)
	serve("/how", "application/json", fmt.Appendf(nil, `{"streaming": %t}`, how.Streaming))
	mux.HandleFunc("GET /client.wasm", func(w http.ResponseWriter, r *http.Request) {
		const etag = `"1"`
		w.Header().Set("Cache-Control", how.Caching)
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			unchanged.Store(true)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "application/wasm")
		if how.Coding != "" {
			w.Header().Set("Content-Encoding", how.Coding)
		}
		writeSlowly(w, body, how.Rate)
	})
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
		return Loaded{}, err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: patience}
	go server.Serve(l)
	defer server.Close()
	stop, err := b.start("http://" + l.Addr().String() + "/")
	if err != nil {
		return Loaded{}, err
	}
	defer stop()
	select {
	case got := <-results:
		if got.Error != "" {
			return Loaded{}, errors.New(got.Error)
		}
		if asked := how.Caching == "no-cache"; unchanged.Load() != asked {
			return Loaded{}, fmt.Errorf("with %s, the browser asked whether its copy is current: %t", how.Caching, !asked)
		}
		ms := float64(time.Millisecond)
		return Loaded{len(body), time.Duration(got.First * ms), time.Duration(got.Again * ms)}, nil
	case <-time.After(patience):
		return Loaded{}, fmt.Errorf("no result from the browser within %v", patience)
	}
}

// writeSlowly writes body at rate bytes a second.
func writeSlowly(w http.ResponseWriter, body []byte, rate int) {
	const piece = 16 << 10
	began, sent := time.Now(), 0
	for len(body) > 0 {
		n := min(piece, len(body))
		if _, err := w.Write(body[:n]); err != nil {
			return
		}
		http.NewResponseController(w).Flush()
		body, sent = body[n:], sent+n
		time.Sleep(time.Until(began.Add(time.Duration(sent) * time.Second / time.Duration(rate))))
	}
}

// Encode returns b in a coding of HTTP: "", "gzip" or "br", at its smallest.
func Encode(b []byte, coding string) ([]byte, error) {
	var out bytes.Buffer
	switch coding {
	case "":
		return b, nil
	case "gzip":
		w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(b); err != nil {
			return nil, err
		}
		err = w.Close()
		return out.Bytes(), err
	case "br":
		w := brotli.NewWriterLevel(&out, brotli.BestCompression)
		if _, err := w.Write(b); err != nil {
			return nil, err
		}
		err := w.Close()
		return out.Bytes(), err
	}
	return nil, fmt.Errorf("unknown coding %q", coding)
}
