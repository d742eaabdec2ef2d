// Package process runs the measured code in its own process: another instance of this program,
// which performs a [Task]. Its standard input and output are a control connection with requests
// and [Sample]s, one JSON object per line. The process ends with the connection.
package process
