//go:build !js

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// What the server promises its clients, who check it.
const (
	// pushSendBuffer and pushMost bound what the server holds for a slow reader.
	pushSendBuffer = 64 << 10
	pushMost       = 16 << 10
	// A dying peer must be gone after these.
	headerTimeout = 3 * time.Second
	deadAfter     = 4 * time.Second
)

// question is what the parent process asks on the server's standard input, one in a line.
type question struct {
	// Measure asks for a sample.
	Measure bool `json:",omitempty"`
	// Arrived asks for the arrivals of these faulty clients.
	Arrived []uint64 `json:",omitempty"`
}

// answer is the answer on its standard output, one in a line. The first one comes without a
// question.
type answer struct {
	// Addresses are where the server listens; in the first answer only.
	Addresses addresses
	Sample    sample
	// Open is the number of open connections.
	Open int
	// Traffic is that of all connections.
	Received, Sent server.Traffic
	// Accepted is the number of connections so far.
	Accepted uint64
	// Churned is the number of churning connections that ended with the right reason.
	Churned uint64
	// Unsent is how many bytes wait for slow readers, Slow of which are connected.
	Unsent int64
	Slow   int
	// Arrived answers Arrived, in that order.
	Arrived []arrivals `json:",omitempty"`
	// Problems is how many there are, and Texts are the first.
	Problems int
	Texts    []string `json:",omitempty"`
	// Err says why the question could not be answered.
	Err string `json:",omitempty"`
}

// addresses are where the server listens: Push is for slow readers, and Dying for dying peers.
type addresses struct{ Steady, Push, Dying string }

// serve is the server process: it answers questions until input ends.
func serve(input io.Reader, output io.Writer) error {
	bodies() // so that they do not count as growth
	s, err := newService()
	if err != nil {
		return err
	}
	defer s.close()
	in, out := json.NewDecoder(input), json.NewEncoder(output)
	a := s.answer(question{Measure: true})
	a.Addresses = s.addresses
	for {
		if err := out.Encode(a); err != nil {
			return err
		}
		var q question
		if err := in.Decode(&q); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		a = s.answer(q)
	}
}

// service is the server with what it found.
type service struct {
	problems  problems
	addresses addresses
	http      []*http.Server
	endpoints map[string]*server.Endpoint
	serving   sync.WaitGroup
	churned   atomic.Uint64

	mu     sync.Mutex
	faulty map[uint64]*records
}

// records are the arrivals of a faulty client: those of its ended connections, and those of the
// connections after the first one that has not ended.
type records struct {
	ended arrivals
	open  []*record
}

type record struct {
	arrivals
	ended bool
}

// visitor is a connection's principal: what the query of its request says, and what arrived on it.
type visitor struct {
	client uint64
	echo   sequence

	// Of a churning client.
	byServer bool
	reason   errors.CloseReason
	message  string
	left     int // messages until the close

	record *record // of a faulty one
}

func newService() (*service, error) {
	s := &service{endpoints: make(map[string]*server.Endpoint), faulty: make(map[uint64]*records)}
	mux := http.NewServeMux()
	add := func(path string, e *server.Endpoint) {
		s.endpoints[path] = e
		mux.Handle(path, e)
	}
	options := func(change func(*server.Options)) *server.Options {
		// The timeouts are for busy machines.
		o := &server.Options{
			Authorize:    authorize,
			CloseTimeout: 30 * time.Second,
			PingTimeout:  2 * time.Minute,
			Compression:  &ws.Compression{},
		}
		change(o)
		return o
	}
	none := func(*server.Options) {}
	detach := func(o *server.Options) { o.Detach = true }
	parked := func(o *server.Options) { o.Detach, o.ReuseMessages = true, true }

	add("/echo/handler", server.Handler(s.echo, options(none)))
	add("/echo/detach", server.Handler(s.echo, options(detach)))
	add("/echo/takeover", server.Handler(s.echo, options(func(o *server.Options) { o.Compression.ContextTakeover = true })))
	add("/echo/messages", server.Messages(s.echoOne, options(parked)))

	churning := func(change func(*server.Options)) *server.Options {
		o := options(change)
		o.Observer = &server.Observer{ConnectionEnd: s.churnEnded}
		return o
	}
	add("/churn/handler", server.Handler(s.churn, churning(none)))
	add("/churn/detach", server.Handler(s.churn, churning(detach)))
	add("/churn/messages", server.Messages(s.churnOne, churning(parked)))

	faulty := func(change func(*server.Options)) *server.Options {
		o := options(change)
		o.PingInterval, o.PingTimeout, o.CloseTimeout = 2*time.Second, 4*time.Second, time.Second
		o.Observer = &server.Observer{ConnectionStart: s.faultyStarted, ConnectionEnd: s.faultyEnded}
		return o
	}
	add("/faulty/handler", server.Handler(s.faultyEcho, faulty(none)))
	add("/faulty/messages", server.Messages(s.faultyOne, faulty(parked)))

	slow := func(o *server.Options) {
		o.SendBuffer, o.Compression = pushSendBuffer, nil
		o.Observer = &server.Observer{ConnectionEnd: s.pushEnded}
	}
	add("/push/handler", server.Handler(s.push, options(slow)))
	add("/push/detach", server.Handler(s.push, options(func(o *server.Options) { slow(o); detach(o) })))

	dying := func(o *server.Options) {
		o.Authorize = nil
		o.PingInterval, o.PingTimeout, o.CloseTimeout = deadAfter/2, deadAfter/2, time.Second
	}
	add("/dying/handler", server.Handler(s.dying, options(dying)))
	add("/dying/messages", server.Messages(s.dyingOne, options(func(o *server.Options) { dying(o); parked(o) })))

	for _, l := range []struct {
		address       *string
		headerTimeout time.Duration // the others' requests may be late on a busy machine
		prepare       func(*net.TCPConn)
	}{
		{&s.addresses.Steady, patience, nil},
		// Small buffers of the kernel, which would otherwise hold megabytes for each slow reader.
		{&s.addresses.Push, patience, func(conn *net.TCPConn) { conn.SetWriteBuffer(pushSendBuffer) }},
		{&s.addresses.Dying, headerTimeout, nil},
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			s.close()
			return nil, err
		}
		*l.address = listener.Addr().String()
		h := &http.Server{Handler: mux, ReadHeaderTimeout: l.headerTimeout}
		if l.prepare != nil {
			h.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
				l.prepare(conn.(*net.TCPConn))
				return ctx
			}
		}
		s.http = append(s.http, h)
		s.serving.Go(func() { h.Serve(listener) })
	}
	return s, nil
}

func (s *service) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var closing sync.WaitGroup
	for _, e := range s.endpoints {
		closing.Go(func() { e.Shutdown(ctx) })
	}
	closing.Wait()
	for _, h := range s.http {
		h.Close()
	}
	s.serving.Wait()
}

func (s *service) answer(q question) (a answer) {
	var err error
	if q.Measure {
		if a.Sample, err = measure(); err != nil {
			a.Err = err.Error()
		}
	}
	for path, e := range s.endpoints {
		stats := e.Stats()
		a.Open += stats.Open
		a.Accepted += stats.Accepted
		add(&a.Received, stats.Received)
		add(&a.Sent, stats.Sent)
		if path == "/push/handler" || path == "/push/detach" {
			a.Unsent += stats.Unsent
			a.Slow += stats.Open
		}
	}
	for _, client := range q.Arrived {
		arrived, err := s.arrived(client)
		if err != nil {
			a.Err = err.Error()
		}
		a.Arrived = append(a.Arrived, arrived)
	}
	a.Churned = s.churned.Load()
	a.Problems, a.Texts = s.problems.list()
	return a
}

func add(sum *server.Traffic, t server.Traffic) {
	sum.Messages += t.Messages
	sum.Bytes += t.Bytes
	sum.WireBytes += t.WireBytes
}

// authorize returns the visitor that the request's query describes.
func authorize(r *http.Request) (any, error) {
	v, query := &visitor{}, r.URL.Query()
	number := func(name string) uint64 {
		n, err := strconv.ParseUint(query.Get(name), 10, 64)
		if err != nil {
			n = 0
		}
		return n
	}
	v.client = number("client")
	v.echo.client = v.client
	v.byServer = query.Get("by") == "server"
	v.reason = errors.CloseReason(number("reason"))
	v.message = query.Get("message")
	v.left = int(number("messages"))
	return v, nil
}

func visitorOf(conn *server.Conn) *visitor { return conn.Principal().(*visitor) }

// echo echoes, and checks that messages arrive once and in order.
func (s *service) echo(ctx context.Context, conn *server.Conn) error {
	for {
		m, err := conn.Receive(ctx)
		if err == nil {
			err = s.echoOne(ctx, conn, m)
		}
		if err != nil {
			return err
		}
	}
}

func (s *service) echoOne(ctx context.Context, conn *server.Conn, m ws.Message) error {
	v := visitorOf(conn)
	if err := v.echo.arrived(m); err != nil {
		s.problems.add("at the server, steady", v.client, err)
		return errors.CloseReason(4900)
	}
	return conn.Send(ctx, m)
}

// churn echoes the messages and then closes, or waits for the client to close.
func (s *service) churn(ctx context.Context, conn *server.Conn) error {
	for {
		m, err := conn.Receive(ctx)
		if err == nil {
			err = s.churnOne(ctx, conn, m)
		}
		if err != nil {
			return err
		}
	}
}

func (s *service) churnOne(ctx context.Context, conn *server.Conn, m ws.Message) error {
	v := visitorOf(conn)
	if err := v.echo.arrived(m); err != nil {
		s.problems.add("at the server, churning", v.client, err)
		return errors.CloseReason(4900)
	}
	if err := conn.Send(ctx, m); err != nil {
		return err
	}
	if v.left--; v.left == 0 && v.byServer {
		return &errors.ConnectionClosed{Reason: v.reason, Message: v.message}
	}
	return nil
}

// churnEnded checks why a churning connection ended.
func (s *service) churnEnded(_ context.Context, conn *server.Conn, result server.ConnectionResult) {
	v := visitorOf(conn)
	if err := checkEnd(result.Closed, v.reason, v.message, !v.byServer); err != nil {
		s.problems.add("at the server, churning", v.client, err)
		return
	}
	if v.left != 0 {
		s.problems.add("at the server, churning", v.client, fmt.Errorf("it ended with %d messages missing", v.left))
		return
	}
	s.churned.Add(1)
}

// checkEnd returns an error unless a connection ended with that reason and message.
func checkEnd(err error, reason errors.CloseReason, message string, remote bool) error {
	closed, ok := errors.AsType[*errors.ConnectionClosed](err)
	if !ok || closed == nil || closed.Reason != reason || closed.Message != message || closed.Remote != remote {
		return fmt.Errorf("it ended with %v, want %v, %q, by the peer: %t", err, reason, message, remote)
	}
	return nil
}

// faultyStarted begins the record of a connection. A client dials one after the other.
func (s *service) faultyStarted(_ context.Context, _ *http.Request, conn *server.Conn) context.Context {
	v := visitorOf(conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.faulty[v.client]
	if all == nil {
		all = &records{}
		s.faulty[v.client] = all
	}
	v.record = &record{}
	all.open = append(all.open, v.record)
	return nil
}

// faultyEnded ends it. The records of ended connections become one, so that a long run needs no
// more memory than a short one.
func (s *service) faultyEnded(_ context.Context, conn *server.Conn, _ server.ConnectionResult) {
	v := visitorOf(conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	v.record.ended = true
	all := s.faulty[v.client]
	for len(all.open) > 0 && all.open[0].ended {
		if err := all.ended.join(all.open[0].arrivals); err != nil {
			s.problems.add("at the server, faulty", v.client, err)
		}
		all.open[0] = nil
		all.open = all.open[1:]
	}
}

// arrived returns the arrivals of a client all of whose connections have ended.
func (s *service) arrived(client uint64) (arrivals, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.faulty[client]
	if all == nil {
		return arrivals{}, nil
	}
	if n := len(all.open); n > 0 {
		return arrivals{}, fmt.Errorf("client %d still has %d connections", client, n)
	}
	return all.ended, nil
}

func (s *service) faultyEcho(ctx context.Context, conn *server.Conn) error {
	for m, err := range conn.Messages(ctx) {
		if err == nil {
			err = s.faultyOne(ctx, conn, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// faultyOne records a message and echoes it.
func (s *service) faultyOne(ctx context.Context, conn *server.Conn, m ws.Message) error {
	v := visitorOf(conn)
	n, err := faultyScript(v.client).number(m)
	if err == nil {
		s.mu.Lock()
		err = v.record.add(n)
		s.mu.Unlock()
	}
	if err != nil {
		s.problems.add("at the server, faulty", v.client, err)
		return errors.CloseReason(4900)
	}
	return conn.Send(ctx, m)
}

// push sends numbered messages as fast as the client takes them.
func (s *service) push(ctx context.Context, conn *server.Conn) error {
	pushed := pushScript(visitorOf(conn).client)
	var buffer []byte
	for n := uint64(0); ; n++ {
		m := pushed.message(buffer, n)
		buffer = m.Data
		if err := conn.Send(ctx, m); err != nil {
			return err
		}
	}
}

// pushEnded checks that a slow reader was not given up.
func (s *service) pushEnded(_ context.Context, conn *server.Conn, result server.ConnectionResult) {
	if err := checkEnd(result.Closed, errors.NormalClosure, "", true); err != nil {
		s.problems.add("at the server, slow", visitorOf(conn).client, err)
	}
}

func (s *service) dying(ctx context.Context, conn *server.Conn) error {
	for m, err := range conn.Messages(ctx) {
		if err == nil {
			err = s.dyingOne(ctx, conn, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dyingOne is never called: no message of a dying peer is whole.
func (s *service) dyingOne(_ context.Context, _ *server.Conn, m ws.Message) error {
	s.problems.add("at the server, dying", 0, fmt.Errorf("a message of %d bytes arrived whose end was never sent", len(m.Data)))
	return nil
}
