package process

import (
	"time"

	"github.com/isosocket/isosocket/bench/internal/wire"
)

// Role selects what a process does on its connections.
type Role string

// The roles of servers, then those of clients.
const (
	Echo      Role = "echo"      // returns every message
	Push      Role = "push"      // sends as fast as it can
	Broadcast Role = "broadcast" // keeps connections and sends to all on command
	Swallow   Role = "swallow"   // answers every message with two bytes
	Topics    Role = "topics"    // joins connections to topics and publishes on command
	Relay     Role = "relay"     // publishes on command, one message when the one before has arrived at its own client

	Sink   Role = "sink"   // reads streamed messages, and answers each with two bytes
	Source Role = "source" // streams messages of the sizes that it is asked for

	PingPong Role = "ping-pong" // sends Depth messages, then one for each received
	Drain    Role = "drain"     // receives as fast as it can
)

// Task describes the work of a process.
type Task struct {
	Peer        string           // the implementation's name
	Role        Role             // of the process
	Address     string           // the server to dial, for clients
	Connections int              // how many to dial, for clients
	Depth       int              // messages in flight on each, for clients
	Size        int              // bytes of data in a message
	Text        bool             // text messages, not binary ones
	Compression wire.Compression // permessage-deflate
	Topics      int              // how many there are
	Joins       int              // how many of them each connection joins
	NATS        string           // the address of a server that connects two machines in the process; "" for one machine
	History     bool             // over NATS, with a history
	Limit       time.Duration    // a fresh limit for every receive, 0 for none
	Attached    bool             // keep net/http's goroutine and buffers, if there is an option for it
	ByMessage   bool             // a handler by message, where that is another API
	Reuse       bool             // by message, with memory that is reused
	Fresh       bool             // receive into new memory, not a reused buffer
	Network     wire.Network     // how connections reach a server
	Profile     string           // file for a CPU profile of the measured window, or a heap profile; "" for none
}

// Client reports whether the process dials instead of listening.
func (t *Task) Client() bool { return t.Role == PingPong || t.Role == Drain }
