package nats

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	natsio "github.com/nats-io/nats.go"
)

// getRequest is a request for messages of a stream: JSApiMsgGetRequest of nats-server, see ADR-31.
type getRequest struct {
	Seq       uint64   `json:"seq,omitempty"`
	LastFor   string   `json:"last_by_subj,omitempty"`
	NextFor   string   `json:"next_by_subj,omitempty"`
	Batch     int      `json:"batch,omitempty"`
	MultiLast []string `json:"multi_last,omitempty"`
}

// answer is what a batch request returned.
type answer struct {
	messages []stored
	pending  uint64 // how many more there are
	upTo     uint64 // of MultiLast: the stream's last sequence at the time, 0 if not known
}

func number(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) }

func formatNumber(n uint64) string { return strconv.FormatUint(n, 10) }

// bounded returns ctx with Options.Timeout.
func (e *Engine) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, e.options.Timeout)
}

// directSubject is where the servers of a stream answer requests for its messages.
func directSubject(stream string) string { return "$JS.API.DIRECT.GET." + stream }

// batch requests messages of a stream. Any server that stores it may answer, and may be a little behind.
func (e *Engine) batch(ctx context.Context, stream string, r getRequest) (*answer, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, failed("encode a request", err)
	}
	inbox := e.nc.NewInbox()
	sub, err := e.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, e.linkError("read history", err)
	}
	defer sub.Unsubscribe() // it fails only when the connection is closed
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return nil, e.linkError("read history", err)
	}
	if err := e.nc.PublishRequest(directSubject(stream), inbox, body); err != nil {
		return nil, e.linkError("read history", err)
	}
	a := &answer{}
	var last uint64
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, e.linkError("read history", err)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
			s, err := parseStored(m)
			if err != nil {
				return nil, failed("read history", err)
			}
			if s.last != last {
				return nil, failed("read history", errors.New("a part of an answer was lost"))
			}
			last = s.seq
			if s.packet, err = decode(m.Data); err != nil {
				e.report(failed("read history", err)) // and pass over it
			}
			a.messages = append(a.messages, s)
		case "204":
			if got, err := number(m.Header.Get("Nats-Last-Sequence")); err == nil && got != last {
				return nil, failed("read history", errors.New("the end of an answer was lost"))
			}
			a.pending, _ = number(m.Header.Get("Nats-Num-Pending"))
			a.upTo, _ = number(m.Header.Get("Nats-UpTo-Sequence"))
			return a, nil
		case "404":
			if len(a.messages) == 0 && (r.MultiLast == nil || strings.Contains(m.Header.Get("Description"), "No Results")) {
				return a, nil
			}
			fallthrough
		default:
			return nil, failed("read history", errors.New(status+" "+m.Header.Get("Description")))
		}
	}
}

// lastOf returns the last message of a subject; found is false if there is none.
func (e *Engine) lastOf(ctx context.Context, stream, subject string) (s stored, data []byte, found bool, err error) {
	body, err := json.Marshal(getRequest{LastFor: subject})
	if err != nil {
		return s, nil, false, failed("encode a request", err)
	}
	m, err := e.nc.RequestWithContext(ctx, directSubject(stream), body)
	if err != nil {
		return s, nil, false, e.linkError("read history", err)
	}
	switch status := m.Header.Get("Status"); status {
	case "":
	case "404":
		return s, nil, false, nil
	default:
		return s, nil, false, failed("read history", errors.New(status+" "+m.Header.Get("Description")))
	}
	if s, err = parseStored(m); err != nil {
		return s, nil, false, failed("read history", err)
	}
	if subject != e.markerSubject() {
		if s.packet, err = decode(m.Data); err != nil {
			e.report(failed("read history", err))
		}
	}
	return s, m.Data, true, nil
}

// linkError returns ErrDisconnected if there is no connection, and otherwise err with its step.
func (e *Engine) linkError(step string, err error) error {
	switch {
	case e.closed.Load():
		return errClosed
	case errors.Is(err, natsio.ErrReconnectBufExceeded), errors.Is(err, natsio.ErrConnectionReconnecting), errors.Is(err, natsio.ErrDisconnected),
		!e.nc.IsConnected():
		return ErrDisconnected
	}
	return failed(step, err)
}
