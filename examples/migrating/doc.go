// Package migrating compiles the tables of docs/migrating.md, with the libraries that it names.
package migrating
