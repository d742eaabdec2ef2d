package nats

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/isosocket/isosocket/hub"
)

var errClosed = hub.ErrClosed

// Engine is a [hub.Engine] that uses NATS. [Connect] returns one. One per program is enough:
// it serves any number of topics and several Hubs.
type Engine struct {
	options Options
	name    string // of this machine; the epoch of its messages that are not stored
	nc      *natsio.Conn
	js      jetstream.JetStream
	queue   chan *natsio.Msg // messages of topics
	poke    chan struct{}    // wakes the keeper; one element
	ended   chan struct{}    // closed by Close
	closed  atomic.Bool
	work    sync.WaitGroup

	storage atomic.Pointer[storage] // nil without history
	number  atomic.Uint64           // the last offset of messages that are not stored

	// mu guards topics. The order of locks: presence.mu, mu, topic.mu.
	mu     sync.RWMutex
	topics map[string]*topic // by token

	presence presence
	keeper   keeper
	marker   verifier
	link     link
}

var _ hub.Engine = (*Engine)(nil)

// Connect connects to NATS, and returns an engine that the program must close after the Hub.
// url is one or several addresses of servers, separated by commas. It creates the stream if
// there is none. ctx bounds the call. Errors name an invalid option, a stream that cannot be
// used, or why NATS or JetStream cannot be reached.
func Connect(ctx context.Context, url string, o *Options) (*Engine, error) {
	d, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	connection, err := d.connection(url)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		options: d,
		name:    nuid.Next(),
		queue:   make(chan *natsio.Msg, d.Queue),
		poke:    make(chan struct{}, 1),
		ended:   make(chan struct{}),
		topics:  make(map[string]*topic),
	}
	e.keeper.start = time.Now()
	e.presence.init(e)
	e.link.hook(e, &connection)
	if e.nc, err = dial(ctx, connection); err != nil {
		return nil, failed("connect", err)
	}
	e.link.note(true, nil)
	if err := e.open(ctx); err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

// dial connects until ctx ends.
func dial(ctx context.Context, o natsio.Options) (*natsio.Conn, error) {
	type result struct {
		nc  *natsio.Conn
		err error
	}
	done := make(chan result, 1)
	go func() {
		nc, err := o.Connect()
		done <- result{nc, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		go func() {
			if r := <-done; r.nc != nil {
				r.nc.Close()
			}
		}()
		return nil, ctx.Err()
	}
	for r.err == nil && !r.nc.IsConnected() { // the option RetryOnFailedConnect
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			r.nc.Close()
			return nil, ctx.Err()
		}
	}
	return r.nc, r.err
}

// open starts everything.
func (e *Engine) open(ctx context.Context) error {
	if !e.options.NoHistory {
		js, err := jetstream.New(e.nc)
		if err != nil {
			return failed("JetStream", err)
		}
		e.js = js
		if err := e.openStorage(ctx); err != nil {
			return err
		}
	}
	e.work.Go(e.dispatch)
	e.work.Go(e.keep)
	return e.presence.open()
}

// stop ends everything.
func (e *Engine) stop() {
	e.closed.Store(true)
	close(e.ended)
	e.nc.Close()
	e.work.Wait()
}

// Close implements [hub.Engine]. It tells other machines that this one is gone, and closes the connection.
func (e *Engine) Close(ctx context.Context) error {
	if !e.closed.CompareAndSwap(false, true) {
		return errClosed
	}
	e.presence.leave()
	if e.nc.IsConnected() {
		bounded, cancel := context.WithTimeout(ctx, min(time.Second, e.options.Timeout))
		defer cancel()
		e.nc.FlushWithContext(bounded) // an error costs the others a lease
	}
	e.mu.Lock()
	for _, t := range e.topics {
		t.end()
	}
	clear(e.topics)
	e.mu.Unlock()
	e.stop()
	return nil
}

// Status is the state of an [Engine].
type Status struct {
	// Connected reports whether there is a connection to NATS, Since since when that is so.
	Connected bool
	Since     time.Time
	// Server is the address of the server, or of the last one.
	Server string
	// Err is why the connection was lost, if it is not there.
	Err error
	// History reports whether topics can have history, Stream is the name of the stream.
	History bool
	Stream  string
	// Machine is the name of this machine, Machines are those of the others that are known.
	Machine  string
	Machines []string
	// Topics is how many topics are subscribed to.
	Topics int
	// Lost counts lost connections, Overflows the times that Options.Queue was full, Doubts
	// the topics of which messages may have been lost on their way to this machine.
	Lost, Overflows, Doubts uint64
}

// Status returns the state.
func (e *Engine) Status() Status {
	s := Status{Machine: e.name, History: e.js != nil}
	e.link.status(&s)
	s.Server = e.nc.ConnectedUrlRedacted()
	if st := e.storage.Load(); st != nil {
		s.Stream = st.stream
	}
	e.mu.RLock()
	s.Topics = len(e.topics)
	e.mu.RUnlock()
	s.Machines = e.presence.others()
	return s
}

// report reports a failure in the background.
func (e *Engine) report(err error) {
	if e.options.Trace.Failed != nil && err != nil && !e.closed.Load() {
		e.options.Trace.Failed(err)
	}
}

// wake makes the keeper check at once.
func (e *Engine) wake() {
	select {
	case e.poke <- struct{}{}:
	default:
	}
}

// sleep waits, and reports false if the engine is closed meanwhile.
func (e *Engine) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-e.ended:
	}
	return false
}
