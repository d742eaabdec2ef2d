// Package rfc6455 is the WebSocket wire format of RFC 6455 with the permessage-deflate extension of
// RFC 7692, as plain functions of bytes: no network, no goroutine, no clock. Whoever owns the
// socket hands bytes in and takes messages out.
//
// # Reading
//
// A [Decoder] takes what a read brought and stops after the first [Event]:
//
//	var d rfc6455.Decoder
//	d.Init(rfc6455.Server, 1<<20, nil)
//	for {
//		n, event, err := d.Decode(unread)
//		unread = unread[n:]
//		switch {
//		case err != nil:
//			// close with err.(*rfc6455.Error).Code
//		case event == rfc6455.EventMessage:
//			opcode, data := d.Message()
//		case event == rfc6455.EventPing:
//			out = e.AppendControl(out, rfc6455.OpPong, d.Control())
//		case event == rfc6455.EventNone:
//			// all of unread is consumed: read more
//		}
//	}
//
// It may be interrupted at every byte, and the events do not depend on how the bytes were cut.
// Large payloads need not pass through the read buffer: [Decoder.Direct] lends the room where the
// next bytes of the payload belong, and [Decoder.Advance] takes how many were read there.
//
// # Writing
//
// An [Encoder] appends whole frames to a buffer of the caller's, so that many messages can leave in
// one write.
//
// # Memory
//
// A message lands in the buffer given to [Decoder.SetBuffer] where it fits, else in a slice of its
// own, which belongs to the caller from then on. Memory grows with the bytes that came, not with
// the length that a header announced. Between messages a Decoder holds nothing but its struct, and,
// where context takeover was negotiated, the compression window.
//
// # Strictness
//
// What RFC 6455 forbids is an error, always the same one however the bytes were cut, and an [Error]
// says in words what was wrong. Text is checked as it arrives and fails at the first byte that
// cannot be part of UTF-8. A size limit acts on the announced length, before its bytes are read,
// and on compressed messages while they are inflated.
package rfc6455
