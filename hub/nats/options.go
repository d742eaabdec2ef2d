package nats

import (
	"strconv"
	"strings"
	"time"

	natsio "github.com/nats-io/nats.go"
)

// The defaults of [Options].
const (
	// DefaultPrefix is "isosocket".
	DefaultPrefix = "isosocket"
	// DefaultMessages is 256.
	DefaultMessages = 256
	// DefaultAge is 24 hours.
	DefaultAge = 24 * time.Hour
	// DefaultIDs is 2 minutes.
	DefaultIDs = 2 * time.Minute
	// DefaultBytes is 1 GiB.
	DefaultBytes = 1 << 30
	// DefaultLease is 15 seconds.
	DefaultLease = 15 * time.Second
	// DefaultCheck is 5 seconds.
	DefaultCheck = 5 * time.Second
	// DefaultTimeout is 15 seconds.
	DefaultTimeout = 15 * time.Second
	// DefaultQueue is 65,536.
	DefaultQueue = 65_536
)

// Options configure [Connect]. A nil pointer and the zero value select the defaults. The
// options of the stream, which are Messages to InMemory, only apply when the first engine
// creates it: change those of an existing stream with the tools of NATS. Prefix, NoHistory and
// Lease must be the same on all machines.
type Options struct {
	// NATS are options of the connection, such as credentials and TLS. The engine sets
	// MaxReconnects to -1, for ever, and ReconnectBufSize to -1, so that a publication that
	// cannot be sent fails. It refuses other values of them, NoReconnect and
	// UseOldRequestStyle. PingInterval is 10 seconds unless it is set. Handlers are called as
	// usual.
	NATS []natsio.Option
	// Prefix begins all subjects and the name of the stream. It has letters, digits, - and _.
	// Programs with different prefixes share nothing. "" means [DefaultPrefix].
	Prefix string
	// NoHistory uses core NATS only, without JetStream.
	NoHistory bool
	// Messages is how many messages of a topic are kept, and the most that Rules.History may
	// be. 0 means [DefaultMessages].
	Messages int
	// Age is how long messages are kept, and the most that Rules.Age may be. A member that
	// returns to a topic whose messages have all expired gets a gap; so Age should be much
	// longer than Rules.Age. 0 means [DefaultAge].
	Age time.Duration
	// IDs is how long PublishOptions.ID is remembered, in all topics, and the most that
	// Rules.IDs may be. 0 means [DefaultIDs].
	IDs time.Duration
	// Bytes bounds the histories of all topics together; above it the oldest messages of all
	// are dropped. 0 means [DefaultBytes]; a negative number means no limit.
	Bytes int64
	// Replicas is how many servers store the stream. 0 means 3 in a cluster, and otherwise 1.
	Replicas int
	// InMemory stores the stream in memory. Its messages are then lost when the servers that
	// store them restart together. By default it is stored in files.
	InMemory bool
	// Lease is how long after its last sign of life a machine, and who is present there, is
	// gone for the others. 0 means [DefaultLease]; the least is 300 ms.
	Lease time.Duration
	// Check is the time between two comparisons of the topics with the stream. 0 means
	// [DefaultCheck].
	Check time.Duration
	// Timeout bounds each call of the engine, in addition to its context. It should be longer
	// than a cluster of NATS takes to replace a server that has died, which is up to 9
	// seconds. 0 means [DefaultTimeout].
	Timeout time.Duration
	// Queue is how many messages may wait for the engine's goroutine. Those beyond are lost
	// on this machine, and repaired from history. 0 means [DefaultQueue].
	Queue int
	// Trace has functions that are called when something happens. nil means none.
	Trace *Trace

	now func() time.Time // the clock of the machine, for tests
}

// Trace has functions that are called when something happens in an [Engine]. Each may be nil.
// They may be called at the same time, and must return soon.
type Trace struct {
	// Link is called when the connection to NATS was lost, with the reason, and when it was
	// established again.
	Link func(connected bool, err error)
	// Doubt is called when messages of a number of topics may have been lost on their way to
	// this machine. They are then read from history, or reported as gaps.
	Doubt func(topics int)
	// Storage is called when history begins anew, because the stream was replaced or has
	// lost its messages. stream is its name. All members then get a gap.
	Storage func(stream string)
	// Machine is called when another machine becomes known or is gone.
	Machine func(name string, here bool)
	// Failed is called when a request to NATS in the background has failed. It will be
	// repeated.
	Failed func(err error)
}

func (o *Options) withDefaults() (Options, error) {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Prefix == "" {
		d.Prefix = DefaultPrefix
	}
	for i := range len(d.Prefix) {
		if !isPlain(d.Prefix[i]) || len(d.Prefix) > 64 {
			return d, &optionError{"Options.Prefix", "is " + strconv.Quote(d.Prefix) + "; allowed are 1 to 64 letters, digits, - and _"}
		}
	}
	for _, n := range []struct {
		name  string
		value *int
		def   int
	}{
		{"Options.Messages", &d.Messages, DefaultMessages},
		{"Options.Replicas", &d.Replicas, 0},
		{"Options.Queue", &d.Queue, DefaultQueue},
	} {
		if *n.value < 0 {
			return d, &optionError{n.name, "is negative: " + strconv.Itoa(*n.value)}
		}
		if *n.value == 0 {
			*n.value = n.def
		}
	}
	for _, n := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"Options.Age", &d.Age, DefaultAge},
		{"Options.IDs", &d.IDs, DefaultIDs},
		{"Options.Lease", &d.Lease, DefaultLease},
		{"Options.Check", &d.Check, DefaultCheck},
		{"Options.Timeout", &d.Timeout, DefaultTimeout},
	} {
		if *n.value < 0 {
			return d, &optionError{n.name, "is negative: " + n.value.String()}
		}
		if *n.value == 0 {
			*n.value = n.def
		}
	}
	switch {
	case d.Bytes == 0:
		d.Bytes = DefaultBytes
	case d.Bytes < 0:
		d.Bytes = -1 // no limit, for JetStream
	}
	switch {
	case d.Lease < minLease:
		return d, &optionError{"Options.Lease", "is " + d.Lease.String() + "; the least is " + minLease.String()}
	case d.Age < d.IDs:
		return d, &optionError{"Options.IDs", "is " + d.IDs.String() + ", above Options.Age, " + d.Age.String()}
	}
	if d.Trace == nil {
		d.Trace = &Trace{}
	}
	if d.now == nil {
		d.now = time.Now
	}
	return d, nil
}

const (
	// minLease is the least Options.Lease.
	minLease = 300 * time.Millisecond
	// pingInterval is the time between two pings of the connection. It is lost without the
	// answers to two.
	pingInterval = 10 * time.Second
)

// connection returns the options of the connection.
func (o *Options) connection(url string) (natsio.Options, error) {
	c := natsio.GetDefaultOptions()
	for _, server := range strings.Split(url, ",") {
		c.Servers = append(c.Servers, strings.TrimSpace(server))
	}
	for _, option := range o.NATS {
		if option == nil {
			continue
		}
		if err := option(&c); err != nil {
			return c, failed("Options.NATS", err)
		}
	}
	switch {
	case !c.AllowReconnect:
		return c, &optionError{"Options.NATS", "forbids to reconnect; the engine must reconnect"}
	case c.MaxReconnect != natsio.DefaultMaxReconnect && c.MaxReconnect >= 0:
		return c, &optionError{"Options.NATS", "sets MaxReconnects to " + strconv.Itoa(c.MaxReconnect) + "; allowed is -1"}
	case c.ReconnectBufSize != natsio.DefaultReconnectBufSize && c.ReconnectBufSize != -1:
		return c, &optionError{"Options.NATS", "sets ReconnectBufSize to " + strconv.Itoa(c.ReconnectBufSize) + "; allowed is -1"}
	case c.UseOldRequestStyle:
		return c, &optionError{"Options.NATS", "sets UseOldRequestStyle, which the engine cannot use"}
	}
	if c.PingInterval == natsio.DefaultPingInterval {
		c.PingInterval = pingInterval
	}
	c.MaxReconnect, c.ReconnectBufSize = -1, -1
	c.NoEcho = true // own messages have been delivered here already, or come back from the stream
	if c.Name == "" {
		c.Name = "isosocket " + o.Prefix
	}
	return c, nil
}
