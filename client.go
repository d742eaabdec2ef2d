package isosocket

import (
	"context"
	"iter"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/driver"
)

// ClientOptions configure [NewClient]. A nil pointer and the zero value select the
// defaults.
//
// The functions are called on the Client's own goroutine, except OnLost, which
// several goroutines may call at the same time. While a function runs, the Client
// does nothing else. So a function should return soon, and must not wait for the
// Client.
type ClientOptions struct {
	// Reconnect says how to connect, and when to reconnect. nil selects the defaults.
	Reconnect *ReconnectOptions

	// OnConnect, if not nil, is called with every new connection before anything else
	// is sent or received on it: to authenticate, to subscribe, to resync. ctx ends
	// when the Client ends or HandshakeTimeout has passed.
	//
	// If it returns an error, the connection is closed, and ReconnectOptions.Retry
	// decides by that error whether to try again. [DefaultRetry] does not, unless
	// the connection itself had ended or HandshakeTimeout had passed.
	OnConnect func(ctx context.Context, conn *ws.Conn) error

	// Outbox, if not nil, queues messages while there is no connection, and while
	// earlier messages are still queued. nil means that Send waits.
	Outbox *Outbox

	// OnLost, if not nil, is called with each message that Send accepted (returned
	// nil for) and that did not arrive, or may not have arrived. The function owns
	// the message's data. err is [errors.ErrNotSent] for a message that the outbox
	// dropped, or that was still in it when the Client ended, and
	// [errors.ErrUnconfirmed] for a message that was sent on a connection that ended
	// before the peer confirmed it.
	//
	// Confirmation needs a DialOptions.Heartbeat that the peer answers. The Client
	// then keeps a copy of each unconfirmed message, asks for confirmation at most
	// ten times a second, and Send waits while more than DialOptions.SendBuffer
	// bytes are unconfirmed. Without a Heartbeat, the Client does not track messages
	// after a connection has accepted them.
	OnLost func(m ws.Message, err error)

	// MaxUnread limits the bytes of messages that have arrived and were not received;
	// each message counts 32 bytes more than its data. While a connection is open, the
	// Client stops reading from it at DialOptions.ReceiveBuffer, which slows the server
	// down; by default natively at 8 MiB, or half of MaxUnread if that is less. If more
	// than that arrives before the end of the connection, the Client notices the end
	// only after some messages are received. Unread messages of a connection that has
	// ended are kept up to MaxUnread, so that they do not delay the next connection.
	// Above it the oldest messages are dropped, and Receive reports that. 0 means 16
	// MiB, a negative number no limit.
	MaxUnread int
}

// DefaultMaxUnread is 16 MiB.
const DefaultMaxUnread = 16 << 20

// Client is one handle on a series of connections: it reconnects as [Connections]
// does, and sends and receives on the current connection. All methods may be called
// from many goroutines at the same time.
//
// Messages are sent at most once, and in order: a message that was in transit when
// its connection broke is not sent again, because the peer may have received it.
// OnLost reports these messages. The Client cannot know which messages the peer sent
// while there was no connection; the application can ask for them in OnConnect.
type Client struct {
	redialer  *redialer
	onConnect func(context.Context, *ws.Conn) error
	onLost    func(ws.Message, error)
	outbox    *Outbox
	ctx       context.Context
	cancel    context.CancelFunc
	changes   chan State
	done      chan struct{}

	config     ws.Config // of every connection
	inbox      driver.Inbox
	inboxLimit int           // bytes at which the Client stops reading from an open connection
	maxUnread  int           // bytes at which messages are dropped
	dropped    atomic.Int64  // messages that no Receive has reported
	room       chan struct{} // holds one signal that a message was received

	mu       sync.Mutex
	changed  chan struct{} // closed when a field below has changed that a goroutine may wait for
	state    State
	conn     *ws.Conn                 // open, or in use by OnConnect
	link     *link                    // for sending, nil while there is none
	waiting  queue                    // the outbox
	draining bool                     // the oldest of waiting is being sent
	failed   error                    // OnConnect's error, until it is reported
	closing  *errors.ConnectionClosed // the arguments of Close
	err      error                    // why there will be no more connections
}

// NewClient returns a Client that connects to url at once, and again whenever
// the connection is lost, until ctx ends, Close is called, or trying again
// makes no sense.
//
// NewClient does not fail: if an option is invalid, the Client is Closed, and Err
// and State report the error.
func NewClient(ctx context.Context, url string, opts *ClientOptions) *Client {
	var o ClientOptions
	if opts != nil {
		o = *opts
	}
	return newClient(ctx, newRedialer(url, o.Reconnect), o)
}

func newClient(ctx context.Context, r *redialer, o ClientOptions) *Client {
	c := &Client{
		redialer:  r,
		onConnect: o.OnConnect,
		onLost:    o.OnLost,
		changes:   make(chan State, 1),
		changed:   make(chan struct{}),
		done:      make(chan struct{}),
		room:      make(chan struct{}, 1),
		maxUnread: o.MaxUnread,
	}
	c.ctx, c.cancel = context.WithCancel(ctx)
	var err error
	r.ReconnectOptions, err = r.withDefaults()
	c.config = r.Dial.config("").WithDefaults()
	if o.Outbox != nil && err == nil {
		var outbox Outbox
		outbox, err = o.Outbox.withDefaults()
		c.outbox = &outbox
	}
	if err != nil {
		c.finish(err)
		return c
	}
	switch {
	case c.maxUnread == 0:
		c.maxUnread = max(DefaultMaxUnread, c.config.ReceiveBuffer)
	case c.maxUnread < 0:
		c.maxUnread = math.MaxInt
	}
	if c.inboxLimit = min(c.config.ReceiveBuffer, c.maxUnread); c.inboxLimit <= 0 {
		c.inboxLimit = min(clientReadAhead, max(c.maxUnread/2, 1)) // 0 would accept no message
	}
	c.listen()
	c.state = State{Phase: Connecting, Attempts: 1}
	go c.run()
	return c
}

// Send sends m on the current connection, as [ws.Conn.Send] does: above the
// high-water mark it waits for space. Without a connection it waits for the next
// one, or, if there is an Outbox, queues m and returns. The caller may reuse the data
// when Send returns.
//
// A nil error means that m was accepted: it is sent once, or reported to OnLost. It
// does not mean that m arrived: a Client accepts messages until it knows that a
// connection has ended, and only OnLost and Confirm report whether messages arrived.
// Any other error means that m was not accepted and will not be sent. But if the error
// is a [*errors.ConnectionClosed] and the Client is not Closed, the connection broke
// during the call, and the peer may have received m. If ctx ends during a wait, the
// error is ctx.Err(). If the Outbox is full, it is [errors.ErrOutboxFull]. A message
// that could never be sent is refused with the error of [ws.Message.Check].
//
// In a browser, if Send, Receive, Flush, Confirm or Close would have to wait inside a
// JavaScript callback, it returns an [errors.ErrWouldBlock] instead. Close then still
// ends the Client.
func (c *Client) Send(ctx context.Context, m ws.Message) error {
	for {
		l, changed, err := c.route(m)
		switch {
		case l != nil:
			return c.sent(l, m, l.conn.Send(ctx, m))
		case changed == nil:
			return err
		case ctx.Err() != nil:
			return c.explain(ctx, "send")
		}
		if err := mayWait("Send", "there is no connection, or no room; set an Outbox, or call Send on another goroutine"); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// TrySend is like [Client.Send], but never waits, as [ws.Conn.TrySend]. If Send would
// wait, the error is [errors.ErrWouldBlock], and m was not accepted. This happens
// without a connection, unless an Outbox accepts m; above the high-water mark of the
// connection; and while more is unconfirmed than OnLost allows. TrySend may be called
// in JavaScript callbacks.
func (c *Client) TrySend(m ws.Message) error {
	l, changed, err := c.route(m)
	switch {
	case l != nil:
		return c.sent(l, m, l.conn.TrySend(m))
	case changed != nil:
		return errors.ErrWouldBlock
	}
	return err
}

// route decides where m goes. If it returns a link, the caller must send m on it. If it
// returns changed, the caller must try again after changed is closed. Otherwise m is in
// the outbox, or err says why m was refused.
func (c *Client) route(m ws.Message) (l *link, changed <-chan struct{}, err error) {
	if err := m.Check(c.config.MaxMessageSize); err != nil {
		return nil, nil, err
	}
	var dropped []ws.Message
	defer func() { c.lose(dropped, errors.ErrNotSent, errors.ErrOutboxFull) }()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.cause() != nil:
		return nil, nil, c.cause()
	case c.link.usable() && !c.queued():
		return c.link, nil, nil
	case c.outbox == nil:
		return nil, c.changed, nil
	}
	dropped, err = c.waiting.add(c.outbox, clone(m))
	if err == nil {
		c.wake()
	}
	return nil, nil, err
}

// queued reports whether the outbox holds unsent messages. mu must be held.
func (c *Client) queued() bool { return len(c.waiting.messages) > 0 || c.draining }

// sent tracks m after l's connection has returned err for it.
func (c *Client) sent(l *link, m ws.Message, err error) error {
	if err != nil || !l.tracked {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.over {
		return &lossError{errors.ErrUnconfirmed, l.conn.Err()}
	}
	l.track(clone(m))
	return nil
}

func clone(m ws.Message) ws.Message {
	m.Data = append([]byte(nil), m.Data...)
	return m
}

// Receive waits for the next message, on any connection. The caller owns its data.
//
// If ctx ends first, the error is ctx.Err(). When there will be no more connections and
// all messages that arrived were received, it is Err. After Close it is Err at once.
//
// Unread messages do not keep the Client from reconnecting. If more of them wait than
// ClientOptions.MaxUnread, the oldest are dropped, and one call returns an
// [errors.ErrNotReceived] in their place, with their number. The Client continues,
// and the next call returns the next message.
func (c *Client) Receive(ctx context.Context) (ws.Message, error) {
	if n := c.dropped.Swap(0); n > 0 {
		return ws.Message{}, &droppedError{n}
	}
	m, ok, err := c.inbox.Pull()
	if !ok && err == nil {
		if err := mayWait("Receive", "call it on another goroutine"); err != nil {
			return ws.Message{}, err
		}
		m, err = c.inbox.Receive(ctx)
	}
	switch {
	case err == nil:
		wish(c.room)
		return ws.Message(m), nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return ws.Message{}, c.explain(ctx, "receive")
	}
	return ws.Message{}, c.Err()
}

// Messages returns an iterator over the messages that Receive returns. It ends
// without an error when the Client has ended with [errors.NormalClosure], by its
// Close or by the server. It yields any other error and then ends, except that it
// continues after an [errors.ErrNotReceived].
func (c *Client) Messages(ctx context.Context) iter.Seq2[ws.Message, error] {
	return func(yield func(ws.Message, error) bool) {
		for {
			m, err := c.Receive(ctx)
			if errors.Is(err, errors.NormalClosure) {
				return
			}
			if !yield(m, err) || err != nil && !errors.Is(err, errors.ErrNotReceived) {
				return
			}
		}
	}
}

// Flush waits until no message that Send accepted is still in transit, as far as
// this side can know: the outbox is empty, and all messages were confirmed, or, if
// messages are not tracked (see OnLost), have left this process. If ctx ends first,
// the error is ctx.Err(). A lost message is not an error of Flush; OnLost reported it.
func (c *Client) Flush(ctx context.Context) error {
	for {
		c.mu.Lock()
		changed, l := c.changed, c.link
		switch {
		case c.cause() != nil:
			c.mu.Unlock()
			return c.Err()
		case c.queued():
		case l == nil:
			c.mu.Unlock()
			return nil
		case !l.tracked:
			c.mu.Unlock()
			if err := l.conn.Flush(ctx); errors.Is(err, errors.ErrWouldBlock) || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				return err
			}
			return nil
		case len(l.unconfirmed.messages) == 0:
			c.mu.Unlock()
			return nil
		default:
			wish(l.asking)
			wish(l.urgent)
		}
		c.mu.Unlock()
		if err := mayWait("Flush", "call it on another goroutine"); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return c.explain(ctx, "flush")
		}
	}
}

// Confirm waits until the peer has confirmed, by answering a heartbeat, that it has
// received all messages that Send and TrySend accepted before the call, including
// those in the outbox. Without a connection it waits for the next one.
//
// If a connection ends during the wait, some messages may be lost, and the error is an
// [errors.ErrUnconfirmed] that wraps the connection's end. If ctx ends first, the error
// is ctx.Err(), and when the Client has ended, it is Err. Without DialOptions.Heartbeat
// it is an [errors.ErrUnsupported]. The peer answers when it receives, and the answer
// is found after the messages that arrived before it: both ends must receive during
// the wait.
func (c *Client) Confirm(ctx context.Context) error {
	if c.config.Heartbeat == nil {
		return errNoHeartbeat
	}
	var first *link
	for {
		c.mu.Lock()
		changed, l, queued, err := c.changed, c.link, c.queued(), c.cause()
		c.mu.Unlock()
		switch {
		case err != nil:
			return err
		case first == nil:
			first = l
		case l != first:
			return &lossError{errors.ErrUnconfirmed, first.conn.Err()}
		}
		if l != nil && !queued {
			err := l.conn.Confirm(ctx)
			if _, ended := errors.AsType[*errors.ConnectionClosed](err); ended {
				err = &lossError{errors.ErrUnconfirmed, err}
			}
			return err
		}
		if err := mayWait("Confirm", "call it on another goroutine"); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return c.explain(ctx, "confirm")
		}
	}
}

// Probe makes the current connection send its heartbeat now, see [ws.Conn.Probe].
// Without a connection it does nothing.
func (c *Client) Probe() {
	if l := c.current(); l != nil {
		l.conn.Probe()
	}
}

// current returns the current link, nil if there is none.
func (c *Client) current() *link {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link
}

// Close ends the current connection, as [ws.Conn.Close] does, and stops
// reconnecting. Messages that were not received are dropped. Messages in the outbox
// are reported to OnLost: call Flush before Close to send them first. If OnLost tracks
// messages, Close first waits until the sent messages are confirmed, for at most half
// of DialOptions.CloseTimeout. It reports the messages that are not confirmed by then,
// whether the peer answers the close or not. Close returns when the connection is
// closed; Done is closed when the Client has ended completely. A second Close changes
// nothing.
func (c *Client) Close(reason errors.CloseReason, message string) error {
	if err := ws.CheckCloseReason(reason); err != nil {
		return err
	}
	c.mu.Lock()
	conn, l := c.conn, c.link
	if c.closing == nil && c.err == nil {
		c.closing = &errors.ConnectionClosed{Reason: reason, Message: message}
		c.wake()
		// The peer may take long to answer, and no caller waits for it here.
		c.inbox.End()
		c.inbox.Clear()
		c.dropped.Store(0)
		wish(c.room)
	}
	c.mu.Unlock()
	var err error
	if conn != nil {
		end := func() error {
			c.settle(l)
			return conn.Close(reason, message)
		}
		if err = mayWait("Close", "it goes on in the background; wait for Done on another goroutine"); err != nil {
			go func() {
				end()
				c.cancel()
			}()
			return err
		}
		err = end()
	}
	c.cancel()
	return err
}

// State returns the current state.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Changes returns a channel on which each new State is sent, including the first.
// Each call returns the same channel. It is closed after the last state, which is
// Closed. A slow reader misses states that were followed by others, but never the
// latest.
func (c *Client) Changes() <-chan State { return c.changes }

// Latency returns the latency of the current connection, see [ws.Conn.Latency], or 0
// if there is no connection.
func (c *Client) Latency() time.Duration {
	if l := c.current(); l != nil {
		return l.conn.Latency()
	}
	return 0
}

// Done returns a channel that is closed when the Client has ended: it is Closed,
// its goroutines have ended, and every loss has been reported.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns nil as long as there may be a connection. Afterwards it returns why
// there will be none: a [*errors.ConnectionClosed] with the arguments of Close; if
// ctx ended, one with [errors.GoingAway] that is also ctx.Err(); or the error after
// which trying again makes no sense.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause()
}

// cause is like Err. mu must be held.
func (c *Client) cause() error {
	if c.closing != nil {
		return c.closing
	}
	return c.err
}

// wake makes all goroutines that wait for a change check again. mu must be held.
func (c *Client) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// lose reports messages, without mu held.
func (c *Client) lose(messages []ws.Message, what, cause error) {
	if c.onLost == nil {
		return
	}
	for _, m := range messages {
		c.onLost(m, &lossError{what, cause})
	}
}

// setState publishes s.
func (c *Client) setState(s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = s
	for {
		select {
		case c.changes <- s:
			return
		default:
		}
		select {
		case <-c.changes:
		default:
		}
	}
}

// listen wraps the functions of the user and updates the state of the Client in them.
func (c *Client) listen() {
	r := c.redialer
	onAttempt, onDown, retry := r.OnAttempt, r.OnDown, r.Retry
	r.OnAttempt = func(a Attempt) {
		c.setState(State{Phase: Connecting, Err: c.State().Err, Attempts: a.Number})
		if onAttempt != nil {
			onAttempt(a)
		}
	}
	r.OnDown = func(d Down) {
		if err := c.takeFailed(); err != nil {
			d.Err = err
		}
		c.setState(State{Phase: Waiting, Err: d.Err, Attempts: d.Attempts, Next: time.Now().Add(d.Wait)})
		if onDown != nil {
			onDown(d)
		}
	}
	r.Retry = func(err error) bool {
		c.mu.Lock()
		closing := c.closing != nil
		c.mu.Unlock()
		return !closing && retry(err)
	}
}

// run is the Client's own goroutine.
func (c *Client) run() {
	var err error
	for conn, stop := range c.redialer.connections(c.ctx) {
		if stop != nil {
			err = stop
			gaveUp, ok := errors.AsType[*attemptsError](err)
			if failed := c.takeFailed(); ok && failed != nil {
				err = &attemptsError{gaveUp.attempts, failed}
			}
			break
		}
		if err = c.serve(conn); err != nil {
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
	c.err = err
	left := c.waiting.clear()
	attempts := c.state.Attempts
	c.wake()
	c.mu.Unlock()
	c.inbox.End()
	err = c.Err()
	c.lose(left, errors.ErrNotSent, err)
	c.setState(State{Phase: Closed, Err: err, Attempts: attempts})
	close(c.changes)
	close(c.done)
}

// takeFailed returns OnConnect's error if it has not been reported yet.
func (c *Client) takeFailed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.failed
	c.failed = nil
	return err
}

// explain returns the error of a wait that ctx ended, with the reason for the wait.
func (c *Client) explain(ctx context.Context, op string) error {
	return &downError{op: op, err: ctx.Err(), cause: context.Cause(ctx), state: c.State(), unread: c.inbox.Bytes(), limit: c.inboxLimit}
}

// downError is the error of a Client's wait that ended with its context.
type downError struct {
	op         string
	err, cause error
	state      State

	unread, limit int // bytes, of the unread messages
}

func (e *downError) Error() string {
	s := "websocket: " + e.op + ": " + e.err.Error()
	if e.cause != nil && e.cause != e.err {
		s += ": " + e.cause.Error()
	}
	if e.state.Phase != Connected {
		s += " while " + e.state.Phase.String()
		if e.state.Err != nil {
			s += ", because: " + e.state.Err.Error()
		}
	} else if e.unread >= e.limit {
		// The peer's confirmation arrives after the unread messages.
		s += " while " + strconv.Itoa(e.unread) + " bytes wait for Receive, and nothing more is read"
	}
	return s
}

func (e *downError) Unwrap() []error { return []error{e.err, e.cause} }

func (e *downError) Is(target error) bool { return target == errors.ErrWebSocket }

// Timeout reports whether a deadline ended the wait, as net.Error does.
func (e *downError) Timeout() bool { return errors.Is(e.err, context.DeadlineExceeded) }

// droppedError reports how many messages were dropped.
type droppedError struct{ messages int64 }

func (e *droppedError) Error() string {
	return errors.ErrNotReceived.Error() + ": " + strconv.FormatInt(e.messages, 10) + " over MaxUnread"
}

func (e *droppedError) Unwrap() error { return errors.ErrNotReceived }

var errNoHeartbeat error = &noHeartbeatError{}

type noHeartbeatError struct{}

func (*noHeartbeatError) Error() string {
	return "websocket: confirm: DialOptions.Heartbeat is not set: " + errors.ErrUnsupported.Error()
}

func (*noHeartbeatError) Unwrap() error { return errors.ErrUnsupported }

func (*noHeartbeatError) Is(target error) bool { return target == errors.ErrWebSocket }

// Phase is the current activity of a [Client].
type Phase uint8

// The phases of a Client.
const (
	// Connecting: an attempt is in progress, including OnConnect.
	Connecting Phase = iota
	// Connected: there is a connection, and messages are sent on it.
	Connected
	// Waiting: the Client waits before the next attempt.
	Waiting
	// Closed: there will be no more attempts.
	Closed
)

// String returns the name in lower case.
func (p Phase) String() string {
	switch p {
	case Connecting:
		return "connecting"
	case Connected:
		return "connected"
	case Waiting:
		return "waiting"
	case Closed:
		return "closed"
	}
	return "invalid phase " + strconv.Itoa(int(p))
}

// State describes the current activity of a [Client] and the reason for it.
type State struct {
	// Phase is the current activity.
	Phase Phase
	// Err says why the last connection ended or the last attempt failed. It is nil
	// before the first of them, and while Connected. When Closed it is the result of
	// Client.Err.
	Err error
	// Attempts is the number of attempts since the last stable connection, including
	// the current one.
	Attempts int
	// Next is when the next attempt will be made, while Waiting. Down.Wait says when
	// the attempt may be sooner or later.
	Next time.Time
}
