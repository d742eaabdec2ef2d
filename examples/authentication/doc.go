// Package authentication shows four ways to say who connects: a bearer token from a native
// program, and a cookie, a ticket and a token among the subprotocols from a page. The page
// docs/authentication.md compares them.
//
// Server is for native programs. The functions that dial compile for both targets, but for
// DialWithBearer: a browser cannot send a header of one's own.
package authentication
