//go:build !js

package server

import (
	"fmt"
	"net/http"

	"github.com/isosocket/isosocket/errors"
)

// authorize calls Options.Authorize. f is the refusal of r, nil if r is authorized.
func (o *Options) authorize(r *http.Request) (principal any, f *refusal) {
	if o.Authorize == nil {
		return nil, nil
	}
	principal, err := o.Authorize(r)
	if err == nil {
		return principal, nil
	}
	failed, ok := errors.AsType[*errors.ConnectionError](err)
	if !ok {
		return nil, &refusal{
			status:   http.StatusForbidden,
			sentence: "This WebSocket connection is not allowed.",
			err:      fmt.Errorf("websocket: Authorize: %w", err),
		}
	}
	if failed.StatusCode < 300 || failed.StatusCode > 599 {
		return nil, misconfigured(fmt.Errorf("websocket: Authorize refused with the status %d; allowed are 300 to 599: %w", failed.StatusCode, err))
	}
	f = &refusal{status: failed.StatusCode, sentence: string(failed.Body), header: failed.Header, err: err}
	if f.sentence == "" {
		f.sentence = http.StatusText(failed.StatusCode) + "."
	}
	return nil, f
}
