package nats

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/isosocket/isosocket/hub"
)

// storage is a stream with its epoch. It is not changed.
type storage struct {
	stream   string
	epoch    string // of the marker
	messages int64  // how many of a topic are kept without the one that begins it, -1 for all
	age, ids time.Duration
	marker   uint64 // sequence of the marker
	created  int64  // when the stream was made, in nanoseconds of Unix
	// highest is the highest sequence of a stored message that is known. It does not belong
	// to the value, but to the stream and the epoch.
	highest *atomic.Uint64
}

func (s *storage) at(seq uint64) hub.Position { return hub.MakePosition(s.epoch, seq) }

func (e *Engine) storedSubject(token string) string { return e.options.Prefix + storedPart + token }

func (e *Engine) liveSubject(token string) string { return e.options.Prefix + livePart + token }

func (e *Engine) markerSubject() string { return e.storedSubject(markerToken) }

// openStorage finds or makes the stream and its marker.
func (e *Engine) openStorage(ctx context.Context) error {
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	for {
		_, err := e.js.AccountInfo(ctx)
		if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
			return failed("JetStream is not available: enable it, or set Options.NoHistory", err)
		}
		if err == nil {
			var s *storage
			var info *jetstream.StreamInfo
			if s, info, err = e.look(ctx, nil, false); err == nil {
				e.storage.Store(s)
				s.saw(info.State.LastSeq)
				return nil
			}
		}
		var unusable *streamError
		if errors.As(err, &unusable) || !e.sleep(ctx, 100*time.Millisecond) {
			return failed("open the stream", err)
		}
	}
}

// errBehind says that the server that leads the stream does not have all that was stored. It may have just begun to lead.
var errBehind = errors.New("the stream's last sequence is below that of a stored message")

// errLeaderless says that the servers of the stream have not elected one that leads it.
var errLeaderless = errors.New("the stream has no leader")

// look returns the storage as it is now, and the state of the stream. known is the storage of
// before, nil at first. If the stream's last sequence has gone back, look returns errBehind,
// and with reset begins another epoch. If it was made again, its marker decides.
func (e *Engine) look(ctx context.Context, known *storage, reset bool) (*storage, *jetstream.StreamInfo, error) {
	before, resets := known, reset
	var highest uint64
	if known != nil {
		highest = known.highest.Load() // before it is compared with the stream
	}
	var stream jetstream.Stream
	var err error
	if known != nil {
		stream, err = e.js.Stream(ctx, known.stream)
	}
	if known == nil || errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = e.findStream(ctx)
	}
	if err != nil {
		return nil, nil, e.linkError("open the stream", err)
	}
	info := stream.CachedInfo()
	if info.Cluster != nil && info.Cluster.Leader == "" { // whoever has answered may be far behind
		return nil, nil, failed("check the stream", errLeaderless)
	}
	if err := e.usable(&info.Config); err != nil {
		return nil, nil, err
	}
	s := &storage{stream: info.Config.Name, messages: info.Config.MaxMsgsPerSubject, age: info.Config.MaxAge, ids: info.Config.Duplicates, created: info.Created.UnixNano()}
	if s.messages > 0 {
		s.messages--
	}
	switch {
	case known == nil || known.stream != s.stream:
		known, reset = nil, false
	case known.created != s.created: // it need not have as many messages
		reset = false
	case info.State.LastSeq >= highest:
		reset = false
	case !reset:
		return nil, nil, failed("check the stream", errBehind)
	}
	if err := e.mark(ctx, s, known, info, reset); err != nil {
		return nil, nil, err
	}
	if known != nil && known.epoch == s.epoch {
		s.highest = known.highest
		return s, info, nil
	}
	s.highest = new(atomic.Uint64)
	// The marker may be of a later stream with the same name than info, in which sequences are lower.
	if stream, err = e.js.Stream(ctx, s.stream); err != nil {
		return nil, nil, e.linkError("open the stream", err)
	}
	if !stream.CachedInfo().Created.Equal(info.Created) {
		return e.look(ctx, before, resets)
	}
	return s, info, nil
}

// findStream returns the stream that stores the topics, and makes it if there is none.
func (e *Engine) findStream(ctx context.Context) (jetstream.Stream, error) {
	name, err := e.js.StreamNameBySubject(ctx, e.markerSubject())
	if err == nil {
		return e.js.Stream(ctx, name)
	}
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, err
	}
	o := &e.options
	config := jetstream.StreamConfig{
		Name:              o.Prefix + "-" + nuid.Next(),
		Description:       "history of the topics of isosocket",
		Subjects:          []string{e.storedSubject("*")},
		MaxMsgsPerSubject: int64(o.Messages) + 1, // and the one that begins the topic
		MaxAge:            o.Age,
		MaxBytes:          o.Bytes,
		Duplicates:        o.IDs,
		Discard:           jetstream.DiscardOld,
		Replicas:          o.Replicas,
		AllowDirect:       true,
		RePublish:         &jetstream.RePublish{Source: e.storedSubject(">"), Destination: e.liveSubject(">")},
	}
	if o.InMemory {
		config.Storage = jetstream.MemoryStorage
	}
	if config.Replicas == 0 {
		config.Replicas = 1
		if e.nc.ConnectedClusterName() != "" {
			config.Replicas = 3
		}
	}
	stream, err := e.js.CreateStream(ctx, config)
	const overlap = 10065 // another engine was first
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == overlap {
		if name, err = e.js.StreamNameBySubject(ctx, e.markerSubject()); err != nil {
			return nil, err
		}
		return e.js.Stream(ctx, name)
	}
	return stream, err
}

// usable returns why a stream that somebody else made cannot be used.
func (e *Engine) usable(c *jetstream.StreamConfig) error {
	refuse := func(why string) error { return &streamError{c.Name, why} }
	switch r := c.RePublish; {
	case len(c.Subjects) != 1 || c.Subjects[0] != e.storedSubject("*"):
		return refuse("its subjects are " + strings.Join(c.Subjects, ", ") + "; allowed is " + e.storedSubject("*"))
	case r == nil || r.Source != e.storedSubject(">") || r.Destination != e.liveSubject(">") || r.HeadersOnly:
		return refuse("it does not republish " + e.storedSubject(">") + " to " + e.liveSubject(">"))
	case !c.AllowDirect:
		return refuse("it does not allow direct access")
	case c.Discard != jetstream.DiscardOld:
		return refuse("it does not discard old messages")
	case c.Retention != jetstream.LimitsPolicy:
		return refuse("its retention is not limits")
	case c.SubjectTransform != nil:
		return refuse("it transforms subjects")
	}
	return nil
}

// mark finds or makes the marker of a stream, and sets the epoch.
func (e *Engine) mark(ctx context.Context, s, known *storage, info *jetstream.StreamInfo, reset bool) error {
	lost := reset
	for {
		m, id, found, err := e.lastOf(ctx, s.stream, e.markerSubject())
		if err != nil {
			return err
		}
		epoch, expected := "", uint64(0)
		switch {
		case found && reset && string(id) == known.epoch:
			expected = m.seq // it is a copy of the marker of before, of which nothing follows
		case found && !e.ageing(s, &m, info):
			s.epoch, s.marker = string(id), m.seq
			return nil
		case found:
			epoch, expected = string(id), m.seq
		case known != nil && !reset:
			// It may have been dropped as too old, also since info was requested.
			stream, err := e.js.Stream(ctx, s.stream)
			if err != nil {
				return e.linkError("open the stream", err)
			}
			if now := stream.CachedInfo(); now.Created.UnixNano() == known.created && now.State.FirstSeq > known.marker && now.State.LastSeq >= info.State.LastSeq {
				epoch = known.epoch
			}
		}
		if epoch == "" {
			epoch = nuid.Next()
		}
		msg := natsio.NewMsg(e.markerSubject())
		msg.Data = []byte(epoch)
		if lost { // unless the leader has more than whoever has answered for it
			msg.Header.Set(jetstream.ExpectedLastSeqHeader, formatNumber(info.State.LastSeq))
		}
		ack, err := e.store(ctx, msg, s.stream, &expected, "")
		switch {
		case err == nil && known != nil && epoch == known.epoch && ack.Sequence <= info.State.LastSeq:
			reset = true // the stream was made again meanwhile: the epoch is not of this one
		case err == nil:
			s.epoch, s.marker = epoch, ack.Sequence
			return nil
		case lost || !isWrongLast(err):
			return e.linkError("mark the stream", err)
		case !e.sleep(ctx, 20*time.Millisecond): // another engine was first
			return ctx.Err()
		}
	}
}

// ageing reports whether the marker must be renewed, because it is among the older half of
// the messages, by time or number.
func (e *Engine) ageing(s *storage, m *stored, info *jetstream.StreamInfo) bool {
	first, last := info.State.FirstSeq, info.State.LastSeq
	return s.age > 0 && info.TimeStamp.Sub(m.time) > s.age/2 ||
		info.Config.MaxBytes > 0 && last > first+100 && m.seq < first+(last-first)/2
}

// store publishes a message to the stream. expected, if not nil, is the sequence that the
// last message of its subject must have.
func (e *Engine) store(ctx context.Context, m *natsio.Msg, stream string, expected *uint64, id string) (*jetstream.PubAck, error) {
	m.Header.Set(jetstream.ExpectedStreamHeader, stream)
	if expected != nil {
		m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, formatNumber(*expected))
	}
	if id != "" {
		m.Header.Set(jetstream.MsgIDHeader, id)
	}
	return e.js.PublishMsg(ctx, m)
}

// saw notes a sequence of the stream.
func (s *storage) saw(seq uint64) {
	for {
		known := s.highest.Load()
		if seq <= known || s.highest.CompareAndSwap(known, seq) {
			return
		}
	}
}

func isWrongLast(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}
