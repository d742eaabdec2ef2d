package authentication

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

const (
	rightToken = "opensesame"
	user       = "ali"
)

// ways tests, on either target, what a page can do. client keeps cookies.
func ways(t *testing.T, url string, client *http.Client, dialWithCookie func(context.Context, string) (*ws.Conn, error)) {
	post := func(path, token string) (string, error) {
		request, err := http.NewRequestWithContext(t.Context(), "POST", "http"+strings.TrimPrefix(url, "ws")+path, nil)
		if err != nil {
			return "", err
		}
		request.Header.Set("Authorization", "Bearer "+token)
		if runtime.GOOS == "js" {
			request.Header.Set("js.fetch:credentials", "include") // for net/http
		}
		response, err := client.Do(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusOK {
			return "", errors.New(response.Status)
		}
		return string(body), err
	}

	t.Run("cookie", func(t *testing.T) {
		conn, err := dialWithCookie(t.Context(), url+"/cookie")
		refused(t, conn, err)
		if _, err := post("/session", "wrong"); err == nil {
			t.Error("a wrong token got a session")
		}
		if _, err := post("/session", rightToken); err != nil {
			t.Fatal(err)
		}
		conn, err = dialWithCookie(t.Context(), url+"/cookie")
		greeted(t, conn, err)
	})
	t.Run("ticket", func(t *testing.T) {
		conn, err := isosocket.Dial(t.Context(), url+"/ticket?ticket=x", nil)
		refused(t, conn, err)
		options := Reconnecting(url+"/ticket", func(context.Context) (string, error) { return post("/ticket", rightToken) })
		options.Retry = func(error) bool { return true }
		options.BaseDelay, options.MaxAttempts = 1, 10
		n := 0
		for conn, err := range isosocket.Connections(t.Context(), url, options) {
			greeted(t, conn, err)
			if n++; n == 3 {
				break
			}
		}
		ticket, err := post("/ticket", rightToken)
		if err != nil {
			t.Fatal(err)
		}
		conn, err = isosocket.Dial(t.Context(), url+"/ticket?ticket="+ticket, nil)
		greeted(t, conn, err)
		// It was used. In a browser, the question why finds that it was valid, so the
		// status stays unknown.
		conn, err = isosocket.Dial(t.Context(), url+"/ticket?ticket="+ticket, nil)
		if err == nil {
			greeted(t, conn, err)
			t.Error("a ticket was used twice")
		} else if strings.Contains(err.Error(), ticket) {
			t.Errorf("the error contains the ticket: %v", err)
		}
	})
	t.Run("subprotocol", func(t *testing.T) {
		conn, err := DialWithSubprotocol(t.Context(), url+"/subprotocol", "wrong")
		refused(t, conn, err)
		conn, err = DialWithSubprotocol(t.Context(), url+"/subprotocol", rightToken)
		greeted(t, conn, err)
		if conn != nil && conn.Subprotocol() != Subprotocol {
			t.Errorf("the subprotocol is %q", conn.Subprotocol())
		}
	})
}

// refused checks that the server has said no, and that a client would not try again.
func refused(t *testing.T, conn *ws.Conn, err error) {
	t.Helper()
	failed, ok := errors.AsType[*errors.ConnectionError](err)
	if !ok || failed.StatusCode != http.StatusUnauthorized || failed.StatusGuessed || isosocket.DefaultRetry(err) {
		t.Errorf("%v, %v; want 401, and no other attempt", conn, err)
	}
}

func greeted(t *testing.T, conn *ws.Conn, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
		return
	}
	if m, err := conn.Receive(t.Context()); err != nil || m.String() != "hello, "+user {
		t.Errorf("Receive = %v, %v", m, err)
	}
	conn.Close(errors.NormalClosure, "")
}
