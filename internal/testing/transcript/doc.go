// Package transcript records the output of a program under test. A test can wait for words in it
// instead of a duration.
package transcript
