//go:build !js

package http2

import (
	_ "net/http" // initialised before this package

	"github.com/isosocket/isosocket/server/http2/internal/announce"
)

func init() { announce.Restore() }
