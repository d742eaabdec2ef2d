// Package hub sends messages to many connections at once: a message published under a topic
// goes to all connections that have joined it. It tracks presence, and the messages that a
// client has missed.
//
// # Topics
//
// A topic is a name, and exists as long as it is used. A server joins its connections to
// topics, and publishes:
//
//	h, err := hub.New(nil)
//	...
//	chat := server.Handler(func(ctx context.Context, conn *server.Conn) error {
//		if _, err := h.Join(ctx, "lobby", conn.Conn, nil); err != nil {
//			return err
//		}
//		for m, err := range conn.Messages(ctx) {
//			if err != nil {
//				return err
//			}
//			if _, err := h.Publish(ctx, "lobby", m, nil); err != nil {
//				return err
//			}
//		}
//		return nil
//	}, nil)
//
// Members are sent the messages as they were published, or in a [Format] of the program.
// The Hub adds nothing of its own, so that any client can read them. A message is encoded,
// framed and compressed once, regardless of the number of members. A membership ends with
// its connection.
//
// The Hub does not authorize joins or publications: the program does, before it calls
// [Hub.Join] and [Hub.Publish].
//
// # Positions and gaps
//
// Each message has a [Position], and names the position of the one before it. A client that
// reconnects sends the Position of its last message, in a way that the program chooses, and
// JoinOptions.Since then sends the messages that it has missed, followed by new ones: in
// order, and none twice. Messages that history no longer has are a [Gap]. It is reported in
// its place in the order, once, and the messages after it follow. If the Format has no
// message for a gap, the connection is closed with 1013 (try again later): a loss is never
// silent.
//
// # Slow members
//
// At most Limits.Unread bytes are queued for each connection. A member that reads more
// slowly than messages arrive gets no more until it has read, and then continues from
// history. It delays no other member, its connection stays, and as long as history lasts it
// loses nothing. Rules.Slow selects another policy: [Disconnect], or [Latest] for values of
// which only the newest counts.
//
// # Presence
//
// JoinOptions.Key identifies a member. [Hub.Present] returns who is in a topic, and
// [Hub.WatchPresence] also the changes. When a connection is lost, its key stays present
// for Options.Grace, so that a client that reconnects has neither left nor joined.
//
// # Engines
//
// An [Engine] stores messages and carries them between machines. [Memory] serves one
// process, and is the default. Package enginetest tests others.
package hub
