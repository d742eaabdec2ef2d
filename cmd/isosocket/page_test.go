//go:build !js

package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/andybalholm/brotli"
)

func zipped(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.Bytes()
}

// builtDist is a small version of the files that make build creates.
var builtDist = fstest.MapFS{
	"dist/client.wasm.gz": {Data: zipped("\x00asm")},
	"dist/wasm_exec.js":   {Data: []byte("class Go {}")},
}

func get(p *page, method, path string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

func TestPageServes(t *testing.T) {
	t.Parallel()
	p := newPage(builtDist)
	for _, c := range []struct {
		path, contentType, begins string
	}{
		{"/", "text/html; charset=utf-8", "<!doctype html>"},
		{"/index.html", "text/html; charset=utf-8", "<!doctype html>"},
		{"/page.css", "text/css; charset=utf-8", ":root"},
		{"/boot.js", "text/javascript; charset=utf-8", "//"},
		{"/icon.svg", "image/svg+xml", "<svg"},
		{"/wasm_exec.js", "text/javascript; charset=utf-8", "class Go"},
		{"/client.wasm", "application/wasm", "\x00asm"},
	} {
		plain := get(p, "GET", c.path, nil)
		if plain.Code != 200 || plain.Header().Get("Content-Type") != c.contentType || !strings.HasPrefix(plain.Body.String(), c.begins) {
			t.Errorf("%s: %d, %q, %.20q", c.path, plain.Code, plain.Header().Get("Content-Type"), plain.Body)
		}
		small := get(p, "GET", c.path, map[string]string{"Accept-Encoding": "br, gzip;q=0.5"})
		if small.Header().Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: not compressed for a client that takes gzip", c.path)
		}
		r, err := gzip.NewReader(small.Body)
		if err != nil {
			t.Fatal(err)
		}
		if unzipped, _ := io.ReadAll(r); !bytes.Equal(unzipped, plain.Body.Bytes()) {
			t.Errorf("%s: the compressed content differs", c.path)
		}
		h := plain.Header()
		if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none';") || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Cross-Origin-Opener-Policy") != "same-origin" || h.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: headers %v", c.path, h)
		}
		again := get(p, "GET", c.path, map[string]string{"If-None-Match": `"x", ` + h.Get("ETag")})
		if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("%s: with If-None-Match, %d with %d bytes", c.path, again.Code, again.Body.Len())
		}
		if head := get(p, "HEAD", c.path, nil); head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != plain.Header().Get("Content-Length") {
			t.Errorf("%s: HEAD = %d, %v", c.path, head.Code, head.Header())
		}
	}
}

func TestPageRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, path string
		dist               fstest.MapFS
		status             int
		words              string
	}{
		{"nothing there", "GET", "/secret", builtDist, 404, "the demo is at /"},
		{"another method", "POST", "/", builtDist, 405, "Only GET and HEAD"},
		{"no client", "GET", "/client.wasm", nil, 404, "run make build"},
		{"half a build", "GET", "/client.wasm", fstest.MapFS{"dist/client.wasm.gz": builtDist["dist/client.wasm.gz"]}, 404, "run make build"},
		{"a damaged client", "GET", "/client.wasm", fstest.MapFS{"dist/client.wasm.gz": {Data: []byte("x")}, "dist/wasm_exec.js": {}}, 500, "run make build again"},
	} {
		w := get(newPage(c.dist), c.method, c.path, nil)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.words) {
			t.Errorf("%s: %d %q, want %d %q", c.name, w.Code, w.Body, c.status, c.words)
		}
	}
}

func TestPageSaysHowToGetTheClient(t *testing.T) {
	t.Parallel()
	without := get(newPage(fstest.MapFS{"dist/.gitkeep": {}}), "GET", "/", nil).Body.String()
	if !strings.Contains(without, "make build") || strings.Contains(without, "wasm_exec.js") || !strings.Contains(without, `data-client="missing"`) {
		t.Errorf("without the client:\n%s", without)
	}
	with := get(newPage(builtDist), "GET", "/", nil).Body.String()
	if strings.Contains(with, "make build") || !strings.Contains(with, "wasm_exec.js") || !strings.Contains(with, `data-client="built"`) {
		t.Errorf("with the client:\n%s", with)
	}
}

func TestChooseCoding(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"gzip, deflate, br, zstd": "br", "br": "br", "BR": "br", "gzip": "gzip", "GZIP": "gzip", "x-gzip": "gzip", "*": "br",
		"gzip;q=1.0, br;q=0.5": "gzip", "gzip; q=0.001": "gzip", "gzip;q=0.5,br;q=0.5": "br", "gzip;Q=0.9,br;Q=0.1": "gzip",
		"br;q=0, *": "gzip", "br;q=0, gzip;q=0, *": "", "*;q=0": "", "*;q=0.5, br;q=0": "gzip",
		"identity": "", "identity, gzip;q=0.5": "", "identity;q=0.5, gzip;q=0.5": "gzip", "identity;q=0, gzip": "gzip", "identity, gzip": "gzip",
		"": "", "deflate": "", "gzip;q=0": "", "gzip; q=0.0": "", "gzip;q=x": "", "gzip;q=-1": "", "gzip;q=2": "", "gzip;q=NaN": "",
	} {
		if got := chooseCoding([]string{header}, "br", "gzip"); got != want {
			t.Errorf("chooseCoding(%q) = %q, want %q", header, got, want)
		}
	}
	if got := chooseCoding([]string{"gzip;q=0.5", "br"}, "br", "gzip"); got != "br" {
		t.Errorf("of two lines: %q", got)
	}
	if got := chooseCoding(nil, "br", "gzip"); got != "" {
		t.Errorf("without the header: %q", got)
	}
	if got := chooseCoding([]string{"br"}, "gzip"); got != "" {
		t.Errorf("without a file in brotli: %q", got)
	}
}

// The client comes in brotli if it was built, and a client may have it in any coding; caches keep
// the codings apart, and one ETag names them all.
func TestClientInEveryCoding(t *testing.T) {
	t.Parallel()
	const module = "\x00asm and so on"
	var packed bytes.Buffer
	w := brotli.NewWriter(&packed)
	io.WriteString(w, module)
	w.Close()
	dist := fstest.MapFS{
		"dist/client.wasm.gz": {Data: zipped(module)},
		"dist/client.wasm.br": {Data: packed.Bytes()},
		"dist/wasm_exec.js":   {Data: []byte("class Go {}")},
	}
	p := newPage(dist)
	etags := map[string]bool{}
	for accepted, coding := range map[string]string{"": "", "gzip, deflate, br, zstd": "br", "gzip": "gzip", "br;q=0.1, gzip": "gzip"} {
		header := map[string]string{}
		if accepted != "" {
			header["Accept-Encoding"] = accepted
		}
		response := get(p, "GET", "/client.wasm", header)
		h := response.Header()
		etags[h.Get("ETag")] = true
		if h.Get("Content-Encoding") != coding || h.Get("Vary") != "Accept-Encoding" || h.Get("Content-Type") != "application/wasm" ||
			h.Get("Content-Length") != strconv.Itoa(response.Body.Len()) {
			t.Errorf("%q: the header is %v for %d bytes", accepted, h, response.Body.Len())
		}
		if head := get(p, "HEAD", "/client.wasm", header); head.Header().Get("Content-Length") != h.Get("Content-Length") || head.Body.Len() != 0 {
			t.Errorf("%q: HEAD differs: %v", accepted, head.Header())
		}
		body := io.Reader(response.Body)
		switch coding {
		case "br":
			body = brotli.NewReader(body)
		case "gzip":
			var err error
			if body, err = gzip.NewReader(body); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := io.ReadAll(body); string(got) != module || err != nil {
			t.Errorf("%q: %q, %v", accepted, got, err)
		}
		header["If-None-Match"] = h.Get("ETag")
		if again := get(p, "GET", "/client.wasm", header); again.Code != 304 || again.Header().Get("Content-Encoding") != "" || again.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: with If-None-Match, %d and %v", accepted, again.Code, again.Header())
		}
	}
	if len(etags) != 1 {
		t.Errorf("the ETags are %v", etags)
	}
	if other := get(p, "GET", "/page.css", map[string]string{"Accept-Encoding": "br, gzip"}); other.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("a file without brotli: %v", other.Header())
	}
}
