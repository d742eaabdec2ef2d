//go:build !js

// Package topicserver serves the topics of a [hub.Hub] to clients of package topic, and to
// any other that speaks the subprotocol topics.isosocket.1: docs/topics-protocol.md
// defines it. One connection carries any number of topics, with recovery, presence, and
// publications that are acknowledged.
//
//	h, err := hub.New(nil)
//	...
//	e, err := topicserver.New(h, topicserver.Access{
//		Connect:   func(r *http.Request) (topicserver.Who, error) { return user(r) },
//		Subscribe: func(ctx context.Context, m *topicserver.Member, topic string) (topicserver.Grant, error) {
//			return topicserver.Grant{History: true}, nil
//		},
//	}, nil)
//	...
//	http.Handle("/topics", e)
//
// # Access
//
// The functions of [Access] decide what a client may do. One that is nil refuses: above,
// clients may not publish.
//
// # Many machines
//
// [Endpoint.Disconnect] and [Endpoint.Unsubscribe] reach a user on every machine whose Hub
// has the same engine. For this an Endpoint with connections joins a topic of its own,
// whose name begins with U+0000; clients cannot join it or publish to it.
package topicserver
