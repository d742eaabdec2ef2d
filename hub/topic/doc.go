// Package topic is a client of topics, the same in a browser and natively. One connection
// carries any number of topics, and is replaced when it is lost. The server is package
// topicserver, or another that speaks the subprotocol of docs/topics-protocol.md.
//
//	c := topic.NewClient(ctx, "wss://example.com/topics", nil)
//	lobby := c.Subscribe("lobby", nil)
//	for m, err := range lobby.Messages(ctx) {
//		if gap, ok := errors.AsType[*topic.Gap](err); ok {
//			log.Print(gap) // and the next message follows
//			continue
//		}
//		if err != nil {
//			return err
//		}
//		use(m)
//	}
//
// # What is lost
//
// A subscription outlives its connection: the next one continues after the last message,
// from the server's history. Messages come in the order of the topic, none twice. If history
// no longer has some, Receive returns a [*Gap]: once, in its place in the order. It is an
// error that is not an end.
//
// A program whose messages describe a state has SubscribeOptions.Load, which loads the
// state, at first and after each gap. Receive then never returns a Gap.
//
// [Subscription.Position] can be stored. A program that starts again, or a page that is
// loaded again, continues from it.
//
// # Slow programs
//
// A subscription keeps a bounded number of bytes that the program has not received. Above
// that the server pauses, for this topic alone, and continues from history when the
// program has read. Nothing is lost as long as history lasts.
//
// # Publishing
//
// [Client.Publish] returns when the server has published the message, and sends it again on
// the next connection if the answer was lost. The message is published once.
package topic
