//go:build !js

package frameworks

import (
	"io"
	"net/http"

	"github.com/gin-gonic/gin"
)

// Gin passes the gin.Context on as the context of the request, so that ctx.Value("user") in the
// function is what a middleware has Set. gin uses a gin.Context again for another request, but only after the
// endpoint's ServeHTTP has returned, which is when the function has. With Options.Detach the function
// would run longer; its context then has none of these values.
func Gin(endpoint http.Handler, users Users, out io.Writer) http.Handler {
	r := gin.New()
	r.ContextWithFallback = true // the values of the request's own context, too
	r.Use(gin.LoggerWithWriter(out), gin.RecoveryWithWriter(out), func(c *gin.Context) {
		name, ok := users.byToken(c.GetHeader("Authorization"))
		if !ok {
			c.AbortWithStatus(http.StatusUnauthorized)
			return
		}
		c.Set("user", name)
	})
	serve := func(h http.Handler) gin.HandlerFunc {
		return func(c *gin.Context) {
			h.ServeHTTP(c.Writer, withUser(c.Request.WithContext(c), c.GetString("user")))
		}
	}
	r.GET("/ws", serve(endpoint))
	r.GET("/hello", serve(http.HandlerFunc(hello)))
	return r
}
