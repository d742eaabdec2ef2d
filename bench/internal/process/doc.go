// Package process runs the measured code in its own process: this program
// once more, in the role of a [Task]. A control connection, its standard
// input and output, carries requests and [Sample]s, one JSON object per
// line. The process ends when the connection ends.
package process
