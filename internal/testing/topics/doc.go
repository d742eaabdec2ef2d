// Package topics has a server for tests of package hub/topic, and these tests, which run
// natively and in a browser. The server is behind a network with faults, and obeys commands.
package topics
