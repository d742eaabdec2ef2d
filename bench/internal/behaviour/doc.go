// Package behaviour shows where this library and its peers behave differently:
// clients of each meet the same raw server, and what they see is compared with
// the table in docs/comparison.md. It contains tests only, and claims nothing
// that they do not show.
package behaviour
