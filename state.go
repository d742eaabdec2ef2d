package isosocket

import (
	"strconv"
	"time"
)

// Phase is what a [Client] is doing.
type Phase uint8

// The phases of a Client.
const (
	// Connecting: an attempt is in progress, including OnConnect.
	Connecting Phase = iota
	// Connected: messages are sent as they come.
	Connected
	// Waiting: the Client waits before the next attempt.
	Waiting
	// Closed: there will be no more attempts.
	Closed
)

// String returns the name in lower case.
func (p Phase) String() string {
	switch p {
	case Connecting:
		return "connecting"
	case Connected:
		return "connected"
	case Waiting:
		return "waiting"
	case Closed:
		return "closed"
	}
	return "invalid phase " + strconv.Itoa(int(p))
}

// State is what a [Client] is doing, and why.
type State struct {
	// Phase is what it is doing.
	Phase Phase
	// Err says why the last connection ended or the last attempt failed. It is
	// nil before the first of them, and while Connected. When Closed it is what
	// Client.Err returns.
	Err error
	// Attempts is the number of attempts since the last stable connection, including
	// the current one.
	Attempts int
	// Next is when the next attempt will be made, while Waiting. See Down.Wait for
	// when it may come sooner or later.
	Next time.Time
}
