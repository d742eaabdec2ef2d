package hub

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// peer is a connection with its memberships.
type peer struct {
	hub    *Hub
	conn   *ws.Conn
	number uint64

	// handed is the last result of Buffered plus the bytes sent since then. It saves a
	// system call for each message.
	handed atomic.Int64

	mu          sync.Mutex
	memberships []*Membership
	ended       bool
}

// peer returns the peer of conn, which it watches from then on.
func (h *Hub) peer(conn *ws.Conn) (*peer, error) {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil, ErrClosed
	}
	p := h.peers[conn]
	if p != nil {
		h.mu.Unlock()
		return p, nil
	}
	h.number++
	p = &peer{hub: h, conn: conn, number: h.number}
	h.peers[conn] = p
	h.mu.Unlock()
	conn.AfterEnd(func() { h.peerEnded(p) })
	return p, nil
}

// add adds m to the memberships.
func (p *peer) add(m *Membership) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		if err := p.conn.Err(); err != nil {
			return err
		}
		return ErrClosed
	}
	for _, other := range p.memberships {
		if other.name == m.name {
			return &topicError{m.name, ErrMember}
		}
	}
	if limit := p.hub.limits.Topics; len(p.memberships) >= limit {
		return &LimitError{"Limits.Topics", limit, len(p.memberships) + 1}
	}
	p.memberships = append(p.memberships, m)
	return nil
}

func (p *peer) remove(m *Membership) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.memberships, m); i >= 0 {
		p.memberships = slices.Delete(p.memberships, i, i+1)
	}
}

// trySend sends a message of n bytes unless too many bytes are queued.
func (p *peer) trySend(m *ws.Prepared, n int) error {
	limit := p.hub.limits.Unread
	if handed := p.handed.Add(int64(n)); handed > int64(limit) {
		waiting := p.conn.Buffered()
		if waiting > 0 && waiting > limit-n {
			p.handed.Store(int64(waiting))
			return errors.ErrWouldBlock
		}
		p.handed.Store(int64(waiting + n))
	}
	return p.conn.TrySendPrepared(m)
}

// hasRead reports whether few enough bytes are queued for a slow member to continue.
func (p *peer) hasRead() bool { return p.conn.Buffered() <= p.hub.limits.Unread/2 }

// tooSlow closes the connection of a slow member.
func (p *peer) tooSlow() {
	p.hub.stats.disconnected.Add(1)
	p.conn.CloseNow(errors.TryAgainLater, "reads too slowly: "+strconv.Itoa(p.conn.Buffered())+" bytes wait")
}

// lostMessages closes the connection of a member to which a gap cannot be reported.
func (p *peer) lostMessages() {
	p.hub.stats.disconnected.Add(1)
	p.conn.CloseNow(errors.TryAgainLater, "messages were lost")
}

// endedPeers are peers whose connection has ended, and whose memberships are to end. Ending
// them takes locks that the goroutine which ends a connection may hold, so another
// goroutine does it for all.
type endedPeers struct {
	mu    sync.Mutex
	peers []*peer
	busy  bool
}

// peerEnded is called when the connection has ended.
func (h *Hub) peerEnded(p *peer) {
	q := &h.ended
	q.mu.Lock()
	defer q.mu.Unlock()
	q.peers = append(q.peers, p)
	if !q.busy {
		q.busy = true
		go h.endPeers()
	}
}

func (h *Hub) endPeers() {
	for {
		h.ended.mu.Lock()
		peers := h.ended.peers
		h.ended.peers = nil
		h.ended.busy = len(peers) > 0
		h.ended.mu.Unlock()
		if len(peers) == 0 {
			return
		}
		for _, p := range peers {
			h.endPeer(p)
		}
	}
}

func (h *Hub) endPeer(p *peer) {
	h.mu.Lock()
	if h.peers[p.conn] == p {
		delete(h.peers, p.conn)
	}
	h.mu.Unlock()
	p.mu.Lock()
	p.ended = true
	memberships := p.memberships
	p.memberships = nil
	p.mu.Unlock()
	for _, m := range memberships {
		m.end(true)
	}
}

// trySendOnce is trySend of a message that goes to this connection only.
func (p *peer) trySendOnce(m ws.Message) error { return p.trySend(ws.Prepare(m), len(m.Data)) }
