package rfc6455

// DeflateParams is what the handshake agrees on for permessage-deflate (RFC
// 7692, section 7.1). The zero value is the extension with no parameter: context
// takeover in both directions and windows of 32 KiB.
type DeflateParams struct {
	// ServerNoContextTakeover makes each message from the server independent of
	// those before it. It compresses less, and neither side keeps memory
	// between messages.
	ServerNoContextTakeover bool
	// ClientNoContextTakeover is the same for messages from the client.
	ClientNoContextTakeover bool
	// ServerMaxWindowBits is the base-2 logarithm of the window, in bytes, that
	// the server compresses with: 8 to 15, 0 for 15.
	ServerMaxWindowBits int
	// ClientMaxWindowBits is the same for the client.
	ClientMaxWindowBits int
}

// DeflatePolicy is how one side compresses; its peer need not know.
type DeflatePolicy struct {
	// Level trades speed for size: 1 is fastest, 9 smallest, 0 the default, which is 1.
	// With context takeover each takes 800 KiB to 1.2 MiB until [Encoder.Rest]. With a window under
	// 15 bits there is one level.
	Level int
	// Threshold is the size in bytes below which a message goes uncompressed. 0 means 128
	// with context takeover and 512 without; below 0 means none.
	Threshold int
}

const (
	minWindowBits = 8
	maxWindowBits = 15
	maxLevel      = 9

	defaultThreshold         = 512
	defaultThresholdTakeover = 128
)

// sending returns the window bits of what role sends, and whether its context is taken
// over.
func (p *DeflateParams) sending(role Role) (bits int, takeover bool) {
	bits, takeover = p.ClientMaxWindowBits, !p.ClientNoContextTakeover
	if role == Server {
		bits, takeover = p.ServerMaxWindowBits, !p.ServerNoContextTakeover
	}
	return windowBits(bits), takeover
}

// windowBits returns bits, or 15 where it is no window's size.
func windowBits(bits int) int {
	if bits < minWindowBits || bits > maxWindowBits {
		return maxWindowBits
	}
	return bits
}
