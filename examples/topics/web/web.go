// Package web has the page and the client in JavaScript.
package web

import "embed"

// Files are index.html and topics.js.
//
//go:embed index.html topics.js
var Files embed.FS
