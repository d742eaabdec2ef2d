package rfc6455

// Role is the side of the connection that a codec plays. It decides who masks: a client masks every
// frame it sends and a server none (RFC 6455, section 5.1).
type Role uint8

const (
	// Client sends masked frames and refuses masked ones.
	Client Role = iota
	// Server sends unmasked frames and refuses unmasked ones.
	Server
)

// String returns "client" or "server".
func (r Role) String() string {
	if r == Client {
		return "client"
	}
	return "server"
}
