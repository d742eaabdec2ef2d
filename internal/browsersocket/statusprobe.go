//go:build js

package browsersocket

import (
	"context"
	"strings"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/jscall"
)

const (
	// handshakeType in Accept asks a server of this library to answer a GET as it
	// would answer a handshake, and as Content-Type marks such an answer.
	handshakeType = "application/vnd.isosocket.handshake"

	// maxAccept is the longest Accept field that needs no preflight (WHATWG Fetch,
	// CORS-safelisted request-header).
	maxAccept = 128

	// probeLimit bounds the probe in addition to the context of Dial.
	probeLimit = 3 * time.Second

	// credentialsLimit bounds the request with credentials to a server that does not mark
	// its answers, because a login dialog may delay the answer. Its end closes the dialog.
	credentialsLimit = time.Second
)

// probe asks with fetch why a handshake failed, since a browser hides that.
//
// A server of this library answers as it would answer the handshake, and marks
// the answer. The status that any other server gives a plain GET is a guess.
type probe struct {
	url    string
	accept string
	exact  bool // accept names all subprotocols that the handshake offered
}

func newProbe(url string, subprotocols []string) *probe {
	p := &probe{url: "http" + strings.TrimPrefix(url, "ws"), accept: handshakeType, exact: true}
	for _, name := range subprotocols {
		p.accept += ";p=" + name
	}
	if len(p.accept) > maxAccept {
		p.accept, p.exact = handshakeType, false
	}
	return p
}

// explain fills failed with the result of the probe, and reports whether the server
// redirects the request.
//
// The first request goes out without credentials. With them, a 401 that asks for
// a password opens the browser's login dialog, and the answer does not arrive
// before the user has closed it. A second request carries credentials, as the handshake
// did. It goes only to a server that marked its answer, because such a server never asks
// for a password, or that redirects, because a redirect may depend on a cookie. If a
// redirecting server does not answer it soon, the failure stays unexplained.
func (p *probe) explain(ctx context.Context, failed *errors.ConnectionError) (redirected bool) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	a := p.ask(ctx, "omit")
	if a.marked {
		a = p.ask(ctx, "include")
	} else if a.redirects() {
		ctx, cancel := context.WithTimeout(ctx, credentialsLimit)
		defer cancel()
		a = p.ask(ctx, "include")
	}
	if a.status >= 200 && a.status < 300 {
		return false // the answer does not explain the failure
	}
	failed.StatusCode = a.status
	failed.StatusGuessed = a.status != 0 && !(a.marked && p.exact)
	if a.retryAfter != "" {
		failed.Header = map[string][]string{"Retry-After": {a.retryAfter}}
	}
	return a.redirects()
}

// ask makes one request. It returns the zero answer if it cannot read the response.
func (p *probe) ask(ctx context.Context, credentials string) (a answer) {
	answers := make(chan answer, 1)
	var settled jscall.Func
	settled, err := jscall.FuncOf(func(_ jscall.Value, args []jscall.Value) any {
		settled.Release()
		answers <- answerOf(args[0])
		return nil
	})
	if err != nil {
		return a
	}
	var js jscall.Builtins
	controller := js.New("AbortController")
	// This also ends a body that is still arriving.
	defer func() { _, _ = controller.Call("abort") }()
	promise := js.Invoke(js.Get("fetch"), p.url, map[string]any{
		"headers":     map[string]any{"Accept": p.accept},
		"redirect":    "manual",
		"credentials": credentials,
		"cache":       "no-store",
		"signal":      js.Property(controller, "signal"),
	})
	js.Call(promise, "then", settled, settled)
	if js.Err != nil {
		settled.Release()
		return a
	}
	select {
	case a = <-answers:
	case <-ctx.Done():
		// The abort that follows settles the promise, which releases the callback.
	}
	return a
}

// answer holds the parts of a response to a GET that a page may read.
type answer struct {
	status     int // 0 if it may not be read
	marked     bool
	opaque     bool // a redirect that may not be read
	retryAfter string
}

// redirects reports whether the answer names another address. Not every
// environment hides its status.
func (a *answer) redirects() bool {
	return a.opaque || a.status >= 300 && a.status < 400 && a.status != 304
}

// answerOf reads a fetch Response. For anything else it returns the zero answer.
func answerOf(response jscall.Value) (a answer) {
	var js jscall.Builtins
	status, kind, headers := js.Property(response, "status"), js.Property(response, "type"), js.Property(response, "headers")
	contentType, retryAfter := js.Call(headers, "get", "Content-Type"), js.Call(headers, "get", "Retry-After")
	if js.Err != nil {
		return a
	}
	a.status, _ = status.Int()
	a.opaque = text(kind) == "opaqueredirect"
	a.marked = strings.HasPrefix(text(contentType), handshakeType)
	a.retryAfter = text(retryAfter)
	return a
}

// text returns v if it is a string, and "" otherwise.
func text(v jscall.Value) string {
	if v.Type() != jscall.TypeString {
		return ""
	}
	s, _ := v.String()
	return s
}
