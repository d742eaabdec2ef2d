// Command coverage adds up the coverage of several runs of the tests: natively, as WebAssembly in
// a browser, and of programs that the end-to-end tests start.
//
//	go run ./internal/testing/coverage [-write docs/coverage.md] [-explain] NAME=DIR ...
//
// Each DIR has the data of one kind of run, as go tool covdata reads it. A statement counts as
// reached if one run reached it. Files of both targets count, so that a package with a file for
// each is only covered if both were run.
//
// The command prints the share of each package, and fails if one is below its floor. -write
// replaces the tables of a page. With -explain it also fails if a function of a package with a
// floor has statements that no run reached, and unreached.txt does not say why.
package main
