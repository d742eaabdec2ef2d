//go:build !js

package handshake

import (
	"net/url"
	"strings"

	"github.com/isosocket/isosocket/errors"
)

// withoutURL returns err without the URLs that net/http and net/url put into the
// texts of their errors: they may hold a password or a token.
func withoutURL(err error) error {
	failed, ok := errors.AsType[*url.Error](err)
	if !ok {
		return err
	}
	why := "the URL cannot be parsed"
	if failed.Op != "parse" {
		why = withoutURL(failed.Err).Error()
	}
	if err == error(failed) {
		if failed.Op == "parse" {
			return errors.New(why)
		}
		return withoutURL(failed.Err)
	}
	text := err.Error()
	if !strings.Contains(text, failed.Error()) {
		return err
	}
	return &retold{strings.ReplaceAll(text, failed.Error(), why), err}
}

// retold is an error without the parts of its text that must not get into a log.
type retold struct {
	text string
	err  error
}

func (e *retold) Error() string { return e.text }

func (e *retold) Unwrap() error { return e.err }

// ProxyError returns the error of a proxy function without the proxy's URL.
// [http.ProxyFromEnvironment] puts a URL that it cannot parse into its error, password
// included.
func ProxyError(err error) error {
	if strings.HasPrefix(err.Error(), "invalid proxy address") {
		return errors.New("websocket: the proxy in the environment (HTTP_PROXY, HTTPS_PROXY) is not a valid URL")
	}
	return withoutURL(err)
}
