//go:build !js

package frameworks

import (
	"context"
	"net/http"
	"strings"
)

// Users are the names of users by their tokens.
type Users map[string]string

// byToken returns the user of the header field Authorization.
func (u Users) byToken(authorization string) (name string, ok bool) {
	token, bearer := strings.CutPrefix(authorization, "Bearer ")
	name, ok = u[token]
	return name, ok && bearer
}

// userKey is the key of the user's name in a context.
type userKey struct{}

// User returns the user that a middleware has found, "" if there is none.
func User(ctx context.Context) string {
	name, _ := ctx.Value(userKey{}).(string)
	return name
}

func withUser(r *http.Request, name string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), userKey{}, name))
}

// hello is a page like any other.
func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("hello, " + User(r.Context()) + "\n"))
}
