// Package behaviour shows where this library and its peers behave differently. Clients of each
// library connect to the same raw server, and the results are compared with the table in
// docs/comparison.md. The package contains only tests.
package behaviour
