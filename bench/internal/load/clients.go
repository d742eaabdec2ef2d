package load

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/bench/internal/latency"
	"github.com/isosocket/isosocket/bench/internal/wire"
)

// patience bounds the wait for a reply.
const patience = 30 * time.Second

// Clients are connections to a measured server.
type Clients struct {
	// Agreed is the server's answer to the offered extensions.
	Agreed string

	conns   []*client
	dialer  *wire.Dialer
	closing atomic.Bool
	timing  atomic.Bool
	pushed  atomic.Pointer[time.Time] // by Pushed
	failure atomic.Pointer[error]
	done    sync.WaitGroup
}

type client struct {
	counter
	conn    net.Conn
	rest    []byte // arrived with the handshake
	scanner wire.Scanner
	sent    int // messages of the script sent
	times   *latency.Histogram
}

// Open opens n connections to address over network, several at a time, and offers extensions.
func Open(network wire.Network, address string, n int, extensions string) (*Clients, error) {
	c := &Clients{conns: make([]*client, n), dialer: wire.NewDialer(network, address)}
	var next atomic.Int64
	for range min(n, 32) {
		c.done.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || c.failure.Load() != nil {
					return
				}
				conn, agreed, rest, err := c.dialer.Dial(extensions)
				if err != nil {
					c.fail(err)
					return
				}
				if i == 0 {
					c.Agreed = agreed
				}
				c.conns[i] = &client{conn: conn, rest: rest}
			}
		})
	}
	c.done.Wait()
	if err := c.Err(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Clients) fail(err error) {
	if !c.closing.Load() {
		c.failure.CompareAndSwap(nil, &err)
	}
}

// Err returns the first error, or nil.
func (c *Clients) Err() error {
	if err := c.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Close disconnects without closing handshakes and waits for all goroutines.
func (c *Clients) Close() {
	c.closing.Store(true)
	for _, k := range c.conns {
		if k != nil {
			k.conn.Close()
		}
	}
	c.dialer.Close()
	c.done.Wait()
}

// Count returns the replies so far.
func (c *Clients) Count() Count {
	var sum Count
	for _, k := range c.conns {
		sum.Messages += k.messages.Load()
		sum.Bytes += k.bytes.Load()
	}
	sum.At = time.Now()
	return sum
}

// Time switches the timing of round trips on or off.
func (c *Clients) Time(on bool) { c.timing.Store(on) }

// Pushed starts the time of the messages that arrive from now on, for ReadMarked.
func (c *Clients) Pushed() {
	now := time.Now()
	c.pushed.Store(&now)
}

// Times returns the durations of the timed round trips, or deliveries.
func (c *Clients) Times() *latency.Counts {
	sum := new(latency.Counts)
	for _, k := range c.conns {
		if k.times != nil {
			sum.Add(k.times)
		}
	}
	return sum
}

// each runs f for every connection, each on its own goroutine.
func (c *Clients) each(f func(*client) error) {
	for _, k := range c.conns {
		c.done.Go(func() {
			if err := f(k); err != nil {
				c.fail(err)
			}
		})
	}
}

// Echo keeps depth messages of script in flight on every connection: it sends them at once, and
// the next ones after all replies have arrived. It compares the first reply of every connection
// with the message.
func (c *Clients) Echo(script *wire.Script, depth, buffer int) {
	var same []byte
	if len(script.Again) == 1 && bytes.Equal(script.First[0], script.Again[0]) {
		same = bytes.Repeat(script.Again[0], depth)
	}
	c.each(func(k *client) error {
		k.times = new(latency.Histogram)
		buf := make([]byte, buffer)
		if err := k.compareFirst(script, buf); err != nil {
			return err
		}
		var batch []byte
		for !c.closing.Load() {
			if batch = same; same == nil {
				batch = batch[:0]
				for range depth {
					batch = append(batch, script.Frame(k.sent)...)
					k.sent++
				}
			}
			start := time.Now()
			if _, err := k.conn.Write(batch); err != nil {
				return err
			}
			if err := k.await(depth, buf); err != nil {
				return err
			}
			if c.timing.Load() {
				k.times.Record(time.Since(start))
			}
		}
		return nil
	})
}

// compareFirst sends the first message and compares the reply with it.
func (k *client) compareFirst(script *wire.Script, buf []byte) error {
	if _, err := k.conn.Write(script.Frame(0)); err != nil {
		return err
	}
	k.sent = 1
	if err := k.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	stream := k.rest
	k.rest = nil
	for {
		data, ok, err := wire.Message(stream)
		if err != nil {
			return err
		}
		if ok {
			if !bytes.Equal(data, script.Documents[0]) {
				return errors.New("load: the reply differs from the message")
			}
			break
		}
		n, err := k.conn.Read(buf)
		if err != nil {
			return fmt.Errorf("load: waiting for the first reply: %w", err)
		}
		stream = append(stream, buf[:n]...)
	}
	if err := k.conn.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	n, err := k.scanner.Scan(stream)
	if n != 1 && err == nil {
		err = fmt.Errorf("load: %d replies to the first message", n)
	}
	return err
}

func (k *client) await(messages int, buf []byte) error {
	for messages > 0 {
		n, err := k.conn.Read(buf)
		if err != nil {
			return err
		}
		m, err := k.scanner.Scan(buf[:n])
		if err != nil {
			return err
		}
		k.add(m, n)
		messages -= m
	}
	if messages < 0 {
		return fmt.Errorf("load: %d replies too many", -messages)
	}
	return nil
}

// Read counts the messages that the server sends.
func (c *Clients) Read(buffer int) {
	c.each(func(k *client) error {
		buf := make([]byte, buffer)
		p := k.rest
		k.rest = nil
		for {
			m, err := k.scanner.Scan(p)
			if err != nil {
				return err
			}
			k.add(m, len(p))
			n, err := k.conn.Read(buf)
			if err != nil {
				return err
			}
			p = buf[:n]
		}
	})
}

// ReadMarked sends hello on each connection, unless it is empty, and counts the messages of
// [wire.Marked] that the server sends. While timing is on, it records how long after Pushed each
// one arrives.
func (c *Clients) ReadMarked(hello []byte, buffer int) {
	c.each(func(k *client) error {
		if len(hello) > 0 {
			if _, err := k.conn.Write(wire.AppendClientFrame(nil, wire.Text, false, hello)); err != nil {
				return err
			}
		}
		k.times = new(latency.Histogram)
		var marks wire.Marks
		buf := make([]byte, buffer)
		p := k.rest
		k.rest = nil
		for {
			messages := marks.Count(p)
			if c.timing.Load() {
				late := time.Since(*c.pushed.Load())
				for range messages {
					k.times.Record(late)
				}
			}
			k.add(messages, len(p))
			n, err := k.conn.Read(buf)
			if err != nil {
				return err
			}
			p = buf[:n]
		}
	})
}

// Few sends messages of script on each connection, one after the other, on a few
// connections at a time, and waits for the replies.
func (c *Clients) Few(script *wire.Script, messages int) error {
	var next atomic.Int64
	for range min(len(c.conns), 16) {
		c.done.Go(func() {
			buf := make([]byte, 64<<10)
			for c.failure.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(c.conns) {
					return
				}
				if err := c.conns[i].few(script, messages, buf); err != nil {
					c.fail(err)
					return
				}
			}
		})
	}
	c.done.Wait()
	return c.Err()
}

func (k *client) few(script *wire.Script, messages int, buf []byte) error {
	if err := k.compareFirst(script, buf); err != nil {
		return err
	}
	k.add(1, 0)
	for ; k.sent < messages; k.sent++ {
		if _, err := k.conn.Write(script.Frame(k.sent)); err != nil {
			return err
		}
		if err := k.await(1, buf); err != nil {
			return err
		}
	}
	return nil
}

// Swallow sends one message on the first connection and waits for the receipt, which is all that
// the server returns.
func (c *Clients) Swallow(script *wire.Script) error {
	k := c.conns[0]
	if err := k.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := k.conn.Write(script.Frame(0)); err != nil {
		return err
	}
	return k.await(1, make([]byte, 1024))
}

// Wait waits until the given number of messages has arrived in total.
func (c *Clients) Wait(messages int64) (Count, error) {
	for deadline := time.Now().Add(patience); ; time.Sleep(500 * time.Microsecond) {
		count := c.Count()
		if err := c.Err(); err != nil {
			return count, err
		}
		if count.Messages >= messages {
			return count, nil
		}
		if time.Now().After(deadline) {
			return count, fmt.Errorf("load: %d of %d messages arrived within %v", count.Messages, messages, patience)
		}
	}
}
