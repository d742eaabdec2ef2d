// Package topicwire reads and writes the messages of the subprotocol topics.isosocket.1,
// which docs/topics-protocol.md defines. Both the client and the server use it. It imports
// little, because it is part of clients in a browser.
package topicwire
