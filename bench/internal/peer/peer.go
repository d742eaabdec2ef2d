package peer

import (
	"fmt"
	"net"
	"slices"

	"github.com/isosocket/isosocket/bench/internal/process"
	"github.com/isosocket/isosocket/bench/internal/wire"
)

// Conn is a connection of any library. One goroutine at a time may receive,
// and one may send.
type Conn interface {
	// Send sends one message of the task's kind. The caller may reuse data afterwards.
	Send(data []byte) error

	// Receive returns the data of the next message, valid until the next call.
	Receive() ([]byte, error)
}

// Streamer is a Conn that need not have a message in memory.
type Streamer interface {
	// SendStream sends one message of size bytes, written in pieces.
	SendStream(size int64, piece []byte) error

	// ReceiveStream reads one message through buf, and returns its size.
	ReceiveStream(buf []byte) (int64, error)
}

// Peer is one implementation.
type Peer struct {
	Name   string
	Module string // its module path, or "" for the standard library

	// Serve accepts connections from l and calls serve for each, on a goroutine
	// of its own. It returns when l fails.
	Serve func(l net.Listener, t *process.Task, serve func(Conn)) error

	// ServeEvents replaces Serve for a library that passes each message to a callback; Serve is
	// nil then.
	ServeEvents func(l net.Listener, t *process.Task, opened, message func(Conn, []byte)) error

	// Broadcast sends data to all of conns with the functions that the library has for it.
	Broadcast func(t *process.Task, conns []Conn, data []byte) error

	// Dial connects to a server. It is nil if there is no client.
	Dial func(t *process.Task) (Conn, error)

	// DialEvents replaces Dial for a library that passes each message to a callback. It runs the
	// connection on the caller's goroutine until it ends.
	DialEvents func(t *process.Task, opened, message func(Conn, []byte)) (run func(), err error)

	// Topics joins each connection that it accepts from l to topics, which join returns, and
	// publishes under a topic. It replaces all other functions for the role topics, and is nil
	// for a library without topics.
	Topics func(l net.Listener, t *process.Task, join func() []string) (publish func(topic string, data []byte) error, serve func() error, err error)

	// Lacks says which part of t the implementation cannot do, or returns "".
	Lacks func(t *process.Task) string
}

// All lists the implementations in the order of the tables: bare TCP, this library, the others,
// those for topics.
var All = []*Peer{&TCP, &Isosocket, &Coder, &Gorilla, &GWS, &Gobwas, &Centrifuge, &Melody}

// OnlyTopics reports whether p is a library for topics, which the rows about connections leave
// out.
func (p *Peer) OnlyTopics() bool { return p.Topics != nil && p.Serve == nil && p.ServeEvents == nil }

// Find returns the implementation of that name.
func Find(name string) (*Peer, error) {
	i := slices.IndexFunc(All, func(p *Peer) bool { return p.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("unknown peer %q; allowed are %s", name, Names())
	}
	return All[i], nil
}

// Names returns the names of all implementations, separated by commas.
func Names() string {
	var s string
	for i, p := range All {
		if i > 0 {
			s += ","
		}
		s += p.Name
	}
	return s
}

// opcode returns the opcode of the task's messages.
func opcode(t *process.Task) byte {
	if t.Text {
		return wire.Text
	}
	return wire.Binary
}

// bufferSize returns the size of a buffer that fits the largest expected message with the
// longest header, as the libraries' documentation recommends, within limits.
func bufferSize(t *process.Task) int { return min(max(t.Size+14, 1024), 64<<10+14) }
