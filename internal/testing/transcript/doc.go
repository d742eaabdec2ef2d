// Package transcript keeps what a program under test writes, so that a test
// can wait for words in it rather than for a time.
package transcript
