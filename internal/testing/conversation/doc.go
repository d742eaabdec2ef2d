// Package conversation has the output of a peer, which tests cut after each byte.
package conversation
