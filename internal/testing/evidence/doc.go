// Package evidence holds tests of what the pages say is shown by tests: each test that a table names
// exists, has the case that is named, and is not skipped.
package evidence
