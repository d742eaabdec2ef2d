package wstest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// PipeTarget returns a target whose connections are made by pipe, such as
// [ws.Pipe]: two connected Conns in memory. The behaviours of the test server
// that make sense without a network are implemented by the second Conn; the other cases are
// skipped, with the reason.
func PipeTarget(pipe func(a, b *ws.Config) (*ws.Conn, *ws.Conn)) Target {
	p := &pipeServer{pipe: pipe, records: make(map[string]*pipeRecord)}
	skip := make(map[string]string)
	for _, c := range Cases() {
		if !slices.Contains(pipeCases, c.ID) {
			skip[c.ID] = "it needs a network, frames or a handshake, which a pipe does not have"
		}
	}
	return Target{Name: "pipe", Class: Native, Server: Addresses{URL: "pipe:", Control: "pipe:"}, Dial: p.dial, Skip: skip}
}

// pipeCases are the cases that a pipe can show.
var pipeCases = []string{"P01", "P02", "P04", "P05", "P08", "P10", "P11", "P15", "P17", "P18", "P21", "P22", "P24", "P36", "P45"}

// pipeServer takes the place of the test server.
type pipeServer struct {
	pipe func(a, b *ws.Config) (*ws.Conn, *ws.Conn)

	mu      sync.Mutex
	records map[string]*pipeRecord
}

// pipeRecord holds the events that the peer of one connection saw.
type pipeRecord struct {
	events []string
	over   chan struct{}
}

func (p *pipeServer) record(id string) *pipeRecord {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.records[id]
	if r == nil {
		r = &pipeRecord{over: make(chan struct{})}
		if id != "" {
			p.records[id] = r
		}
	}
	return r
}

func (p *pipeServer) dial(ctx context.Context, address string, o *Options) (*ws.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, &errors.ConnectionError{URL: address, Err: err}
	}
	path, query, _ := strings.Cut(strings.TrimPrefix(address, "pipe:"), "?")
	q, err := url.ParseQuery(query)
	behaviour := pipeBehaviours[path]
	if err == nil && behaviour == nil && path != "/observed" {
		err = fmt.Errorf("there is no behaviour %q", path)
	}
	if err != nil {
		return nil, &errors.ConnectionError{URL: address, Err: err}
	}
	near, far := p.pipe(&ws.Config{
		MaxMessageSize: o.MaxMessageSize,
		MaxStreamSize:  o.MaxStreamSize,
		FragmentSize:   o.FragmentSize,
		SendBuffer:     o.SendBuffer,
		ReceiveBuffer:  o.ReceiveBuffer,
		CloseTimeout:   o.CloseTimeout,
	}, &ws.Config{MaxMessageSize: -1})
	record := p.record(q.Get("id"))
	if path == "/observed" {
		go p.observed(far, record, q.Get("id"))
		return near, nil
	}
	go func() {
		behaviour(far, q, record)
		close(record.over)
	}()
	return near, nil
}

// observed answers with the events that the peer of another connection saw.
func (p *pipeServer) observed(far *ws.Conn, record *pipeRecord, id string) {
	<-record.over
	text, err := json.Marshal(record.events)
	if err != nil { // strings always encode
		panic(err)
	}
	_ = far.Send(context.Background(), ws.Text(string(text)))
	p.mu.Lock()
	delete(p.records, id)
	p.mu.Unlock()
	pipeDrain(far)
}

// pipeDrain receives until the connection ends, and returns the error.
func pipeDrain(far *ws.Conn) error {
	for {
		if _, err := far.Receive(context.Background()); err != nil {
			return err
		}
	}
}

var pipeBehaviours = map[string]func(far *ws.Conn, q url.Values, record *pipeRecord){
	"/echo":  pipeEcho,
	"/burst": pipeBurst,
	"/close": pipeClose,
}

func pipeEcho(far *ws.Conn, _ url.Values, record *pipeRecord) {
	for {
		m, err := far.Receive(context.Background())
		if err != nil {
			if closed, ok := errors.AsType[*errors.ConnectionClosed](err); ok && closed.Remote {
				record.events = append(record.events, fmt.Sprintf("close %d %q", uint16(closed.Reason), closed.Message))
			}
			return
		}
		record.events = append(record.events, DescribeMessage(m))
		_ = far.Send(context.Background(), m) // messages before the end are received even if this fails
	}
}

func pipeBurst(far *ws.Conn, q url.Values, record *pipeRecord) {
	n, _ := strconv.Atoi(q.Get("n"))
	size, _ := strconv.Atoi(q.Get("size"))
	for i := range n {
		b := strconv.AppendInt(nil, int64(i), 10)
		for len(b) < size {
			b = append(b, '-')
		}
		if far.Send(context.Background(), ws.Message{Kind: ws.KindText, Data: b}) != nil {
			return
		}
	}
	if reason, _ := strconv.Atoi(q.Get("close")); reason != 0 {
		_ = far.Close(errors.CloseReason(reason), q.Get("message"))
		return
	}
	pipeEcho(far, q, record)
}

func pipeClose(far *ws.Conn, q url.Values, _ *pipeRecord) {
	reason, _ := strconv.Atoi(q.Get("code"))
	_ = far.Close(errors.CloseReason(reason), q.Get("message"))
}
