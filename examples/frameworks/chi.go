//go:build !js

package frameworks

import (
	"io"
	"log"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// Chi needs nothing special: a chi.Router is a http.Handler, and its middlewares' writers show the
// connection.
func Chi(endpoint http.Handler, users Users, out io.Writer) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestLogger(&middleware.DefaultLogFormatter{Logger: log.New(out, "", log.LstdFlags), NoColor: true}))
	r.Use(middleware.Recoverer)
	r.Use(middleware.Compress(5))
	r.Use(func(next http.Handler) http.Handler { return authenticate(users, next) })
	r.Method(http.MethodGet, "/ws", endpoint)
	// The limit does not end a connection, but its 504 at the connection's end would leave a line
	// about a hijacked connection in the log.
	r.With(middleware.Timeout(10*time.Second)).Get("/hello", hello)
	return r
}
