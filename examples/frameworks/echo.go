//go:build !js

package frameworks

import (
	"io"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
)

// Echo mounts the endpoint with echo.WrapHandler. A handler of net/http sees the context of the
// request and not the echo.Context, so the user goes there.
func Echo(endpoint http.Handler, users Users, out io.Writer) http.Handler {
	e := echo.New()
	e.Logger = slog.New(slog.NewTextHandler(out, nil))
	e.Use(middleware.RequestLogger(), middleware.Recover(), middleware.Gzip(), func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			name, ok := users.byToken(c.Request().Header.Get("Authorization"))
			if !ok {
				return echo.ErrUnauthorized
			}
			c.SetRequest(withUser(c.Request(), name))
			return next(c)
		}
	})
	e.GET("/ws", echo.WrapHandler(endpoint))
	e.GET("/hello", echo.WrapHandler(http.HandlerFunc(hello)))
	return e
}
