// Package options holds tests over every struct of options: 0 is the default, a negative number
// is what its field says, or an error that names the field, docs/options.md lists each field, and
// each one reaches the connection and the conformance suite.
package options
