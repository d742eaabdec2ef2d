//go:build js

package main

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hack-pad/safejs"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/chat"
)

// maxShown is the maximum number of entries in the page's log.
const maxShown = maxEntries

func main() {
	document, err := newDocument()
	if err != nil {
		panic("wasm: in a browser, this program needs the page of isosocket serve: " + err.Error())
	}
	address, name := whereAndWho()
	p := &page{document: document, log: document.byID("log"), scroll: document.byID("log-scroll")}
	p.client = newClient(newLink(address, true), p, name)
	p.prepare(address)
	if err := p.client.run(context.Background()); err != nil {
		report(err)
	}
}

// whereAndWho returns the address of the chat on the page's server, and the name to use: the
// page's parameter name, the earlier name of this tab, or a new one.
func whereAndWho() (address, name string) {
	location, err := safejs.Global().Get("location")
	report(err)
	at := element{location}
	address = at.text("origin") + "/ws"
	if strings.HasPrefix(address, "http") {
		address = "ws" + strings.TrimPrefix(address, "http")
	}
	if parameters, err := safejs.Global().Get("URLSearchParams"); err == nil {
		if parameters, err = parameters.New(at.text("search")); err == nil {
			name = stringOf(parameters.Call("get", "name"))
		}
	}
	if name == "" {
		name = remembered()
	}
	if clean, err := chat.CleanName(name); err == nil {
		return address, clean
	}
	return address, inventName()
}

// stringOf returns the string that a call returned, or "".
func stringOf(value safejs.Value, err error) string {
	if err != nil || value.Type() != safejs.TypeString {
		return ""
	}
	s, err := value.String()
	report(err)
	return s
}

const nameKey = "isosocket.name"

// remembered returns the name that this tab had before it was reloaded. It ignores errors,
// because a browser may be configured to store nothing.
func remembered() string {
	storage, err := safejs.Global().Get("sessionStorage")
	if err != nil {
		return ""
	}
	return stringOf(storage.Call("getItem", nameKey))
}

func remember(name string) {
	if storage, err := safejs.Global().Get("sessionStorage"); err == nil {
		_, _ = storage.Call("setItem", nameKey, name)
	}
}

// page is the view of a client as index.html, whose ids doc.go lists.
type page struct {
	*document
	client      *client
	log, scroll element

	shown int   // entries in the log
	phase phase // the last one shown; only JavaScript's single thread uses it

}

// prepare fills in the parts of index.html that the client provides, and adds the event
// listeners.
func (p *page) prepare(address string) {
	p.byID("log-empty").set("textContent", "Nothing has been said yet.")
	p.byID("terminal-hint").set("textContent", "go run ./wasm "+address)
	reasons := p.byID("close-reason")
	for _, r := range []errors.CloseReason{
		errors.NormalClosure, errors.GoingAway, errors.ProtocolError, errors.UnsupportedData, errors.InvalidPayload,
		errors.PolicyViolation, errors.MessageTooBig, errors.MandatoryExtension, errors.InternalError,
		errors.ServiceRestart, errors.TryAgainLater, errors.BadGateway, 3000, 4000, 4001, 4999,
	} {
		option := p.create("option", "", r.String())
		option.set("value", strconv.Itoa(int(r)))
		reasons.append(option)
	}

	for id, f := range map[string]func(){"say-form": p.say, "name-form": p.rename, "close-form": p.close} {
		p.byID(id).on("submit", f)
		p.byID(id).set("inert", false)
	}
	p.byID("drop").on("click", func() { p.client.ask(chat.Command{Verb: chat.VerbDrop}) })
	p.byID("reconnect").on("click", func() {
		p.client.ask(chat.Command{Verb: chat.VerbReconnect})
		// The button disappears, so move the focus to the message box.
		p.byID("say").call("focus")
	})
}

// say sends the text in the message box. A text that cannot be sent stays in the box.
func (p *page) say() {
	input := p.byID("say")
	line := input.text("value")
	if strings.TrimSpace(line) == "" {
		return
	}
	command, err := chat.ParseLine(line)
	if err == nil && command.Verb == chat.VerbSay && !p.phase.live() {
		err = errors.New("not connected: Reconnect connects again")
	}
	if err != nil {
		p.client.complain(err)
		return
	}
	if command.Verb == chat.VerbQuit {
		// Only closing the page ends the client, so /quit closes the connection.
		command = chat.Command{Verb: chat.VerbClose, Reason: errors.NormalClosure}
	}
	p.client.ask(command)
	input.set("value", "")
}

func (p *page) rename() {
	name, err := chat.CleanName(p.byID("name").text("value"))
	if err != nil {
		p.client.complain(err)
		return
	}
	p.client.ask(chat.Command{Verb: chat.VerbRename, Text: name})
}

func (p *page) close() {
	reason, err := chat.ParseReason(p.byID("close-reason").text("value"))
	if err != nil {
		p.client.complain(err)
		return
	}
	p.client.ask(chat.Command{
		Verb:   chat.VerbClose,
		Reason: reason,
		Text:   p.byID("close-message").text("value"),
		Server: p.byID("close-by-server").isTrue("checked"),
	})
}

// show draws the changes.
func (p *page) show(s *state) {
	changed := s.take()
	if changed.status {
		p.showStatus(s.status)
	}
	if changed.self {
		p.byID("name").set("value", s.self.Name)
		remember(s.self.Name)
	}
	if changed.people || changed.self {
		p.showPeople(s)
	}
	if changed.samples {
		p.showRoundTrip(s)
	}
	if changed.entries > 0 {
		p.showEntries(s.fresh(changed.entries))
	}
}

func (p *page) showStatus(s status) {
	again := p.phase == s.phase
	p.phase = s.phase
	if s.phase == waiting {
		p.byID("banner-countdown").set("textContent", capital(s.countdown(time.Now())))
		if again {
			return // only the countdown changed
		}
	}
	headline := p.byID("status-headline")
	headline.set("textContent", s.headline)
	if s.phase == waiting {
		headline.set("textContent", "Reconnecting")
	}
	p.byID("status").attribute("data-phase", string(s.phase))
	p.byID("send").attribute("aria-disabled", strconv.FormatBool(!s.phase.live()))

	banner := p.byID("banner")
	banner.attribute("data-phase", string(s.phase))
	banner.show(!s.phase.live() || s.phase == waiting)
	p.byID("banner-headline").set("textContent", s.headline)
	p.byID("banner-detail").set("textContent", capital(s.detail))
	p.byID("banner-countdown").show(s.phase == waiting)
	button := "Reconnect"
	if s.phase == waiting {
		button = "Reconnect now"
	}
	p.byID("reconnect").set("textContent", button)
	code := ""
	switch {
	case s.reason != 0:
		code = s.reason.String()
	case s.code != 0:
		code = "HTTP " + strconv.Itoa(s.code)
	}
	p.byID("banner-reason").set("textContent", code)
	p.byID("banner-reason").show(code != "")
	number, _, _ := strings.Cut(code, " (")
	p.byID("status-reason").set("textContent", number)
	p.byID("status-reason").show(code != "")
}

func capital(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return strings.ToUpper(string(r)) + s[size:]
}

func (p *page) showPeople(s *state) {
	items := make([]element, len(s.people))
	for i, person := range s.people {
		item := p.create("li", "", "")
		item.attribute("data-name", person.Name)
		who := p.create("span", "who", person.Name)
		if person.ID == s.self.ID {
			who.append(p.create("small", "", " (you)"))
		}
		item.append(p.avatar("span", person), who, p.create("span", "platform", person.Platform))
		items[i] = item
	}
	p.byID("people").replace(items...)
	p.byID("people-count").set("textContent", strconv.Itoa(len(s.people)))
}

// avatar returns a circle with the first letter of a name, in a colour that
// depends only on the name.
func (p *page) avatar(tag string, person chat.Person) element {
	hue := uint32(0)
	for _, b := range []byte(person.Name) {
		hue = hue*31 + uint32(b)
	}
	first, _ := utf8.DecodeRuneInString(person.Name)
	a := p.create(tag, "avatar hue-"+strconv.Itoa(int(hue%8)), string(first))
	a.attribute("aria-hidden", "true")
	return a
}

func (p *page) showEntries(entries []entry) {
	// The log stays in position if the reader has scrolled up.
	atEnd := p.scroll.number("scrollHeight")-p.scroll.number("scrollTop")-p.scroll.number("clientHeight") < 40
	p.byID("log-empty").show(false)
	for _, e := range entries {
		p.log.append(p.entry(e))
	}
	for p.shown += len(entries); p.shown > maxShown; p.shown-- {
		first, err := p.log.value.Get("firstElementChild")
		report(err)
		element{first}.call("remove")
	}
	if atEnd {
		p.scroll.set("scrollTop", p.scroll.number("scrollHeight"))
	}
}

func (p *page) entry(e entry) element {
	at := p.create("time", "", e.time.Format("15:04:05"))
	at.attribute("datetime", e.time.UTC().Format("2006-01-02T15:04:05Z"))
	if e.kind == said {
		class := "message"
		if e.own {
			class += " own"
		}
		item := p.create("li", class, "")
		item.attribute("data-from", e.from.Name)
		meta := p.create("p", "meta", "")
		meta.append(p.create("b", "", e.from.Name), p.create("span", "", " "), at)
		item.append(meta, p.avatar("span", e.from), p.create("p", "text", e.text))
		return item
	}
	class := "event"
	if e.kind == problem {
		class += " problem"
	}
	if strings.Contains(e.text, "\n") {
		class += " help"
	}
	item := p.create("li", class, "")
	text := e.text
	if e.kind == problem {
		text = capital(text)
	}
	item.append(p.create("span", "", text), at)
	return item
}

// The size of the sparkline's viewBox in index.html.
const (
	sparkWidth  = 240
	sparkHeight = 56
)

func (p *page) showRoundTrip(s *state) {
	r, ok := s.roundTrip()
	if !ok {
		return
	}
	p.byID("rtt-last").set("textContent", milliseconds(r.last))
	p.byID("rtt-least").set("textContent", milliseconds(r.least))
	p.byID("rtt-median").set("textContent", milliseconds(r.median))
	p.byID("rtt-most").set("textContent", milliseconds(r.most))
	line, area := sparkline(s.samples, sparkWidth, sparkHeight)
	p.byID("rtt-line").attribute("d", line)
	p.byID("rtt-area").attribute("d", area)
	p.byID("rtt-spark").attribute("aria-label", capital(r.String())+", of the last "+strconv.Itoa(len(s.samples))+" messages")
}
