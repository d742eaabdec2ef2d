//go:build js

package browsersocket

import (
	"strings"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/jscall"
)

// forbiddenError is a connection that the browser forbids.
type forbiddenError struct{ why string }

func (e *forbiddenError) Error() string { return errors.ErrForbidden.Error() + ": " + e.why }

func (e *forbiddenError) Unwrap() error { return errors.ErrForbidden }

// blockedPorts are the ports to which browsers open no connection, each between
// spaces (WHATWG Fetch, section 2.9).
const blockedPorts = " 0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 115 117" +
	" 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 563 587 601 636 989 990 993 995" +
	" 1719 1720 1723 2049 3659 4045 4190 5060 5061 6000 6566 6665 6666 6667 6668 6669 6679 6697 10080 "

// policy records violations of the page's Content-Security-Policy. A WebSocket that
// the policy forbids fails in the same way as one whose server is down.
type policy struct {
	events jscall.Value // a list
	push   jscall.Value // the listener, which appends to events
}

const violation = "securitypolicyviolation"

// watchPolicy listens until stop. Some environments do not have these events.
func watchPolicy() *policy {
	var js jscall.Builtins
	p := &policy{events: js.List()}
	p.push = js.Method(p.events, "push")
	if js.Err == nil {
		_, _ = jscall.Global().Call("addEventListener", violation, p.push)
	}
	return p
}

func (p *policy) stop() { _, _ = jscall.Global().Call("removeEventListener", violation, p.push) }

// forbidden returns why the browser forbids the connection of a WebSocket that
// failed, or nil if it does not, as far as a page can know.
func (p *policy) forbidden(socket jscall.Value) error {
	var js jscall.Builtins
	url := js.Property(socket, "url")
	port := text(js.Property(js.New("URL", url), "port"))
	for js.Err == nil {
		event := js.Call(p.events, "shift")
		if event.IsUndefined() {
			break
		}
		directive, disposition, blocked := js.Property(event, "effectiveDirective"), js.Property(event, "disposition"), js.Property(event, "blockedURI")
		// Some engines report no more than the origin.
		if text(directive) == "connect-src" && text(disposition) == "enforce" && strings.HasPrefix(text(url), text(blocked)) {
			return &forbiddenError{why: "the page's Content-Security-Policy does not allow it in connect-src"}
		}
	}
	if port != "" && strings.Contains(blockedPorts, " "+port+" ") {
		return &forbiddenError{why: "browsers block port " + port}
	}
	return nil
}
