// Package driver has the interfaces and types that authors of transports need to run a
// [ws.Conn] over their own transport. Programs that send and receive messages do not
// need it.
//
// A [Transport] translates; it does not decide. It moves whole messages, reports the end
// of the connection to its [Ending], and performs the closing handshake. Conn decides
// which messages may be sent, what an error means, which cause is the first, and how
// long a Close may take. These rules are therefore the same on every target. A Transport
// that gets its messages by callback puts them in an [Inbox].
//
// The other interfaces are optional. Conn checks which of them a Transport implements,
// and does without the others:
//
//   - [TrySender] and [TryPreparedSender]: sends that never wait
//   - [PreparedSender]: broadcasts that are framed and compressed once
//   - [ArrivalCounter] and [DepartureCounter]: signs of life for heartbeats
//   - [StreamSender] and [StreamReceiver]: messages larger than memory
//   - [BackgroundReceiver]: heartbeats answered while the program does not receive
//   - [Failer]: an end without a closing handshake
//   - [Pinger]: pings that wait for their pong
//   - [LatencyMeter]: the round-trip time of pings
//   - [WaitChecker]: goroutines that must not wait
//
// Pass the Transport to [ws.NewConn], and run the cases of package ws/wstest over it.
//
// [ws.Conn]: https://pkg.go.dev/github.com/isosocket/isosocket/ws#Conn
// [ws.NewConn]: https://pkg.go.dev/github.com/isosocket/isosocket/ws#NewConn
package driver
