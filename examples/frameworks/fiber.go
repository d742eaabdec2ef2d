//go:build !js

package frameworks

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/gofiber/fiber/v3/middleware/compress"
	"github.com/gofiber/fiber/v3/middleware/logger"
	"github.com/gofiber/fiber/v3/middleware/recover"
)

// Fiber mounts the endpoint in an application of Fiber, with Fiber's adaptor for handlers of
// net/http. Fiber is built on fasthttp and not on net/http. To Fiber's middlewares a request ends
// with the handshake.
func Fiber(endpoint http.Handler, users Users, out io.Writer) *fiber.App {
	app := newFiber(users, out)
	app.Get("/ws", adaptor.HTTPHandler(outlive(endpoint)))
	return app
}

// BesideFiber serves the endpoint with net/http, with its middlewares, and all other paths with an
// application of Fiber. Both also could have a port each.
func BesideFiber(endpoint http.Handler, users Users, out io.Writer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /ws", NetHTTP(endpoint, users, out))
	mux.Handle("/", adaptor.FiberApp(newFiber(users, out)))
	return mux
}

func newFiber(users Users, out io.Writer) *fiber.App {
	app := fiber.New()
	app.Use(logger.New(logger.Config{Stream: out, Format: "${method} ${path} ${status} ${latency}\n"}), recover.New(), compress.New(), func(c fiber.Ctx) error {
		name, ok := users.byToken(c.Get("Authorization"))
		if !ok {
			return fiber.ErrUnauthorized
		}
		c.Locals(userKey{}, name)
		return c.Next()
	})
	app.Get("/hello", adaptor.HTTPHandlerFunc(hello))
	return app
}

// outlive gives a handler a request of which nothing is Fiber's. fasthttp uses the memory of a
// request, its context and its strings, for another request as soon as the connection is closed,
// while the endpoint's function still runs.
func outlive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(context.Background(), userKey{}, User(r.Context()))
		own := r.Clone(ctx)
		own.Host, own.RequestURI = strings.Clone(r.Host), strings.Clone(r.RequestURI)
		u, err := url.ParseRequestURI(own.RequestURI)
		if err != nil {
			http.Error(w, "The URL is invalid.", http.StatusBadRequest)
			return
		}
		own.URL = u
		for _, values := range own.Header {
			for i := range values {
				values[i] = strings.Clone(values[i])
			}
		}
		next.ServeHTTP(w, own)
	})
}
