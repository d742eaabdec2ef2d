// Package peer is the test server of the conformance suite: one endpoint for
// each behaviour of a peer, good or bad, that the cases of ws/wstest need.
//
// It writes its handshake, its frames and its mistakes byte by byte, and shares no code with the
// protocol engine under test, so no case tests this library with itself. The exceptions are the
// endpoints below /library/: they show how the server of a WebSocket library behaves, and use
// the one that Config.Accept provides.
//
// # Endpoints
//
// Every endpoint takes the name of its connection as the query parameter id.
// The server keeps the behaviour's record under it. A WebSocket connection to
// /observed?id=… receives the record as a JSON list of strings: once the
// behaviour is over, with &until=… as soon as the record contains that, with
// &now=1 at once, and with &within=… after that time at most. A behaviour that
// waits continues after /tell?id=…. /forget?ids=… drops the records of a list of
// names.
//
//	/echo                echoes every message; records each message
//	/fragments           text= in one-byte fragments with pings between, then echoes
//	/burst               n= messages of size= bytes, then close= with message=, or echoes
//	/close               closes with code= (1005: no status) and message=
//	/drop                n= messages, then, after a text or with at=once, as how= says, FIN, RST or a
//	                     killed process; over a Stream, the loss of its connection
//	/silent              reads everything and never answers, not even a close; ends hold= after a
//	                     close; record=1 records
//	/stall               reads nothing until /tell
//	/cross               answers a close with its own code= and message=
//	/closewhen           reads until /tell, then closes with code= and message=
//	/large               half a message of size= bytes, the rest after /tell, then echoes
//	/trickle             n= messages, each in two halves a moment apart
//	/announce            the header of a message of size= bytes; the payload when asked
//	/pinger              n= pings, each answered within ten seconds, then "done"
//	/mute                answers closes but no pings
//	/sip                 reads rate= bytes a second and never answers, not even a close
//	/ticker              a message every every=, and the answer to each heartbeat
//	/flood               n= messages of size= bytes as fast as possible, then echoes
//	/violate             after a text, the violation of the protocol that what= names; "a masked frame"
//	                     of a client is one that is not masked
//	/request             sends the contents of the handshake request, as JSON
//	/status              refuses the handshake with code=
//	/redirect            answers code= with a Location to=
//	/handshake           an answer with a wrong accept=, protocol= or extension=
//	/hang                never answers the handshake; ends it after hold=, 20 seconds unless set
//	/quiet               opens a client that goes silent on /library/idle?id=…
//	/library/echo        echoes, with compress=1 over permessage-deflate
//	/library/end         receives until the end, and records it
//	/library/send        sends a message of size= bytes, receives until the end, and records it
//	/library/cross       closes with code= as soon as it receives anything, and records its end
//	/library/idle        pings every interval=, waits timeout=; records the end and how long it took
//	/library/subprotocol accepts accept=, or chooses choose= if it is set
//
// # A client as the peer
//
// [Server.Play] plays the same behaviours as the client of a connection, on any net.Conn whose handshake
// is over. The server of a WebSocket library is then the side under test, over TCP or over a stream of
// HTTP/2.
//
// The server is for tests: it checks no origin and listens on loopback only.
package peer
