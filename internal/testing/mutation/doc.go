// Command mutation changes the code of the codec and of the closing handshake in one place at a
// time, and runs the tests of the package. A mutant that no test fails for has survived: a test is
// missing, or the change makes no difference.
//
//	go run ./internal/testing/mutation [-n 200] [-seed 1] [-match pattern] [-write docs/coverage.md] [-explain]
//
// The places are drawn at random from all that the operators find, in proportion to the number of
// each file. The same seed draws the same places of the same source. Nothing is written into the
// source: the tests are built with go test -overlay.
//
// With -match the command draws from some of the mutants only, as those of one file, "decoder.go:", or
// of one line, "decoder.go:69:".
//
// survivors.txt says why a survivor makes no difference. With -explain the command fails for one
// without a reason.
package main
