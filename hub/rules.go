package hub

import (
	"strconv"
	"time"
)

// The defaults of [Rules].
const (
	// DefaultHistory is 256 messages.
	DefaultHistory = 256
	// DefaultAge is 5 minutes.
	DefaultAge = 5 * time.Minute
	// DefaultIDs is 2 minutes.
	DefaultIDs = 2 * time.Minute
)

// Rules configure the history of a topic and its treatment of slow members. The zero value
// selects the defaults. On all machines the rules of a topic must be the same.
type Rules struct {
	// History is how many messages are kept, for members that read slowly and for those
	// that return. 0 means [DefaultHistory]; a negative number keeps none.
	History int
	// Age is how long a message is kept. 0 means [DefaultAge]; a negative number is
	// invalid.
	Age time.Duration
	// IDs is how long PublishOptions.ID is remembered. 0 means [DefaultIDs]; with a
	// negative number it is not.
	IDs time.Duration
	// Slow is the policy for members that read too slowly.
	Slow SlowPolicy
}

// SlowPolicy is the treatment of a member for which more than Limits.Unread bytes are queued.
type SlowPolicy uint8

const (
	// CatchUp stops sending until the member has read, and then continues from history
	// until the member is up to date: memory is bounded, the connection stays, and nothing
	// is lost as long as history lasts. Then there is a [Gap].
	CatchUp SlowPolicy = iota
	// Disconnect closes the connection with 1013 (try again later). The client reconnects,
	// and may join from its last position.
	Disconnect
	// Latest sends, when the member has read, for each Entry.Key only the newest message of
	// those that it has missed, in the order in which they were published. It suits prices
	// and positions of a cursor. Skipped messages are not a [Gap].
	Latest
)

// String returns the name of the constant.
func (p SlowPolicy) String() string {
	switch p {
	case CatchUp:
		return "CatchUp"
	case Disconnect:
		return "Disconnect"
	case Latest:
		return "Latest"
	}
	return "SlowPolicy(" + strconv.Itoa(int(p)) + ")"
}

// check returns an error that names an invalid field.
func (r Rules) check() error {
	if r.Age < 0 {
		return negative("Rules.Age", r.Age)
	}
	if r.Slow > Latest {
		return &optionError{"Rules.Slow", "is " + strconv.Itoa(int(r.Slow)) + "; allowed are CatchUp, Disconnect and Latest"}
	}
	return nil
}

// keep returns the Keep for the engine.
func (r Rules) keep() Keep {
	k := Keep{Messages: r.History, Age: r.Age, IDs: r.IDs}
	if k.Messages == 0 {
		k.Messages = DefaultHistory
	}
	if k.Age == 0 {
		k.Age = DefaultAge
	}
	if k.IDs == 0 {
		k.IDs = DefaultIDs
	}
	k.Messages, k.IDs = max(k.Messages, 0), max(k.IDs, 0)
	return k
}

// The defaults of [Limits].
const (
	// DefaultTopics is 128.
	DefaultTopics = 128
	// DefaultTopicLength is 255 bytes.
	DefaultTopicLength = 255
	// DefaultUnread is 256 KiB.
	DefaultUnread = 256 << 10
	// DefaultMessageSize is 1 MiB.
	DefaultMessageSize = 1 << 20
	// DefaultAllTopics is 100,000.
	DefaultAllTopics = 100_000
	// DefaultKeys is 4,096.
	DefaultKeys = 4_096
	// DefaultRecovery is 1,000 messages.
	DefaultRecovery = 1_000
)

// Limits bound what a Hub holds. 0 is a field's default, a negative number no limit, unless
// the field says otherwise. A call that would exceed a limit returns a [*LimitError].
type Limits struct {
	// Topics is how many topics one connection may join. 0 means [DefaultTopics].
	Topics int
	// TopicLength is how many bytes a topic's name may have. 0 means
	// [DefaultTopicLength], which is also the most: engines accept no longer names. A
	// negative number is invalid.
	TopicLength int
	// Unread is how many bytes may wait for one connection to read them, in this process
	// and, on Linux over TCP and TLS, in the system's send buffer. A member above it is
	// slow: see [SlowPolicy]. One message may exceed it if nothing else waits. 0 means
	// [DefaultUnread]. A negative number leaves only the limit of the connection itself,
	// its SendBuffer, which applies in any case.
	Unread int
	// MessageSize is how many bytes a published message may have. 0 means
	// [DefaultMessageSize]. The MaxMessageSize of the members' connections should not be
	// less: a message that a connection refuses is a [Gap] for its member.
	MessageSize int
	// AllTopics is how many topics may have members on this machine. 0 means
	// [DefaultAllTopics].
	AllTopics int
	// Keys is how many keys of a topic are remembered for slow members with [Latest]. The
	// oldest one beyond that is dropped, which is a [Gap] for those that waited for it. 0
	// means [DefaultKeys].
	Keys int
	// Recovery is how many messages a member may get from history that begins at an earlier
	// position: with JoinOptions.Since, JoinOptions.Oldest or [Membership.Resume]. More
	// missing messages are a [Gap] after these. A slow member gets any number. 0 means
	// [DefaultRecovery].
	Recovery int
}

// withDefaults returns l with its zero fields filled in, and no limit as the largest
// number.
func (l Limits) withDefaults() (Limits, error) {
	if l.TopicLength < 0 {
		return l, negative("Limits.TopicLength", l.TopicLength)
	}
	if l.TopicLength > DefaultTopicLength {
		return l, &optionError{"Limits.TopicLength", "is " + strconv.Itoa(l.TopicLength) + "; the most is " + strconv.Itoa(DefaultTopicLength)}
	}
	fill := func(n *int, def int) {
		switch {
		case *n == 0:
			*n = def
		case *n < 0:
			*n = int(^uint(0) >> 1)
		}
	}
	fill(&l.Topics, DefaultTopics)
	fill(&l.TopicLength, DefaultTopicLength)
	fill(&l.Unread, DefaultUnread)
	fill(&l.MessageSize, DefaultMessageSize)
	fill(&l.AllTopics, DefaultAllTopics)
	fill(&l.Keys, DefaultKeys)
	fill(&l.Recovery, DefaultRecovery)
	return l, nil
}
