// Package options tests every struct of options. 0 is the default. A negative number has the
// meaning that the field documents, or is an error that names the field. docs/options.md lists
// each field, and each one reaches the connection and the conformance suite.
package options
