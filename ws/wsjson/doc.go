// Package wsjson sends and receives JSON values over a WebSocket connection,
// with encoding/json, natively and in a browser.
//
//	type move struct{ X, Y int }
//
//	err := wsjson.Send(ctx, conn, move{3, 4})
//	next, err := wsjson.Receive[move](ctx, conn)
//	for m, err := range wsjson.Messages[move](ctx, conn) { … }
//
// A value travels as one text message. The functions work on a [ws.Conn], on a
// server's Conn and on a reconnecting Client alike.
//
// # Messages that do not decode
//
// A message that is not JSON, or does not fit the type, is a [*DecodeError],
// which holds the message. The connection stays open, and the next Receive
// returns the next message, so the program chooses:
//
//   - Go on: log the error and receive again.
//   - Close the connection with the reason that fits: return the error from a
//     server's function, or pass it to [Reject]. The peer sees 1003
//     (unsupported data) after a binary message, 1007 (invalid frame payload
//     data) otherwise.
//
// This is a package of its own because encoding/json is large: a browser client
// that does not import it stays as small as it is.
package wsjson
