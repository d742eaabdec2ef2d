package topic

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/topicwire"
	"github.com/isosocket/isosocket/ws"
)

// Options configure a [Client]. A nil pointer and the zero value select the defaults.
type Options struct {
	// Reconnect says how to connect, and when to reconnect. nil selects the defaults, and so
	// does its Dial. Dial.Subprotocols must be nil: the Client sets them. Dial.Heartbeat
	// is by default the zero Heartbeat, which package topicserver answers. MaxMessageSize is
	// by default 1 MiB and 4 KiB more, for the header. Retry is by default
	// [isosocket.DefaultRetry], and true for the reason 4401, with which a server ends
	// a connection whose rights have expired: set Prepare to get new ones.
	Reconnect *isosocket.ReconnectOptions

	// OnConnect, if not nil, is called with each new connection, on the Client's own
	// goroutine. It must return soon, and must not receive. ReconnectOptions.OnDown is
	// its counterpart.
	OnConnect func(conn *ws.Conn)
}

// Client holds subscriptions, and a connection for all of them, which it replaces when
// it is lost. All methods may be called by many goroutines at the same time.
type Client struct {
	ctx       context.Context
	cancel    context.CancelFunc
	done      chan struct{}
	onConnect func(*ws.Conn)
	session   string // begins the IDs of publications

	mu            sync.Mutex
	link          *link // nil without a connection
	subscriptions []*Subscription
	publications  []*publication // without an answer, in their order
	ids           uint64
	closing       *errors.ConnectionClosed // the arguments of Close
	err           error                    // why there will be no more connections
}

// NewClient returns a Client that connects to url at once, and again whenever the
// connection is lost, until ctx ends, Close is called, or trying again makes no sense: see
// [isosocket.Connections]. NewClient does not fail: with an invalid option the Client has
// ended, and Err returns the reason.
func NewClient(ctx context.Context, url string, o *Options) *Client {
	var d Options
	if o != nil {
		d = *o
	}
	c := &Client{
		done: make(chan struct{}), onConnect: d.OnConnect,
		session: strconv.FormatUint(rand.Uint64(), 36) + strconv.FormatUint(rand.Uint64(), 36) + "-",
	}
	c.ctx, c.cancel = context.WithCancel(ctx)
	r, err := withDefaults(d.Reconnect)
	if err != nil {
		c.finish(err)
		return c
	}
	go c.run(url, r)
	return c
}

// withDefaults returns a copy of o with the Client's own settings.
func withDefaults(o *isosocket.ReconnectOptions) (*isosocket.ReconnectOptions, error) {
	var r isosocket.ReconnectOptions
	if o != nil {
		r = *o
	}
	var dial isosocket.DialOptions
	if r.Dial != nil {
		dial = *r.Dial
	}
	if dial.Subprotocols != nil {
		return nil, sentinel("topic: invalid option: Options.Reconnect.Dial must not have Subprotocols")
	}
	dial.Subprotocols = []string{topicwire.Subprotocol}
	if dial.Heartbeat == nil {
		dial.Heartbeat = &ws.Heartbeat{}
	}
	if dial.MaxMessageSize == 0 {
		dial.MaxMessageSize = 1<<20 + topicwire.MaxHeader
	}
	r.Dial = &dial
	if r.Retry == nil {
		r.Retry = func(err error) bool {
			return errors.Is(err, topicwire.Expired) || isosocket.DefaultRetry(err)
		}
	}
	return &r, nil
}

// run is the Client's own goroutine.
func (c *Client) run(url string, o *isosocket.ReconnectOptions) {
	var err error
	for conn, stop := range isosocket.Connections(c.ctx, url, o) {
		if err = stop; err != nil || !c.serve(conn) {
			break
		}
	}
	if err == nil {
		err = &errors.ConnectionClosed{Reason: errors.GoingAway, Err: context.Cause(c.ctx)}
	}
	c.finish(err)
}

// finish ends the Client with err.
func (c *Client) finish(err error) {
	c.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing != nil {
		err = c.closing
	}
	c.err = err
	for _, s := range slices.Clone(c.subscriptions) {
		s.finish(err)
	}
	for _, p := range c.publications {
		p.answer <- answer{err: err}
	}
	c.publications = nil
	close(c.done)
}

// Done returns a channel that is closed when the Client has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns nil as long as there may be a connection, and then why there will be none: a
// [*errors.ConnectionClosed] with the arguments of Close; if ctx ended, one with
// [errors.GoingAway] that is also ctx.Err(); or the error after which trying again makes no
// sense.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended()
}

// ended is Err. mu is held.
func (c *Client) ended() error {
	if c.closing != nil {
		return c.closing
	}
	return c.err
}

// Close ends the Client, its connection, as [ws.Conn.Close] does, and all subscriptions.
// Messages that were not received are dropped. A second Close changes nothing.
func (c *Client) Close(reason errors.CloseReason, message string) error {
	if err := ws.CheckCloseReason(reason); err != nil {
		return err
	}
	c.mu.Lock()
	if c.closing != nil || c.err != nil {
		c.mu.Unlock()
		return nil
	}
	c.closing = &errors.ConnectionClosed{Reason: reason, Message: message}
	l := c.link
	for _, s := range c.subscriptions {
		s.drop()
		s.wake()
	}
	c.mu.Unlock()
	var err error
	if l != nil {
		err = l.conn.Close(reason, message)
	}
	c.cancel()
	return err
}

// again returns how long to wait before a request that was refused for now is repeated.
func again(refusals int) time.Duration {
	wait := time.Second << min(refusals, 5)
	return min(wait+rand.N(wait), 30*time.Second)
}

// temporary reports whether a request may succeed later.
func temporary(code string) bool { return code == topicwire.Rate || code == topicwire.Failed }
