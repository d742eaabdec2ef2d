package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/chat"
	"github.com/isosocket/isosocket/ws"
)

// dialTimeout bounds the time in the status "connecting".
const dialTimeout = 10 * time.Second

// link manages the connection to the server: it is the only code that connects, reconnects and
// receives. It sends every event to events. Its methods belong to one goroutine.
type link struct {
	url string
	// stubborn says whether to try again if the first connection fails.
	stubborn  bool
	heartbeat ws.Heartbeat
	events    *mailbox[linkEvent]

	opens  int                // number of calls of open
	cancel context.CancelFunc // ends the attempts of the last one
}

// linkEvent is something that happened on the link.
type linkEvent struct {
	open int // the number of the call of open
	kind linkEventKind
	at   time.Time

	conn    *connection  // of linkUp
	message chat.Message // of linkMessage
	err     error        // of linkDown and linkOver: why the connection ended, or could not be opened
	until   time.Time    // of linkDown: when the next attempt will be made
}

type linkEventKind uint8

const (
	linkDialing linkEventKind = iota + 1 // an attempt starts
	linkUp                               // there is a connection
	linkMessage                          // a message arrived
	linkDown                             // the connection is gone; another attempt will follow
	linkOver                             // the connection is gone; no attempt follows
)

func newLink(url string, stubborn bool) *link {
	return &link{
		url:       url,
		stubborn:  stubborn,
		heartbeat: ws.Heartbeat{Every: 5 * time.Second, Timeout: 5 * time.Second},
		events:    newMailbox[linkEvent](),
		cancel:    func() {},
	}
}

// open connects and receives, and reconnects when that makes sense, until ctx ends, the
// connection is closed and not retried, or open is called again. It does not wait. There must be
// no open connection.
func (l *link) open(ctx context.Context) {
	l.cancel()
	ctx, l.cancel = context.WithCancel(ctx)
	l.opens++
	a := &attempts{open: l.opens, worthwhile: l.stubborn || l.opens > 1, heartbeat: l.heartbeat, events: l.events}
	go a.run(ctx, l.url)
}

// current reports whether e comes from the last call of open.
func (l *link) current(e linkEvent) bool { return e.open == l.opens }

// attempts holds the state of one call of open.
type attempts struct {
	open       int
	worthwhile bool // whether to try again after a failure
	heartbeat  ws.Heartbeat
	events     *mailbox[linkEvent]
	closed     error // the error of this side's close of the last connection, nil if it did not close
}

func (a *attempts) run(ctx context.Context, url string) {
	for conn, err := range isosocket.Connections(ctx, url, &isosocket.ReconnectOptions{
		Dial: &isosocket.DialOptions{
			Subprotocols:     []string{chat.Subprotocol},
			HandshakeTimeout: dialTimeout,
			Heartbeat:        &a.heartbeat,
		},
		Retry:     a.retry,
		OnAttempt: func(isosocket.Attempt) { a.tell(linkEvent{kind: linkDialing}) },
		OnDown: func(d isosocket.Down) {
			a.tell(linkEvent{kind: linkDown, err: d.Err, until: time.Now().Add(d.Wait)})
		},
	}) {
		if err != nil {
			if a.closed != nil {
				err = a.closed
			}
			a.tell(linkEvent{kind: linkOver, err: err})
			return
		}
		a.worthwhile = true
		a.closed = a.receive(ctx, &connection{Conn: conn, closes: make(chan error, 1)})
	}
}

// retry decides whether to connect again.
func (a *attempts) retry(err error) bool {
	return a.closed == nil && a.worthwhile && isosocket.DefaultRetry(err)
}

// receive passes messages on until the connection ends. If this side closed it, receive returns
// the error of the close.
func (a *attempts) receive(ctx context.Context, conn *connection) error {
	stop := context.AfterFunc(ctx, func() { conn.close(errors.GoingAway, "") })
	defer stop()
	a.tell(linkEvent{kind: linkUp, conn: conn})
	for {
		m, err := conn.Receive(context.Background())
		if err != nil {
			return conn.closed()
		}
		at := time.Now()
		message, err := chat.DecodeEvent(m.Data)
		if violation, ok := errors.AsType[*chat.Violation](err); ok {
			conn.close(violation.Reason, violation.Message)
			continue // the next Receive returns the end
		}
		a.events.push(linkEvent{open: a.open, kind: linkMessage, at: at, message: message})
	}
}

func (a *attempts) tell(e linkEvent) {
	e.open, e.at = a.open, time.Now()
	a.events.push(e)
}

// connection is a connection that can be closed without waiting.
type connection struct {
	*ws.Conn
	closing atomic.Bool
	closes  chan error
}

// close closes the connection with a reason of this side. It does not wait: the link sends an
// event when the server has answered or the timeout has passed.
func (c *connection) close(reason errors.CloseReason, message string) {
	if c.Err() != nil || !c.closing.CompareAndSwap(false, true) {
		return
	}
	go func() {
		err := c.Close(reason, message)
		if err == nil {
			err = c.Err()
		}
		c.closes <- err
	}()
}

// closed waits for close, if it was called, and returns its error. It returns nil if close was
// not called.
func (c *connection) closed() error {
	if !c.closing.Load() {
		return nil
	}
	return <-c.closes
}
