//go:build !js

package frameworks

import (
	"compress/gzip"
	"net/http"
	"strings"
)

// Gzip compresses responses. It leaves WebSocket connections alone in two ways: its writer has
// Unwrap, and it compresses nothing before the handler has written something.
func Gzip(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Encoding")
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			next.ServeHTTP(w, r)
			return
		}
		g := &gzipWriter{ResponseWriter: w}
		defer g.close()
		next.ServeHTTP(g, r)
	})
}

type gzipWriter struct {
	http.ResponseWriter
	wroteHeader bool
	gzip        *gzip.Writer // nil if the response has no body, or is not to be compressed
}

// Unwrap is what http.ResponseController calls.
func (w *gzipWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *gzipWriter) WriteHeader(status int) {
	header := w.Header()
	hasBody := status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
	if !w.wroteHeader && hasBody && header.Get("Content-Encoding") == "" {
		header.Del("Content-Length")
		header.Set("Content-Encoding", "gzip")
		w.gzip = gzip.NewWriter(w.ResponseWriter)
	}
	w.wroteHeader = w.wroteHeader || status >= 200
	w.ResponseWriter.WriteHeader(status)
}

func (w *gzipWriter) Write(p []byte) (int, error) {
	if !w.wroteHeader {
		w.WriteHeader(http.StatusOK)
	}
	if w.gzip == nil {
		return w.ResponseWriter.Write(p)
	}
	return w.gzip.Write(p)
}

func (w *gzipWriter) close() {
	if w.gzip != nil {
		w.gzip.Close()
	}
}
