// Package nats is an engine for package hub that carries messages between machines by NATS,
// and keeps their history in JetStream. It is a module of its own, so that programs on one
// machine do not depend on NATS:
//
//	engine, err := nats.Connect(ctx, "nats://10.0.0.1:4222,nats://10.0.0.2:4222", nil)
//	if err != nil {
//		return err
//	}
//	h, err := hub.New(&hub.Options{Engine: engine})
//
// # History
//
// One JetStream stream has the history of all topics. JetStream stores a published message,
// numbers it, and republishes it with its number and that of the message before it in the
// same topic. So an engine needs no consumer: it subscribes to the topics that have members
// on its machine, all with one channel and one goroutine, and a message that was lost on the
// way is visible from the next one. It is then read from the stream. Every Options.Check the
// engine also compares the ends of its topics with the stream, because a lost message may
// have none after it; the same happens after a lost connection, a change of the stream's
// leader, and an overflow of the queue.
//
// The stream is created by the first engine. Its name is Options.Prefix, a hyphen and a
// random part, so that a stream that was deleted and made again has another name: positions
// of the old one are recognised and lead to a gap, never to wrong messages. The stream also
// contains a marker with a random ID, in case its messages vanish and its name stays, as
// those of a stream in memory do, or somebody makes it again with its name. The engine asks for
// the marker after it has read history, so that what it reads there is never of another stream
// than the position after which it reads.
//
// A live message has no mark of its stream but the name. Until the engine has noticed that the
// stream is another one, a message is taken as the next one if its number and that of the message
// before it fit those of the old stream by chance, and those before it were lost on their way to
// this machine. The gap then comes after it, followed by all messages of the new stream, this one
// again. The engine notices with the first live message of a topic whose number is below that of
// the one before, and otherwise within Options.Check. Two more cases are not told apart: in a cluster
// a server that has not heard of the deletion may answer for the old stream; and a stream in the
// memory of a cluster may be lost and, before an engine looks, have more messages again than before
// and have dropped the first ones. Delete a stream, and let an engine make the next one.
//
// Deleting single messages from the stream by hand would be
// a loss that is not reported; purging all of it, or a topic, is reported as a gap.
//
// A topic without history (Rules.History -1) bypasses JetStream, unless a message has an ID:
// core NATS carries its messages, at most once and without numbers. Members on the
// machine of the publisher get them directly.
//
// # Without JetStream
//
// With Options.NoHistory the engine uses core NATS only. Publications under a topic with
// history are then refused with [ErrNoHistory]: set Rules.History to -1.
//
// # Presence
//
// Each machine announces the keys that are present there to all others, and repeats its own
// name and a version number three times per Options.Lease. A machine that others have not
// heard for a lease is gone for them, with all its keys. Each one measures the time by its
// own clock since it last heard the other, so clocks need not agree. Presence does not need
// JetStream, and takes memory for all keys of all machines on each of them.
//
// # A lost connection
//
// The engine reconnects forever. Meanwhile publications to a topic with history fail with
// [ErrDisconnected]; those to a topic without history reach the members on this machine
// only. Members stay joined, and who is present stays as it was last known.
// [Engine.Status] and Trace.Link show the state. After that, missed messages are sent from
// history; for topics without history a possible loss is reported as a gap.
//
// # A partition between servers of NATS
//
// If the servers of a cluster cannot reach each other, machines at the side with a majority of
// the stream's replicas go on. At the other side publications to a topic with history fail
// after Options.Timeout, and none is acknowledged that could be lost; repeat them with the same
// ID. When the servers are together again, members get what they have missed. The connections of
// the machines do not break meanwhile: members of topics without history miss the messages of
// the other side without a gap.
//
// # Permissions
//
// The account needs publish and subscribe permissions for Options.Prefix followed by ".>",
// for "_INBOX.>" and, with history, publish permission for "$JS.API.>" and subscribe permission for
// "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.>". Whoever else may publish under the prefix
// can forge messages and presence.
package nats
