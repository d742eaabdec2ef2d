// Package apidoc holds tests of the documentation of the packages that users import: each exported
// name has a doc comment, and each name that a user calls has an example.
package apidoc
