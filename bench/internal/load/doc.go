// Package load is the other side of a measurement: clients for a measured server, and a server
// for measured clients. It sends prebuilt frames and counts replies by their headers alone, so
// that it is not the bottleneck. It uses none of the libraries.
package load
