//go:build !js

package h2client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// window is how many bytes the server may send on each stream, and connectionWindow on all together,
// before the client has read them.
const (
	window           = 1 << 20
	connectionWindow = 1 << 30
)

// maxFrame is the size of the largest DATA frame that every server takes.
const maxFrame = 16 << 10

// Client is one connection of HTTP/2. Its methods may be called by many goroutines.
type Client struct {
	conn   net.Conn
	framer *http2.Framer

	writing sync.Mutex // guards the writing half of framer, and encoder
	encoder *hpack.Encoder
	block   bytes.Buffer
	lastID  uint32

	mu       sync.Mutex
	grown    sync.Cond // a window has grown, or a stream has ended
	ready    chan struct{}
	settings map[http2.SettingID]uint32
	streams  map[uint32]*Stream
	credit   int64 // what may be sent on all streams
	initial  int64 // what may be sent on a new stream
	unsaid   int   // what has arrived since the server got window for it last
	err      error // why the connection has ended
}

// Dial connects to address with TLS, and waits for the settings of the server.
func Dial(ctx context.Context, address string, config *tls.Config) (*Client, error) {
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &Client{
		conn:     conn,
		framer:   http2.NewFramer(conn, conn),
		ready:    make(chan struct{}),
		settings: map[http2.SettingID]uint32{},
		streams:  map[uint32]*Stream{},
		credit:   65535,
		initial:  65535,
	}
	c.grown.L = &c.mu
	c.encoder = hpack.NewEncoder(&c.block)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.framer.SetReuseFrames()
	if _, err = io.WriteString(conn, http2.ClientPreface); err == nil {
		err = c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	}
	if err == nil {
		err = c.framer.WriteWindowUpdate(0, connectionWindow)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	go c.read()
	select {
	case <-c.ready:
		return c, nil
	case <-ctx.Done():
		conn.Close()
		return nil, ctx.Err()
	}
}

// Close closes the connection with all its streams.
func (c *Client) Close() error { return c.conn.Close() }

// Setting returns a setting of the server.
func (c *Client) Setting(id http2.SettingID) uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.settings[id]
}

// read handles frames until the connection ends.
func (c *Client) read() {
	var err error
	for err == nil {
		var frame http2.Frame
		frame, err = c.framer.ReadFrame()
		var broken http2.StreamError
		if errors.As(err, &broken) {
			c.end(broken.StreamID, broken)
			err = nil
			continue
		}
		if err == nil {
			err = c.handle(frame)
		}
	}
	c.conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	for _, s := range c.streams {
		s.endLocked(fmt.Errorf("the connection of HTTP/2 has ended: %w", err))
	}
	select {
	case <-c.ready:
	default:
		close(c.ready) // the next use returns err
	}
}

func (c *Client) handle(frame http2.Frame) error {
	id := frame.Header().StreamID
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		return c.handleSettings(frame)
	case *http2.PingFrame:
		if !frame.IsAck() {
			return c.write(func() error { return c.framer.WritePing(true, frame.Data) })
		}
	case *http2.WindowUpdateFrame:
		c.mu.Lock()
		defer c.mu.Unlock()
		if id == 0 {
			c.credit += int64(frame.Increment)
		} else if s := c.streams[id]; s != nil {
			s.credit += int64(frame.Increment)
		}
		c.grown.Broadcast()
	case *http2.MetaHeadersFrame:
		c.mu.Lock()
		defer c.mu.Unlock()
		if s := c.streams[id]; s != nil {
			if s.response == nil {
				s.response = responseOf(frame)
			}
			if frame.StreamEnded() {
				s.endLocked(io.EOF)
			}
			s.changed.Broadcast()
		}
	case *http2.DataFrame:
		c.mu.Lock()
		defer c.mu.Unlock()
		if s := c.streams[id]; s == nil {
			c.unsaid += len(frame.Data()) // is granted with what other streams read
		} else {
			s.input = append(s.input, frame.Data()...)
			if frame.StreamEnded() {
				s.endLocked(io.EOF)
			}
			s.changed.Broadcast()
		}
	case *http2.RSTStreamFrame:
		c.end(id, fmt.Errorf("the stream was reset: %v", frame.ErrCode))
	}
	return nil
}

func (c *Client) handleSettings(frame *http2.SettingsFrame) error {
	if frame.IsAck() {
		return nil
	}
	c.mu.Lock()
	err := frame.ForeachSetting(func(setting http2.Setting) error {
		c.settings[setting.ID] = setting.Val
		if setting.ID == http2.SettingInitialWindowSize {
			for _, s := range c.streams {
				s.credit += int64(setting.Val) - c.initial
			}
			c.initial = int64(setting.Val)
		}
		return nil
	})
	c.grown.Broadcast()
	c.mu.Unlock()
	if err == nil {
		err = c.write(c.framer.WriteSettingsAck)
	}
	select {
	case <-c.ready:
	default:
		close(c.ready)
	}
	return err
}

// end ends the stream id.
func (c *Client) end(id uint32, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.streams[id]; s != nil {
		s.endLocked(err)
	}
}

// grant gives the server window.
func (c *Client) grant(id uint32, forStream, forAll int) error {
	if forStream+forAll == 0 {
		return nil
	}
	return c.write(func() (err error) {
		if forAll > 0 {
			err = c.framer.WriteWindowUpdate(0, uint32(forAll))
		}
		if forStream > 0 && err == nil {
			err = c.framer.WriteWindowUpdate(id, uint32(forStream))
		}
		return err
	})
}

func (c *Client) write(f func() error) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return f()
}

func responseOf(frame *http2.MetaHeadersFrame) *http.Response {
	r := &http.Response{Proto: "HTTP/2.0", ProtoMajor: 2, Header: http.Header{}}
	r.StatusCode, _ = strconv.Atoi(frame.PseudoValue("status"))
	for _, field := range frame.RegularFields() {
		r.Header.Add(field.Name, field.Value)
	}
	return r
}

// Get requests path, and returns the answer with its body read.
func (c *Client) Get(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	s, err := c.request(ctx, true, header, ":method", "GET", ":scheme", "https", ":path", path, ":authority", c.authority())
	if err != nil {
		return nil, err
	}
	return s.whole()
}

// Open sends a handshake for path, with header and the fields that it needs. The stream is nil if
// the answer is not 200; the response then has its body.
func (c *Client) Open(ctx context.Context, path string, header http.Header) (*Stream, *http.Response, error) {
	protocol := "websocket"
	if values := header[":protocol"]; len(values) > 0 {
		protocol = values[0]
	}
	pseudo := []string{":method", "CONNECT", ":protocol", protocol, ":scheme", "https", ":path", path, ":authority", c.authority()}
	if header["Sec-Websocket-Version"] == nil {
		pseudo = append(pseudo, "sec-websocket-version", "13")
	}
	s, err := c.request(ctx, false, header, pseudo...)
	if err != nil {
		return nil, nil, err
	}
	if s.response.StatusCode != http.StatusOK {
		response, err := s.whole()
		s.Close()
		return nil, response, err
	}
	return s, s.response, nil
}

func (c *Client) authority() string { return c.conn.RemoteAddr().String() }

// request opens a stream, and waits for the header of the answer.
func (c *Client) request(ctx context.Context, whole bool, header http.Header, fields ...string) (*Stream, error) {
	s, err := c.open(whole, header, fields)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		s.changed.Broadcast()
	})()
	c.mu.Lock()
	for s.response == nil && s.end == nil && ctx.Err() == nil {
		s.changed.Wait()
	}
	answered, err := s.response != nil, s.end
	c.mu.Unlock()
	if answered {
		return s, nil
	}
	if err == nil {
		err = ctx.Err()
	}
	_ = s.Reset()
	return nil, err
}

func (c *Client) open(whole bool, header http.Header, fields []string) (*Stream, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil, c.err
	}
	c.lastID += 2
	s := &Stream{client: c, id: c.lastID - 1, credit: c.initial, sentEnd: whole}
	s.changed.L = &c.mu
	c.streams[s.id] = s
	c.mu.Unlock()

	c.block.Reset()
	field := func(name, value string) { c.encoder.WriteField(hpack.HeaderField{Name: name, Value: value}) }
	for i := 0; i < len(fields); i += 2 {
		field(fields[i], fields[i+1])
	}
	for name, values := range header {
		for _, value := range values {
			if !strings.HasPrefix(name, ":") {
				field(strings.ToLower(name), value)
			}
		}
	}
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: whole})
	return s, err
}
