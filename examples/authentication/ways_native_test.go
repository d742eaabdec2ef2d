//go:build !js

package authentication

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/internal/testing/browser"
	"github.com/isosocket/isosocket/ws"
)

func start(t *testing.T) (server *Server, url string) {
	server = NewServer(rightToken, user, "127.0.0.1:*")
	s := httptest.NewServer(allowPages(server))
	t.Cleanup(s.Close)
	return server, "ws" + strings.TrimPrefix(s.URL, "http")
}

// allowPages lets pages of another origin use fetch, since the tests' page is not the server's own.
func allowPages(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" && r.Header.Get("Upgrade") == "" && r.Method != http.MethodGet {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Credentials", "true")
			w.Header().Set("Access-Control-Allow-Headers", "Authorization")
		}
		if r.Method != http.MethodOptions {
			h.ServeHTTP(w, r)
		}
	})
}

func TestWays(t *testing.T) {
	_, url := start(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	ways(t, url, client, func(ctx context.Context, url string) (*ws.Conn, error) {
		return isosocket.Dial(ctx, url, &isosocket.DialOptions{Native: &isosocket.NativeOptions{HTTPClient: client}})
	})
}

func TestBearer(t *testing.T) {
	_, url := start(t)
	conn, err := DialWithBearer(t.Context(), url+"/bearer", rightToken)
	greeted(t, conn, err)
	for _, token := range []string{"", "wrong", rightToken + "x"} {
		conn, err := DialWithBearer(t.Context(), url+"/bearer", token)
		refused(t, conn, err)
	}
}

func TestTicketThatIsTooOld(t *testing.T) {
	s, url := start(t)
	s.tickets["old"] = ticket{user: user, expires: time.Now().Add(-time.Second)}
	conn, err := isosocket.Dial(t.Context(), url+"/ticket?ticket=old", nil)
	refused(t, conn, err)
}

// TestInAPage runs TestWays in Chromium.
func TestInAPage(t *testing.T) {
	_, url := start(t)
	b := browser.Start(t)
	test := browser.CompileWasmTest(t, ".")
	test.Env = map[string]string{"AUTHENTICATION_URL": url}
	browser.RunWasmTest(t.Context(), t, b, test)
}
