package main

// fault explains a cell that is not good: whose fault it is, and by which rule.
type fault struct{ peer, role, column, why string }

// faults are all that are known. A cell that is bad without one is an error, and so is one that is good
// with one.
var faults = []fault{
	{"nbio", "server", "empty", nbioEmpty},
	{"nbio", "client", "empty", nbioEmpty},
}

const nbioEmpty = "nbio does not give a message without a byte to the program: its `Conn.Parse` calls the handler only for one that has some. " +
	"RFC 6455, section 5.2, allows a payload of 0 bytes, and section 6.2 has every message delivered."

// find returns the explanation of a cell, "" if there is none.
func find(peer, role, column string) string {
	for _, f := range faults {
		if f.peer == peer && f.role == role && f.column == column {
			return f.why
		}
	}
	return ""
}
