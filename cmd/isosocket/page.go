//go:build !js

package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed page
var pageFiles embed.FS

// built holds the files that make build creates: the wasm client, compressed with gzip and with
// brotli, and the JavaScript that Go needs to run it. It is empty without make build.
//
//go:embed all:dist
var built embed.FS

// The names of the files that make build creates.
const (
	clientName  = "client.wasm"
	runtimeName = "wasm_exec.js"
)

// page serves the demo's page and the files that it loads, all from memory.
type page struct {
	files map[string]*pageFile // by path
}

// pageFile is a file with its headers, and its content by coding. Only brotli and, in place of it,
// plain may be missing.
type pageFile struct {
	contentType           string
	etag                  string
	plain, zipped, brotli []byte
}

// newPage returns the page with the client that dist has in its folder "dist".
func newPage(dist fs.FS) *page {
	p := &page{files: map[string]*pageFile{}}
	for _, name := range []string{"page.css", "boot.js", "icon.svg"} {
		p.add("/"+name, mustRead(pageFiles, "page/"+name), nil)
	}
	// The smallest, but it takes seconds to make, so make build does.
	brotli, _ := fs.ReadFile(dist, "dist/"+clientName+".br")
	zipped, errClient := fs.ReadFile(dist, "dist/"+clientName+".gz")
	exec, errRuntime := fs.ReadFile(dist, "dist/"+runtimeName)
	if errClient == nil && errRuntime == nil {
		p.add("/"+clientName, nil, zipped)
		p.files["/"+clientName].brotli = brotli
		p.add("/"+runtimeName, exec, nil)
	}
	var index bytes.Buffer
	t := template.Must(template.New("").Parse(string(mustRead(pageFiles, "page/index.html"))))
	if err := t.Execute(&index, struct{ Built bool }{p.built()}); err != nil {
		panic("page/index.html: " + err.Error())
	}
	p.add("/index.html", index.Bytes(), nil)
	return p
}

func mustRead(files fs.FS, name string) []byte {
	content, err := fs.ReadFile(files, name)
	if err != nil {
		panic(err) // it is embedded
	}
	return content
}

// add adds a file with content, or with the content that zipped contains.
func (p *page) add(name string, plain, zipped []byte) {
	f := &pageFile{contentType: mime.TypeByExtension(path.Ext(name)), plain: plain, zipped: zipped}
	// The system's tables do not always have the type that a browser needs.
	switch path.Ext(name) {
	case ".wasm":
		f.contentType = "application/wasm"
	case ".js":
		f.contentType = "text/javascript; charset=utf-8"
	}
	if zipped == nil {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(plain) // a bytes.Buffer never fails
		_ = w.Close()
		f.zipped = b.Bytes()
	}
	sum := sha256.Sum256(f.zipped)
	// Weak, because it is the tag of all codings.
	f.etag = `W/"` + hex.EncodeToString(sum[:8]) + `"`
	p.files[name] = f
}

// built reports whether the page has its client.
func (p *page) built() bool { return p.files["/"+clientName] != nil }

// contentSecurityPolicy permits the page to load from this server only.
const contentSecurityPolicy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	name := r.URL.Path
	if name == "/" {
		name = "/index.html"
	}
	f := p.files[name]
	switch {
	case f == nil && name == "/"+clientName:
		http.Error(w, "This server was built without the wasm client; run make build, and start bin/isosocket serve.", http.StatusNotFound)
		return
	case f == nil:
		http.Error(w, "There is no page here; the demo is at /.", http.StatusNotFound)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "Only GET and HEAD are allowed here.", http.StatusMethodNotAllowed)
		return
	}
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("Referrer-Policy", "no-referrer")
	// An isolated page gets a clock precise enough for round trips on loopback.
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Embedder-Policy", "require-corp")
	header.Set("Cache-Control", "no-cache")
	header.Set("Vary", "Accept-Encoding")
	header.Set("Content-Type", f.contentType)
	header.Set("ETag", f.etag)
	if matches(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	f.write(w, r)
}

func (f *pageFile) write(w http.ResponseWriter, r *http.Request) {
	codings := []string{"br", "gzip"}
	if f.brotli == nil {
		codings = codings[1:]
	}
	content := f.plain
	switch coding := chooseCoding(r.Header["Accept-Encoding"], codings...); coding {
	case "br":
		w.Header().Set("Content-Encoding", coding)
		content = f.brotli
	case "gzip":
		w.Header().Set("Content-Encoding", coding)
		content = f.zipped
	default:
		if content != nil {
			break
		}
		// Rare: a client that does not accept gzip.
		reader, err := gzip.NewReader(bytes.NewReader(f.zipped))
		if err == nil {
			content, err = io.ReadAll(reader)
		}
		if err != nil {
			http.Error(w, "The wasm client in this server is damaged; run make build again.", http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(content)
	}
}

// chooseCoding returns the one of codings, the best first, that the lines of an Accept-Encoding
// header prefer, or "" for none (RFC 9110, section 12.5.3).
func chooseCoding(lines []string, codings ...string) string {
	weights := map[string]float64{}
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			coding, parameters, _ := strings.Cut(item, ";")
			coding = strings.ToLower(strings.TrimSpace(coding))
			if coding == "x-gzip" {
				coding = "gzip" // RFC 9110, section 8.4.1.3
			}
			weights[coding] = 1
			name, value, found := strings.Cut(strings.TrimSpace(parameters), "=")
			if found && strings.EqualFold(name, "q") {
				weight, err := strconv.ParseFloat(value, 64)
				if err != nil || !(weight >= 0 && weight <= 1) {
					weight = 0 // not a weight: do not risk the coding
				}
				weights[coding] = weight
			}
		}
	}
	// No coding is acceptable even if it is not named, but then the last choice.
	best, chosen := weights["identity"], ""
	for _, coding := range codings {
		weight, named := weights[coding]
		if !named {
			weight = weights["*"]
		}
		if weight > best || weight == best && weight > 0 && chosen == "" {
			best, chosen = weight, coding
		}
	}
	return chosen
}

// matches parses an If-None-Match header (RFC 9110, section 13.1.2).
func matches(header, etag string) bool {
	for item := range strings.SplitSeq(header, ",") {
		item = strings.TrimPrefix(strings.TrimSpace(item), "W/")
		if item == strings.TrimPrefix(etag, "W/") || item == "*" {
			return true
		}
	}
	return false
}
