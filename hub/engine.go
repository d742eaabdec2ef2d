package hub

import (
	"context"
	"time"
)

// Engine stores published messages and carries them to every [Hub] that uses the same
// storage, on one machine or many. [Memory] is the engine of one process. Package
// enginetest holds an engine to this contract.
//
// An engine may lose entries on their way to a [Subscriber], and deliver them late, twice
// or out of order. The Hub notices that from Entry.Prev and Entry.Position, and repairs it
// with Since. An engine must not deliver an entry whose Prev is wrong. For a topic without
// history Prev may be the zero Position in every entry, if the engine has no means to
// notice losses there; the Hub then reports none.
//
// A topic's name is 1 to 255 bytes of any UTF-8. An engine must distinguish all names that
// differ, even if its own syntax has wildcards or separators.
//
// All methods may be called by many goroutines at the same time. A ctx bounds the call. An
// engine may call a Subscriber while it holds locks; the Hub never calls an engine while it
// holds a lock that a Subscriber takes.
type Engine interface {
	// Publish stores e as keep requires, or more, and delivers it to all subscribers of
	// topic. It takes e over, and may set Position, Prev and Time in it; it returns the
	// Position. If one call returned before another call began, its entry comes first. If
	// keep has an ID window and an entry with the same nonempty ID was published under
	// topic within it, Publish does nothing but return that entry's Position. If the error
	// is not nil, the entry may or may not have been published.
	Publish(ctx context.Context, topic string, e *Entry, keep Keep) (Position, error)

	// Subscribe delivers the messages published under topic from now on to s. top is the
	// position of the topic's last entry, or of the place where its first one will be: the
	// Prev of the next entry. It is never the zero Position. s may be called before
	// Subscribe returns.
	Subscribe(ctx context.Context, topic string, s Subscriber) (sub Subscription, top Position, err error)

	// Since returns the entries of topic that were published after the position after,
	// oldest first and at most limit, and top as Subscribe does. The zero Position means
	// all that are still stored. The Prev of the first entry is after only if nothing
	// between both is missing. Without entries, nothing is missing only if top is after: so
	// entries and top are of one moment.
	// Entries that the engine can no longer return are not an error.
	Since(ctx context.Context, topic string, after Position, limit int) (entries []*Entry, top Position, err error)

	// Present returns who is present in topic, each key once, in any order.
	Present(ctx context.Context, topic string) ([]Presence, error)

	// Close releases everything. Calls after it return an error.
	Close(ctx context.Context) error
}

// Subscriber receives the events of a topic. The engine calls it from one goroutine at a
// time. Its methods do not block.
type Subscriber interface {
	// Deliver takes an entry.
	Deliver(e *Entry)
	// Doubt says that entries may have been lost without a later entry that would show it,
	// for example after a link was restored. The Hub then asks Since.
	Doubt()
	// Present takes a change of who is present, on any machine.
	Present(p Presence)
}

// Subscription is a Subscriber's membership in a topic.
type Subscription interface {
	// Announce tells all machines that a key is, or is no longer, present here. A second
	// announcement of the same key replaces its Info. A key is present as long as one
	// subscription announces it. Announce does not wait for other machines. An engine of
	// many machines withdraws what a machine announced when that machine dies.
	Announce(p Presence)
	// Cancel ends the subscription and withdraws its announcements. After Cancel has
	// returned, the Subscriber is not called.
	Cancel()
}

// Keep is how much an engine keeps of a topic.
type Keep struct {
	// Messages is how many entries are kept; 0 keeps none.
	Messages int
	// Age is how long an entry is kept. It is above 0.
	Age time.Duration
	// IDs is how long an Entry.ID is remembered; 0 remembers none.
	IDs time.Duration
}

// Presence says that a key is, or is no longer, present in a topic.
type Presence struct {
	Key  string // not empty
	Info []byte // from JoinOptions.Info; shared, and must not be changed
	Here bool
}
