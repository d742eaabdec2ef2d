// Package process runs what is measured in a process of its own: this program
// once more, told by a [Task] what to be. A control connection, its standard
// input and output, carries requests and [Sample]s, one JSON object a line.
// When the connection ends the process does.
package process
