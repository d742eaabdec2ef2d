package ws

// Compression configures permessage-deflate (RFC 7692). A nil pointer means not to
// offer or accept it; the zero value selects the defaults.
type Compression struct {
	// Level is the effort from 1, fast, to 9, small. 0 means 1.
	Level int

	// Threshold is the least bytes of data that a message must have to be
	// compressed. 0 means 512, and 128 with context takeover, which makes small
	// messages compress better.
	Threshold int

	// ContextTakeover lets each message refer to the ones before it, both ways, if the
	// peer agrees. It shrinks messages that resemble each other. A connection that
	// sends compressed messages within a second of each other holds a compressor of
	// about 1 MiB. It gives the compressor back when it has compressed nothing for one
	// to two seconds, and keeps at most 16 KiB of the data it sent and 32 KiB of the
	// data it received. The first message after a pause takes about 0.1 ms longer to
	// send.
	//
	// Without it this side's messages stand alone, and the peer is asked to do
	// the same. A peer that does not agree, as most browsers do not, keeps its own
	// context; each such connection then costs up to 32 KiB once a compressed
	// message has arrived.
	ContextTakeover bool

	// MaxWindowBits asks for a compression window of at most 2^MaxWindowBits
	// bytes, both ways: 9 to 15. 0 means 15. Smaller windows take less memory.
	// Many peers ignore the limit or cannot honour it (RFC 7692, section 7.1.2);
	// this side then uses the window that the peer needs, unless
	// StrictWindowBits is set.
	MaxWindowBits int

	// StrictWindowBits makes MaxWindowBits a strict limit. A
	// client then fails to connect to a server that accepts compression but
	// ignores the limit. A server does not compress with a client that cannot
	// be asked for a smaller window.
	StrictWindowBits bool
}
