// Package attacks holds tests in which a peer attacks a server or a native client over TCP. Each is
// named for a class of faults that WebSocket libraries have had, and states a bound of memory or of
// goroutines that the attack must not exceed.
package attacks
