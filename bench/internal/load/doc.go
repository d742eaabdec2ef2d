// Package load is the other side of what is measured: clients for a measured
// server and a server for measured clients. It speaks frames that were built
// beforehand and counts those that come back by their headers, so that it is
// not the bottleneck, and uses none of the libraries.
package load
