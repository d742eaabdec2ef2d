//go:build !js

package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"
)

// webDriver is a session of WebDriver: JSON over HTTP (https://www.w3.org/TR/webdriver2/).
type webDriver struct {
	server  string
	session string // empty before newSession
	client  *http.Client
}

func newWebDriver(server string) *webDriver {
	return &webDriver{server: server, client: &http.Client{Transport: &http.Transport{}}}
}

// newSession starts the browser, once the driver listens, and returns its version.
func (d *webDriver) newSession(ctx context.Context, capabilities map[string]any) (version string, err error) {
	var created struct {
		SessionID    string
		Capabilities struct{ BrowserVersion string }
	}
	for {
		err = d.do(ctx, "POST", "/session", map[string]any{"capabilities": map[string]any{"alwaysMatch": capabilities}}, &created)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
		select { // the driver has just been started
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return "", err
		}
	}
	if err != nil {
		return "", err
	}
	d.session = created.SessionID
	return created.Capabilities.BrowserVersion, nil
}

// call runs a command of the session and stores its value in value, if that is not nil.
func (d *webDriver) call(ctx context.Context, method, command string, body, value any) error {
	path := "/session/" + d.session
	if command != "" {
		path += "/" + command
	}
	return d.do(ctx, method, path, body, value)
}

func (d *webDriver) do(ctx context.Context, method, path string, body, value any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, d.server+path, content)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := d.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct{ Value json.RawMessage }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s %s: %s: %w", method, path, response.Status, err)
	}
	if response.StatusCode != http.StatusOK {
		var failure struct{ Error, Message string }
		_ = json.Unmarshal(answer.Value, &failure)
		return fmt.Errorf("%s %s: %s: %s", method, path, failure.Error, failure.Message)
	}
	if value == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, value)
}

func (d *webDriver) close() { d.client.CloseIdleConnections() }
