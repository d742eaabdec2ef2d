package ws

import (
	"strconv"
	"time"

	"github.com/isosocket/isosocket/errors"
)

// The defaults of Config.
const (
	// DefaultMaxMessageSize is 1 MiB.
	DefaultMaxMessageSize = 1 << 20
	// DefaultSendBuffer is 1 MiB.
	DefaultSendBuffer = 1 << 20
	// DefaultCloseTimeout is 5 seconds.
	DefaultCloseTimeout = 5 * time.Second
	// DefaultFragmentSize is 64 KiB.
	DefaultFragmentSize = 64 << 10
)

// Config configures a Conn. The zero value selects the defaults. A negative number is
// not allowed unless the field says what it means; see [Config.Check].
type Config struct {
	// Subprotocol is the one that the handshake agreed on, "" for none.
	Subprotocol string

	// Extensions is the result of [Conn.Extensions]: the extensions that the handshake
	// agreed on, "" for none. It has no effect on the transport.
	Extensions string

	// MaxMessageSize is the most bytes of data that one message may have, sent
	// or received. 0 means [DefaultMaxMessageSize], a negative number no limit.
	MaxMessageSize int

	// MaxStreamSize is the most bytes of data that one message may have that
	// [Conn.NextWriter] sends or [Conn.NextReader] receives. 0 means MaxMessageSize, a
	// negative number no limit; a limit below MaxMessageSize counts as that. While the
	// program does not receive, a message over MaxMessageSize waits until it does.
	MaxStreamSize int64

	// FragmentSize is the size in bytes of the fragments that NextWriter cuts a message
	// into (RFC 6455, section 5.4), before compression. A writer holds up to twice
	// as much in memory, or 256 KiB if that is more. 0 means [DefaultFragmentSize]. A browser does
	// not cut messages.
	FragmentSize int

	// SendBuffer is the high-water mark in bytes: while as many are queued,
	// Send waits. 0 means [DefaultSendBuffer].
	SendBuffer int

	// ReceiveBuffer bounds the bytes of messages that wait to be received,
	// where the transport has to queue them. 0 means the transport's own default.
	ReceiveBuffer int

	// CloseTimeout is how long Close waits for the peer's answer. 0 means
	// [DefaultCloseTimeout].
	CloseTimeout time.Duration

	// Supervised says that the creator of the Conn always closes it. The Conn then
	// needs no cleanup for a program that drops it without Close, which saves about
	// 130 bytes.
	Supervised bool

	// Heartbeat, if not nil, makes this side send heartbeats, to detect that the peer
	// is gone.
	Heartbeat *Heartbeat

	// AnswerHeartbeat, if not nil, makes Receive answer messages that equal its Message
	// with its Answer, and keep them from the application. While the program does not
	// receive, they are answered if the transport is a [driver.BackgroundReceiver] and all
	// earlier messages were received. Its times are not used.
	AnswerHeartbeat *Heartbeat
}

// Check returns an error that names a field of c that cannot be used, and says why. A
// nil c is valid.
func (c *Config) Check() error {
	if c == nil {
		return nil
	}
	switch {
	case c.FragmentSize < 0:
		return &configError{"FragmentSize", strconv.Itoa(c.FragmentSize)}
	case c.SendBuffer < 0:
		return &configError{"SendBuffer", strconv.Itoa(c.SendBuffer)}
	case c.ReceiveBuffer < 0:
		return &configError{"ReceiveBuffer", strconv.Itoa(c.ReceiveBuffer)}
	case c.CloseTimeout < 0:
		return &configError{"CloseTimeout", c.CloseTimeout.String()}
	}
	limit := c.WithDefaults().MaxMessageSize
	if err := c.Heartbeat.Check(limit); err != nil {
		return err
	}
	return c.AnswerHeartbeat.Check(limit)
}

// configError is about a field whose value is negative.
type configError struct{ field, value string }

func (e *configError) Error() string {
	return "websocket: invalid option: " + e.field + " is negative: " + e.value
}

func (e *configError) Is(target error) bool { return target == errors.ErrWebSocket }

// WithDefaults returns c with its zero fields, except ReceiveBuffer, filled in, and a negative
// MaxMessageSize or MaxStreamSize as 0. Other negative numbers count as 0. A nil c is the zero
// Config.
func (c *Config) WithDefaults() Config {
	var d Config
	if c != nil {
		d = *c
	}
	switch {
	case d.MaxMessageSize == 0:
		d.MaxMessageSize = DefaultMaxMessageSize
	case d.MaxMessageSize < 0:
		d.MaxMessageSize = 0
	}
	switch {
	case d.MaxStreamSize < 0 || d.MaxMessageSize == 0:
		d.MaxStreamSize = 0
	default:
		d.MaxStreamSize = max(d.MaxStreamSize, int64(d.MaxMessageSize))
	}
	if d.FragmentSize <= 0 {
		d.FragmentSize = DefaultFragmentSize
	}
	if d.SendBuffer <= 0 {
		d.SendBuffer = DefaultSendBuffer
	}
	if d.CloseTimeout <= 0 {
		d.CloseTimeout = DefaultCloseTimeout
	}
	return d
}
