//go:build !js

package frameworks

import (
	"io"
	"log"
	"net/http"
	"time"
)

// NetHTTP needs no framework. Pages have a time limit, which the endpoint must not have:
// http.TimeoutHandler hides the connection.
func NetHTTP(endpoint http.Handler, users Users, out io.Writer) http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /hello", hello)

	mux := http.NewServeMux()
	mux.Handle("GET /ws", endpoint)
	mux.Handle("/", http.TimeoutHandler(pages, 10*time.Second, "This takes too long."))

	logger := log.New(out, "", log.LstdFlags)
	return logRequests(logger, recoverPanics(logger, Gzip(authenticate(users, mux))))
}

// statusWriter remembers the status. With Unwrap, the endpoint finds the connection.
type statusWriter struct {
	http.ResponseWriter
	status int // 0 after a WebSocket handshake, which does not pass WriteHeader
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is what http.ResponseController calls.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func logRequests(logger *log.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, s := time.Now(), &statusWriter{ResponseWriter: w}
		defer func() { logger.Println(r.Method, r.URL.Path, s.status, time.Since(began)) }()
		next.ServeHTTP(s, r)
	})
}

func recoverPanics(logger *log.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				panic(v)
			default:
				logger.Println("panic:", v)
				http.Error(w, "Internal server error.", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func authenticate(users Users, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := users.byToken(r.Header.Get("Authorization"))
		if !ok {
			http.Error(w, "Who are you?", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, withUser(r, name))
	})
}
