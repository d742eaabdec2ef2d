//go:build !js

package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/isosocket/isosocket/internal/subprotocol"
)

// offeredSubprotocols returns the subprotocols that the client offers, in its order
// of preference. It omits names that are not tokens and repeated names, which cannot
// be chosen (RFC 6455, section 4.1).
func offeredSubprotocols(r *http.Request) []string {
	var offered []string
	for _, line := range r.Header["Sec-Websocket-Protocol"] {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.Trim(name, " \t")
			if subprotocol.IsToken(name) && !slices.Contains(offered, name) {
				offered = append(offered, name)
			}
		}
	}
	return offered
}

// chooseSubprotocol returns "" for none.
func (o *Options) chooseSubprotocol(r *http.Request) (string, error) {
	offered := offeredSubprotocols(r)
	if len(offered) == 0 {
		return "", nil
	}
	if o.ChooseSubprotocol != nil {
		chosen := o.ChooseSubprotocol(r, slices.Clone(offered))
		if chosen != "" && !slices.Contains(offered, chosen) {
			return "", fmt.Errorf("websocket: ChooseSubprotocol chose %q, which is none of the %d subprotocols that the client offered", chosen, len(offered))
		}
		return chosen, nil
	}
	for _, name := range offered {
		if slices.Contains(o.Subprotocols, name) {
			return name, nil
		}
	}
	return "", nil
}
