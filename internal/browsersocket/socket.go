//go:build js

package browsersocket

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/jscall"
	"github.com/isosocket/isosocket/internal/relay"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/driver"
)

// socket is a browser's WebSocket with the methods of a [driver.Transport].
// JavaScript calls it back for "open" and "close", and for the first message
// of each batch. The callbacks record the event and wake; they never wait for a lock
// that is held during a call into JavaScript, because they may run during that call.
type socket struct {
	js     jscall.Value
	config ws.Config
	ending driver.Ending
	in     inbound
	out    outbound
	spin   spin

	opened gate // by the open event or the error event
	closed gate // by the close event
	clean  bool // set before closed: the close handshake was done
	ended  gate // when no more can be sent

	onMessages jscall.Func
	onOpen     jscall.Func
	onClose    jscall.Func
	released   atomic.Bool
	lastCall   atomic.Pointer[time.Timer] // releases a socket whose close event never arrives
}

// readyStateOpen is readyState between handshake and close.
const readyStateOpen = 1

// gate is a channel that the first caller of open closes.
type gate struct {
	c    chan struct{}
	once sync.Once
}

func (g *gate) open() { g.once.Do(func() { close(g.c) }) }

var (
	_ driver.Transport = (*socket)(nil)
	_ driver.Failer    = (*socket)(nil)
	_ driver.TrySender = (*socket)(nil)
)

// newSocket makes the WebSocket, which starts to connect.
func newSocket(url string, o Options) (*socket, error) {
	constructor, err := jscall.Global().Get("WebSocket")
	if err != nil || constructor.Type() != jscall.TypeFunction {
		return nil, errors.New("this JavaScript environment has no WebSocket")
	}
	protocols := make([]any, len(o.Subprotocols))
	for i, p := range o.Subprotocols {
		protocols[i] = p
	}
	js, err := constructor.New(url, protocols)
	if err != nil {
		switch jscall.ErrorName(err) {
		case "SecurityError":
			return nil, &forbiddenError{err.Error()}
		case "NS_ERROR_CONTENT_BLOCKED": // of Firefox, without a message
			return nil, &forbiddenError{"the page's Content-Security-Policy does not allow it in connect-src, or an extension blocks it"}
		}
		return nil, &constructorError{url: url, err: err}
	}
	s := &socket{
		js:     js,
		config: o.Config.WithDefaults(),
		opened: gate{c: make(chan struct{})},
		closed: gate{c: make(chan struct{})},
		ended:  gate{c: make(chan struct{})},
	}
	if err := s.listen(); err != nil {
		s.abandon()
		return nil, err
	}
	return s, nil
}

func (s *socket) listen() error {
	err := s.js.Set("binaryType", "arraybuffer")
	if err != nil {
		return err
	}
	s.in.init(&s.config)
	if s.onMessages, err = jscall.FuncOf(func(this jscall.Value, args []jscall.Value) any {
		n, err := this.Int()
		if err != nil {
			return nil
		}
		return s.woken(n, len(args) > 0)
	}); err != nil {
		return err
	}
	r, err := relay.New(s.js, s.onMessages, s.in.limit)
	if err != nil {
		return err
	}
	s.in.relay, s.out.relay = r, r
	if s.onOpen, err = jscall.FuncOf(func(jscall.Value, []jscall.Value) any {
		s.opened.open()
		return nil
	}); err != nil {
		return err
	}
	if s.onClose, err = jscall.FuncOf(func(_ jscall.Value, args []jscall.Value) any {
		s.closeEvent(args[0])
		return nil
	}); err != nil {
		return err
	}
	if _, err = s.js.Call("addEventListener", "open", s.onOpen); err != nil {
		return err
	}
	if _, err = s.js.Call("addEventListener", "error", s.onOpen); err != nil {
		return err
	}
	_, err = s.js.Call("addEventListener", "close", s.onClose)
	return err
}

// awaitOpen waits for the open event. If it returns an error, it has released the
// socket.
func (s *socket) awaitOpen(ctx context.Context) error {
	select {
	case <-s.opened.c:
		// Not every environment fires a close event after a handshake that failed.
		if state, err := s.js.Get("readyState"); err == nil {
			if n, _ := state.Int(); n == readyStateOpen {
				return nil
			}
		}
	case <-s.closed.c:
	case <-ctx.Done():
		s.abandon()
		return ctx.Err()
	}
	s.abandon()
	return errHandshake
}

// closeEvent handles the end that the browser reports (WHATWG WebSockets, section
// 3.3). Messages that arrived before it are in the queue already.
func (s *socket) closeEvent(event jscall.Value) {
	code, err := event.Get("code")
	number := int(errors.AbnormalClosure)
	if err == nil {
		number, _ = code.Int()
	}
	reason, _ := property(event, "reason")
	wasClean, err := event.Get("wasClean")
	if err == nil {
		s.clean, _ = wasClean.Bool()
	}
	cause := &errors.ConnectionClosed{Reason: errors.CloseReason(number), Message: reason, Remote: true}
	if !closes(number) {
		cause = &errors.ConnectionClosed{Reason: errors.AbnormalClosure}
	}
	s.ending.Set(cause)
	s.in.end()
	s.closed.open()
	s.ended.open()
	s.release()
}

// closes reports whether a peer's close frame may have the code number. Not every
// browser treats a forbidden code as the protocol violation that it is.
func closes(number int) bool {
	return number >= 3000 && number <= 4999 || number == int(errors.NoStatusReceived) ||
		number > 0 && number < 3000 && errors.CloseReason(number).Sendable()
}

// release removes all references from JavaScript to Go, and from Go to JavaScript.
func (s *socket) release() {
	if s.released.Swap(true) {
		return
	}
	if timer := s.lastCall.Load(); timer != nil {
		timer.Stop()
	}
	if s.in.relay != nil {
		s.in.relay.Release()
	}
	if !s.onMessages.Value().IsUndefined() {
		s.onMessages.Release()
	}
	for _, l := range []struct {
		event string
		f     jscall.Func
	}{{"open", s.onOpen}, {"error", s.onOpen}, {"close", s.onClose}} {
		if l.f.Value().IsUndefined() {
			continue // never made
		}
		_, _ = s.js.Call("removeEventListener", l.event, l.f)
		l.f.Release()
	}
}

// abandon closes a socket that is no longer in use.
func (s *socket) abandon() {
	s.in.drop()
	s.ending.Set(&errors.ConnectionClosed{Reason: errors.GoingAway, Message: "the connection was dropped"})
	s.ended.open()
	if !s.released.Load() {
		_, _ = s.js.Call("close")
	}
	s.release()
}

// Fail ends the connection for a reason that this side found. What arrived
// before can still be received. The close handshake continues in the background.
func (s *socket) Fail(cause *errors.ConnectionClosed) {
	if !s.ending.Set(cause) {
		return
	}
	s.in.relay.Stop()
	s.in.end()
	s.ended.open()
	s.out.tryNewTurn()
	_, _ = s.js.Call("close", int(cause.Reason.BrowserAlias()), cause.Message)
	s.releaseLater()
}

// releaseLater releases a socket that is closing even if its close event never
// arrives.
func (s *socket) releaseLater() {
	timer := time.AfterFunc(s.config.CloseTimeout, s.release)
	s.lastCall.Store(timer)
	if s.released.Load() {
		timer.Stop()
	}
}

func (s *socket) Ending() *driver.Ending { return &s.ending }

// Close sends the close frame after the messages sent so far and waits for the close
// event. If ctx ends first, the browser finishes the close handshake alone.
func (s *socket) Close(ctx context.Context, reason errors.CloseReason, message string) error {
	s.in.drop()
	s.in.relay.Stop()
	s.out.newTurn()
	s.ended.open()
	if s.released.Load() {
		return nil
	}
	if _, err := s.js.Call("close", int(reason.BrowserAlias()), message); err != nil {
		s.release()
		return err
	}
	if err := MayWait("Close", "the close frame is on its way; wait for Done on another goroutine"); err != nil {
		s.releaseLater()
		return err
	}
	defer s.release()
	select {
	case <-s.closed.c:
		if !s.clean {
			return io.ErrUnexpectedEOF
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// property returns a property of v that is a string.
func property(v jscall.Value, name string) (string, error) {
	p, err := v.Get(name)
	if err != nil {
		return "", err
	}
	return p.String()
}
