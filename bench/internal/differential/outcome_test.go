package differential

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/isosocket/isosocket/internal/rfc6455"
)

// limit is the maximum size of a message, the same for all readers.
const limit = 600

// role is what a reader is, and whether it has negotiated compression.
type role byte

// The roles. As a client, gws allocates a compressor of a megabyte for each connection, so compression
// is compared at servers only.
const (
	client role = iota
	server
	inflating // server, permessage-deflate without context takeover
	roles
)

// event is a message, a control frame, or the end of the stream.
type event struct {
	what   string // compared
	detail string // the error's text, for the list of the known disagreements
}

func (e event) String() string {
	if e.detail == "" {
		return e.what
	}
	return e.what + ": " + e.detail
}

func message(kind string, data []byte) event {
	return event{what: fmt.Sprintf("%s %.700q", kind, data)}
}

func closed(code uint16, reason []byte) event {
	return event{what: fmt.Sprintf("close %d %q", code, reason)}
}

// failed is the end by an error of the reader's, with the code of the close frame that it sends, 0 if it
// sends none.
func failed(code uint16, detail string) event {
	return event{fmt.Sprintf("failed %d", code), detail}
}

// cut is the end of the bytes.
var cut = event{what: "cut"}

// isosocketReads returns what this library's decoder makes of wire.
func isosocketReads(r role, wire []byte) (events []event) {
	var d rfc6455.Decoder
	defer d.Release()
	side, deflate := rfc6455.Server, (*rfc6455.DeflateParams)(nil)
	switch r {
	case client:
		side = rfc6455.Client
	case inflating:
		deflate = &rfc6455.DeflateParams{ServerNoContextTakeover: true, ClientNoContextTakeover: true}
	}
	d.Init(side, limit, deflate)
	p := slices.Clone(wire)
	for {
		n, ev, err := d.Decode(p)
		p = p[n:]
		if err != nil {
			e := err.(*rfc6455.Error)
			return append(events, failed(e.Code, e.Reason))
		}
		switch ev {
		case rfc6455.EventNone:
			return append(events, cut)
		case rfc6455.EventMessage:
			op, data := d.Message()
			events = append(events, message(op.String(), data))
		case rfc6455.EventPing:
			events = append(events, message("ping", d.Control()))
		case rfc6455.EventPong:
			events = append(events, message("pong", d.Control()))
		case rfc6455.EventClose:
			code, reason := d.Close()
			return append(events, closed(code, []byte(reason)))
		}
	}
}

// sentCode returns the code of the close frame that b begins with, 0 if there is none or it is empty.
func sentCode(b []byte) uint16 {
	if len(b) < 4 || b[0] != 0x88 {
		return 0
	}
	if b[1]&0x80 == 0 {
		return binary.BigEndian.Uint16(b[2:])
	}
	if len(b) < 8 {
		return 0
	}
	return binary.BigEndian.Uint16([]byte{b[6] ^ b[2], b[7] ^ b[3]})
}
