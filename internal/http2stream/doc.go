// Package http2stream makes a net.Conn of one stream of HTTP/2 that an extended CONNECT opened
// (RFC 8441).
//
// net/http offers such a stream as a body to read and an http.ResponseWriter to write. A read of
// the body cannot be interrupted without ending the stream, but a connection must be able to give
// up a read and continue later. So one goroutine reads the body, and Read takes what it has read.
package http2stream
