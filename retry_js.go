package isosocket

// isUntrusted reports whether err is about the server's certificate, which a
// browser never tells.
func isUntrusted(error) bool { return false }
