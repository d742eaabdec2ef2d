// Package frameworks mounts a WebSocket endpoint in net/http, chi, gin, Echo and Fiber, each with
// its usual middlewares: a log of requests, the recovery from panics, gzip, and the check of a
// token. The page docs/frameworks.md compares them.
//
// The functions return what serves the path /ws with a given endpoint, and /hello with a page. They
// write the log of requests to a writer. All are for native programs.
package frameworks
