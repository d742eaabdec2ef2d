package ws

// agreement holds the subprotocol and the extensions that the handshake agreed on. Most
// connections agree on none, and there may be very many connections.
type agreement struct{ subprotocol, extensions string }

// Subprotocol returns the subprotocol that the handshake agreed on, "" for none.
func (c *Conn) Subprotocol() string {
	if c.agreed == nil {
		return ""
	}
	return c.agreed.subprotocol
}

// Extensions returns the extensions that the handshake agreed on, in the form in which the
// server answered with them (RFC 6455, section 9.1), such as
// "permessage-deflate; client_no_context_takeover", and "" for none.
func (c *Conn) Extensions() string {
	if c.agreed == nil {
		return ""
	}
	return c.agreed.extensions
}
