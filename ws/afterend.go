package ws

// AfterEnd arranges for f to be called when the connection has ended, or at once if it
// already has. f runs on the goroutine that notices the end: it must not block, and must
// not call methods of the Conn that wait. Several functions are called in the order in
// which they were given; there is no way to withdraw one.
//
// Unlike a wait for [Conn.Done], AfterEnd needs no goroutine. Use it to watch very many
// connections. It does not keep a Conn that the program drops from being collected,
// unless f refers to the Conn.
func (c *Conn) AfterEnd(f func()) { c.ending.Notify(f) }
