package hub

import (
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/ws"
)

// Entry is a message of a topic with its metadata. Entries are shared: an entry must not be
// changed once it was published or delivered.
type Entry struct {
	// Position is the entry's place in its topic. The engine sets it.
	Position Position
	// Prev is the Position of the entry before it in the same topic. It makes a loss
	// visible, even if positions are not consecutive: if Prev is not the Position of the
	// last entry that arrived, others are missing in between. The zero Position says that
	// the engine does not know: see [Engine].
	Prev Position
	// Time is when the entry was published, by the clock of the engine.
	Time time.Time
	// Key is the subject of the entry, for [Latest].
	Key string
	// ID identifies an attempt to publish; see [PublishOptions].
	ID string
	// Except names a connection that does not get the entry, "" for none; see
	// [Membership.PublishToOthers]. Engines only carry it.
	Except string
	// Message is the published message.
	Message ws.Message

	forms atomic.Pointer[encoded]
}

// encoded is an entry in one format, ready to be sent to any number of connections.
type encoded struct {
	format   *Format
	prepared *ws.Prepared
	size     int
	next     *encoded
}

// in returns the entry in a format. All callers get the same result, so that it is framed
// and compressed once.
func (e *Entry) in(topic string, f *Format) *encoded {
	var made *encoded
	for {
		first := e.forms.Load()
		for form := first; form != nil; form = form.next {
			if form.format == f {
				return form
			}
		}
		if made == nil {
			m := e.Message
			if f != nil && f.Entry != nil {
				m = f.Entry(topic, e)
			}
			made = &encoded{format: f, prepared: ws.Prepare(m), size: len(m.Data)}
		}
		made.next = first
		if e.forms.CompareAndSwap(first, made) {
			return made
		}
	}
}

// Format defines how members receive a topic. Many memberships should share one: an entry
// is encoded once for each *Format, regardless of the number of members. The functions are
// called with locks held: they must not block, and must not call the Hub.
type Format struct {
	// Entry returns the message that is sent for an entry, which must not be changed
	// afterwards. nil sends Entry.Message as it was published.
	Entry func(topic string, e *Entry) ws.Message
	// Gap returns the message that is sent for a [Gap], in its place in the order. nil
	// closes the connection instead, with 1013 (try again later).
	Gap func(topic string, g *Gap) ws.Message
}
