//go:build js

package relay

import (
	_ "embed"
	"sync/atomic"

	"github.com/isosocket/isosocket/internal/jscall"
)

const (
	// InboundRoom and OutboundRoom are how many bytes cross at once.
	InboundRoom  = 32 << 10
	OutboundRoom = 32 << 10

	// largest is the maximum size, header included, of a message that is not kept
	// apart.
	largest = InboundRoom / 2
	// mostCounted is the maximum number of bytes that count for one message.
	mostCounted = 1<<30 - 1
)

//go:generate wat2wasm relay.wat -o relay.wasm

// module is relay.wat, assembled.
//
//go:embed relay.wasm
var module []byte

// Mode is when a Relay wakes Go.
type Mode int

// The modes that Go may choose.
const (
	Never    Mode = iota
	Promptly      // for each message
	Late          // after the tasks that already wait when a message arrives
)

// Relay is the module's instance for one WebSocket.
type Relay struct {
	socket  jscall.Value
	stopped atomic.Bool

	exports  jscall.Value
	arrived  jscall.Value // listens to the socket
	late     jscall.Value // listens to port
	take     jscall.Value
	apart    jscall.Value
	free     jscall.Value
	total    jscall.Value
	send     jscall.Value
	sendMany jscall.Value
	sendView jscall.Value
	state    jscall.Value

	scratch jscall.Value // InboundRoom bytes, then OutboundRoom bytes
	out     jscall.Value // the OutboundRoom bytes of scratch
	full    jscall.Value // takes the oldest copy of a scratch that was full
	port    jscall.Value // undefined until AllowLate
}

// The imports of relay.wat, except the values that New adds.
var (
	// functions are built-in functions, with their paths from the global object.
	functions = [...]struct {
		name string
		path []string
	}{
		{"get", []string{"Reflect", "get"}},
		{"number", []string{"Reflect", "get"}},
		{"object", []string{"Object"}},
		{"list", []string{"Array", "of"}},
		{"construct", []string{"Reflect", "construct"}},
		{"warn", []string{"Reflect", "apply"}},
		{"post", []string{"Reflect", "apply"}},
		{"detach", []string{"Reflect", "apply"}},
		{"transfer", []string{"ArrayBuffer", "prototype", "transfer"}}, // undefined before 2024
	}
	// methods are methods of the objects below, each bound to its object.
	methods = [...]struct {
		name   string
		object int
		method string
	}{
		{"put", ofScratch, "set"},
		{"view", ofScratch, "subarray"},
		{"copy", ofScratch, "slice"},
		{"header", ofNumbers, "getUint32"},
		{"putHeader", ofNumbers, "setUint32"},
		{"encodeInto", ofEncoder, "encodeInto"},
		{"encode", ofEncoder, "encode"},
		{"decode", ofDecoder, "decode"},
		{"pushApart", ofApart, "push"},
		{"shiftApart", ofApart, "shift"},
		{"pushFull", ofFull, "push"},
		{"transmit", ofSocket, "send"},
		{"wake", ofWake, "call"},
	}
	// properties are the names of the properties that relay.wat reads.
	properties = [...]string{"data", "byteLength", "buffer", "length", "written", "readyState", "bufferedAmount"}
)

// The objects whose methods are imported.
const (
	ofScratch = iota
	ofNumbers // the numbers in scratch
	ofEncoder
	ofDecoder
	ofApart // the queue of messages kept apart
	ofFull  // the queue of copies of a full scratch
	ofSocket
	ofWake
)

// New makes a Relay that listens to socket until its Release.
//
// The Relay calls wake with a number as this. In a call without arguments, the number
// describes the data for Read, which wake has to call before it returns: the [Header] of
// one message, or minus the size of several messages, one after another. -1 means that
// messages wait for Take. wake returns a Mode, which holds unless Take was called
// meanwhile. In a call with an argument, the number is how many bytes had arrived in all
// when another message arrived, which is more than allowed; wake returns the new limit.
func New(socket jscall.Value, wake jscall.Func, allowed int) (*Relay, error) {
	var js jscall.Builtins
	r := &Relay{socket: socket}
	r.scratch = js.New("Uint8Array", InboundRoom+OutboundRoom)
	r.out = js.Call(r.scratch, "subarray", InboundRoom)
	full := js.List()
	r.full = js.Method(full, "shift")
	objects := [...]jscall.Value{
		ofScratch: r.scratch,
		ofNumbers: js.New("DataView", js.Property(r.scratch, "buffer")),
		ofEncoder: js.New("TextEncoder"),
		ofDecoder: js.New("TextDecoder", "utf-8", map[string]any{"ignoreBOM": true}),
		ofApart:   js.List(),
		ofFull:    full,
		ofSocket:  socket,
		ofWake:    wake.Value(),
	}
	imports := map[string]any{
		"Uint8Array": js.Get("Uint8Array"),
		"socket":     socket,
		"go":         wake,
		"warning":    js.List("warning"),
		"nothing":    js.List(),
		"none":       js.List(0),
		"room":       InboundRoom,
		"largest":    largest,
		"countable":  mostCounted,
		"allowed":    allowed,
	}
	for _, f := range functions {
		imports[f.name] = js.Get(f.path...)
	}
	for _, m := range methods {
		imports[m.name] = js.Method(objects[m.object], m.method)
	}
	for _, name := range properties {
		imports[name] = name
	}
	bytes := js.New("Uint8Array", len(module))
	if js.Err == nil {
		_, js.Err = jscall.CopyBytesToJS(bytes, module)
	}
	wasm := js.Get("WebAssembly")
	compiled := js.Construct(js.Property(wasm, "Module"), bytes)
	r.exports = js.Property(js.Construct(js.Property(wasm, "Instance"), compiled, map[string]any{"js": imports}), "exports")
	for _, f := range [...]struct {
		name  string
		value *jscall.Value
	}{
		{"arrived", &r.arrived}, {"late", &r.late}, {"take", &r.take}, {"apart", &r.apart}, {"free", &r.free}, {"total", &r.total},
		{"send", &r.send}, {"sendMany", &r.sendMany}, {"sendView", &r.sendView}, {"state", &r.state},
	} {
		*f.value = js.Property(r.exports, f.name)
	}
	js.Call(socket, "addEventListener", "message", r.arrived)
	return r, js.Err
}

// Take returns how many bytes of messages there are for Read, or a list of bytes
// in its place. If there are none, mode holds from now on; otherwise the Relay does not
// wake Go.
func (r *Relay) Take(mode Mode) (n int, full jscall.Value, err error) {
	v, err := r.take.Invoke(int(mode))
	if err == nil {
		n, err = v.Int()
	}
	if n >= 0 || err != nil {
		return n, full, err
	}
	if full, err = r.full.Invoke(); err == nil {
		n, err = full.Length()
	}
	return n, full, err
}

// Read reads the data that Take or a wake-up reported.
func (r *Relay) Read(b []byte) error {
	_, err := jscall.CopyBytesToGo(b, r.scratch)
	return err
}

// Apart returns the oldest message that was kept apart, as a Uint8Array. Call Free when it
// is read.
func (r *Relay) Apart(isText bool) (jscall.Value, error) { return r.apart.Invoke(flag(isText)) }

// Free frees the memory of a Uint8Array that Apart returned, which has no bytes from then
// on. Without it, the memory is in use until Go's next garbage collection, which may be far away: for
// Go a reference to 1 MiB is as small as any other. Browsers from before 2024 have no
// ArrayBuffer.transfer, so Free does nothing there.
//
//go:noinline
func (r *Relay) Free(bytes jscall.Value) { _, _ = r.free.Invoke(bytes) }

// Total returns how many bytes of messages ever arrived, headers included.
func (r *Relay) Total() (int, error) {
	v, err := r.total.Invoke()
	if err != nil {
		return 0, err
	}
	return v.Int()
}

// Send sends one message of at most OutboundRoom bytes, and returns the results of
// State. If the socket is not open, Send does not send.
func (r *Relay) Send(data []byte, isText bool) (buffered int, open bool, err error) {
	if _, err := jscall.CopyBytesToJS(r.out, data); err != nil {
		return 0, false, err
	}
	return stateOf(r.send.Invoke(sentHeader(len(data), isText)))
}

// SendMany is Send for several messages one after another, each after its header.
func (r *Relay) SendMany(messages []byte) (buffered int, open bool, err error) {
	if _, err := jscall.CopyBytesToJS(r.out, messages); err != nil {
		return 0, false, err
	}
	return stateOf(r.sendMany.Invoke(len(messages)))
}

// SendView is Send for the bytes of a Uint8Array.
func (r *Relay) SendView(view jscall.Value, isText bool) (buffered int, open bool, err error) {
	return stateOf(r.sendView.Invoke(view, flag(isText)))
}

// State returns the socket's bufferedAmount, and whether it is open.
func (r *Relay) State() (buffered int, open bool, err error) { return stateOf(r.state.Invoke()) }

func stateOf(v jscall.Value, err error) (buffered int, open bool, _ error) {
	n := 0
	if err == nil {
		n, err = v.Int()
	}
	if n < 0 {
		return -1 - n, false, err
	}
	return n, true, err
}

// AllowLate prepares the mode Late. Call it before choosing that mode.
func (r *Relay) AllowLate() error {
	if !r.port.IsUndefined() {
		return nil
	}
	// Tasks of a channel run in turn with the tasks that deliver messages. A browser
	// delays timers in a background page.
	var js jscall.Builtins
	channel := js.New("MessageChannel")
	port := js.Property(channel, "port1")
	js.Call(port, "addEventListener", "message", r.late)
	js.Call(port, "start")
	other := js.Property(channel, "port2")
	js.Set(js.Property(r.exports, "postMessage"), "value", js.Call(js.Property(other, "postMessage"), "bind", other, nil))
	if js.Err == nil {
		r.port = port
	}
	return js.Err
}

// Stop ends listening, once.
func (r *Relay) Stop() {
	if !r.stopped.Swap(true) {
		_, _ = r.socket.Call("removeEventListener", "message", r.arrived)
	}
}

// Release ends listening. The Relay does not wake Go any more.
func (r *Relay) Release() {
	r.Stop()
	if !r.port.IsUndefined() {
		_, _ = r.port.Call("removeEventListener", "message", r.late)
		_, _ = r.port.Call("close")
	}
}
