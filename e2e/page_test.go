//go:build !js

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/isosocket/isosocket/internal/testing/browser"
)

// TestPage runs the tests of the demo that all engines pass.
func TestPage(t *testing.T) {
	eachBrowser(t, func(t *testing.T, b *browser.Browser) {
		t.Run("Chat", func(t *testing.T) { testPageChat(t, b) })
		t.Run("ShowsWhyItClosed", func(t *testing.T) { testPageShowsWhyItClosed(t, b) })
		t.Run("ComesBack", func(t *testing.T) { testPageComesBack(t, b) })
	})
}

// testPageChat connects a tab of each engine and one of Chromium, the same client in a terminal,
// and isosocket dial, which sends plain lines, to one chat.
func testPageChat(t *testing.T, b *browser.Browser) {
	s := serveDemo(t, "127.0.0.1:0")
	other := b
	if b.Engine != browser.Chromium {
		other = browser.Start(t)
	}
	ada := openChat(t, b, s, "ada")
	bob := openChat(t, other, s, "bob")
	terminal := start(t, buildProgram(t, "../wasm"), "-name", "tess", s.chat())
	terminal.expect("You are tess")
	program, err := buildDemo()
	if err != nil {
		t.Fatal(err)
	}
	plain := start(t, program, "dial", s.chat()+"?name=pat")
	plain.expect("* you are pat; here: ada, bob, tess, pat")
	ada.waits("all four are here", `people() === "ada bob tess pat" && $("people-count").textContent === "4"`)

	ada.says("hello from a page <b>&</b>")
	terminal.typeLine("hello from a terminal")
	terminal.expect("tess: hello from a terminal")
	plain.typeLine("hello in plain lines")
	plain.expect("pat: hello in plain lines")
	bob.says("hello from the other page")
	for _, line := range []string{"ada: hello from a page <b>&</b>", "tess: hello from a terminal", "pat: hello in plain lines", "bob: hello from the other page"} {
		terminal.expect(line)
		plain.expect(line)
		for _, tb := range []*tab{ada, bob} {
			tb.waits("the page shows "+line, fmt.Sprintf("said(%q)", line))
		}
	}
	if a, b := eval[[]string](ada, `texts()`), eval[[]string](bob, `texts()`); strings.Join(a, "\n") != strings.Join(b, "\n") {
		t.Errorf("the order differs:\n%q\n%q", a, b)
	}
	if own := eval[string](ada, `[...document.querySelectorAll(".own")].map((li) => li.dataset.from).join(" ")`); own != "ada" {
		t.Errorf("ada's own texts are from %q", own)
	}

	ada.clicks("name")
	eval[bool](ada, `($("name").select(), true)`)
	ada.types("Ada L\n")
	terminal.expect("ada is now Ada L")
	bob.waits("the other page shows the new name", `people() === "Ada L bob tess pat"`)

	ada.waits("round trips were measured", `$("rtt-last").textContent.endsWith(" ms") && $("rtt-line").getAttribute("d").split("L").length > 3`)
	ada.says("/rtt")
	ada.waits("the round trip is shown", `happened("Round trip ")`)
	ada.screenshot("chat")

	terminal.typeLine("/quit")
	terminal.ends(0)
	bob.waits("tess's leaving is shown", `happened("tess left: 1000 (normal closure)") && people() === "Ada L bob pat"`)
	_ = plain.stdin.Close()
	plain.expect("connection closed: 1000 (normal closure)")
	plain.ends(0)
	for _, tb := range []*tab{ada, bob} {
		if exceptions := tb.Exceptions(); len(exceptions) > 0 {
			t.Errorf("uncaught exceptions in the page: %q", exceptions)
		}
	}
}

// testPageShowsWhyItClosed checks the reason after each kind of close, on the page and on that
// of another member.
func testPageShowsWhyItClosed(t *testing.T, b *browser.Browser) {
	s := serveDemo(t, "127.0.0.1:0")
	witness := start(t, buildProgram(t, "../wasm"), "-name", "witness", s.chat())
	witness.expect("You are witness")
	for _, c := range []struct {
		name                     string
		end                      func(tb *tab)
		phase                    string
		headline, reason, detail string
		witnessed                string
		comesBack                bool
	}{
		{name: "normally", end: func(tb *tab) { tb.closes(1000, "", "page") },
			phase: "closed", headline: "Closed by this side", reason: "1000 (normal closure)", detail: "All is done",
			witnessed: "left: 1000 (normal closure)"},
		{name: "with a reason that a browser may not send", end: func(tb *tab) { tb.closes(1001, "off to bed", "page") },
			phase: "closed", headline: "Closed by this side", reason: "1001 (going away)", detail: "Off to bed",
			witnessed: "left: 1001 (going away): off to bed"},
		{name: "with a reason of its own", end: func(tb *tab) { tb.closes(4001, "see you, 🐢", "page") },
			phase: "closed", headline: "Closed by this side", reason: "4001 (private application reason, 4000-4999)", detail: "See you, 🐢",
			witnessed: "left: 4001 (private application reason, 4000-4999): see you, 🐢"},
		{name: "by a typed line", end: func(tb *tab) { tb.says("/close 3000 typed") },
			phase: "closed", headline: "Closed by this side", reason: "3000 (registered", detail: "Typed",
			witnessed: "left: 3000"},
		{name: "by the server", end: func(tb *tab) { tb.closes(1008, "no cats here", "server") },
			phase: "closed", headline: "Closed by the server", reason: "1008 (policy violation)", detail: "No cats here",
			witnessed: "left: 1008 (policy violation): no cats here"},
		{name: "by the server, to restart", end: func(tb *tab) { tb.closes(1012, "", "server") },
			phase: "waiting", headline: "Closed by the server", reason: "1012 (service restart)", detail: "The server restarts",
			witnessed: "left: 1012 (service restart)", comesBack: true},
		{name: "dropped", end: func(tb *tab) { tb.clicks("drop") },
			phase: "waiting", headline: "Connection lost", reason: "1006 (abnormal closure)", detail: "The link broke without a close frame",
			witnessed: "left: 1006 (abnormal closure)", comesBack: true},
	} {
		if b.Engine == browser.WebKit && c.reason == "1012 (service restart)" { // see docs/parity.md, E5
			c.headline, c.reason, c.detail = "Connection lost", "1006 (abnormal closure)", "The link broke without a close frame"
		}
		t.Run(c.name, func(t *testing.T) {
			name := "p" + strings.ReplaceAll(c.name, " ", "")[:5]
			tb := openTab(t, b, s.page()+"?name="+name)
			tb.recordsStatus()
			tb.waits("joined", `phase() === "open" && people().includes("`+name+`")`)
			c.end(tb)
			logged := fmt.Sprintf(`happened(%q)`, c.headline+": "+c.reason)
			shown := fmt.Sprintf(`shown.some((s) => s.phase === %q && s.headline === %q && s.reason.startsWith(%q) && s.detail.startsWith(%q))`,
				c.phase, c.headline, c.reason, c.detail)
			if c.comesBack {
				// The wait is random and may be too short to see; the log then has both
				// statuses.
				shown += ` || ` + logged + ` && happened("trying again in ")`
			}
			tb.waits("the end is shown", shown)
			tb.waits("the log shows it, too", logged)
			witness.expect(name + " " + c.witnessed)
			if !c.comesBack {
				tb.screenshot("closed-" + strings.ReplaceAll(c.name, " ", "-"))
				tb.says("lost words")
				tb.waits("what cannot be said stays", `$("say").value === "lost words" && happened("Not connected")`)
				tb.clicks("reconnect")
			}
			tb.waits("connected again", `phase() === "open" && people().includes("`+name+`") && !visible("banner")`)
			if exceptions := tb.Exceptions(); len(exceptions) > 0 {
				t.Errorf("uncaught exceptions in the page: %q", exceptions)
			}
		})
	}
}

// recordsStatus makes the page record each status that it shows from now on in the variable shown.
func (tb *tab) recordsStatus() {
	tb.t.Helper()
	eval[bool](tb, `(globalThis.shown = [], new MutationObserver(() => shown.push({
		phase: $("status").dataset.phase, headline: $("banner-headline").textContent,
		reason: $("banner-reason").textContent, detail: $("banner-detail").textContent,
	})).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-phase"] }), true)`)
}

// beforeLoading runs a script in the page before those of the page.
func beforeLoading(t *testing.T, script string) chromedp.Action[chromedp.Void] {
	t.Helper()
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	})
}

// testPageComesBack checks that page and terminal count down and reconnect, after a server that
// closes with 1001 and after one that is killed.
func testPageComesBack(t *testing.T, b *browser.Browser) {
	s := serveDemo(t, freeAddress(t))
	tb := openTab(t, b, s.page()+"?name=ada")
	tb.recordsStatus()
	tb.waits("joined", `phase() === "open" && people() === "ada"`)
	terminal := start(t, buildProgram(t, "../wasm"), "-name", "tess", s.chat())
	terminal.expect("You are tess")
	tb.waits("both are here", `people() === "ada tess"`)

	s.interrupt()
	s.ends(0)
	// The next attempt may begin so soon that the banner never has this status. Then the log has it.
	tb.waits("1001 is shown", `shown.some((s) => s.phase === "waiting" && s.headline === "Closed by the server" && s.reason === "1001 (going away)" && s.detail === "Server shutting down")
		|| happened("Closed by the server: 1001 (going away): server shutting down; trying again in ")`)
	terminal.expect("Closed by the server: 1001 (going away): server shutting down; trying again in ")
	tb.waits("a failed attempt and a countdown are shown", `phase() === "waiting" && text("banner-headline") === "Could not connect" && /^Trying again (in \d+ s|now)$/.test(text("banner-countdown"))`)
	tb.screenshot("countdown")
	tb.says("said while it was down")
	terminal.typeLine("typed while it was down")

	s = serveDemo(t, s.host)
	tb.waits("both are back, and what was said meanwhile is there",
		`phase() === "open" && people().split(" ").sort().join(" ") === "ada tess" && said("ada: said while it was down") && said("tess: typed while it was down")`)

	s.kill()
	tb.waits("1006 is shown", `shown.some((s) => s.phase === "waiting" && s.headline === "Connection lost" && s.reason === "1006 (abnormal closure)")
		|| happened("Connection lost: 1006 (abnormal closure)")`)
	terminal.expect("Connection lost: 1006 (abnormal closure)")
	tb.waits("it waits", `phase() === "waiting"`)
	s = serveDemo(t, s.host)
	tb.clicks("reconnect")
	tb.waits("both are back", `phase() === "open" && people().split(" ").sort().join(" ") === "ada tess"`)
	terminal.interrupt()
	terminal.expect("Closed by this side: 1001 (going away)")
	terminal.ends(0)
	s.interrupt()
	s.ends(0)
}

// TestPageSaysWhatIsMissing checks the notices for features that the browser or the server
// lacks.
func TestPageSaysWhatIsMissing(t *testing.T) {
	s := serveDemo(t, "127.0.0.1:0")
	b := browser.Start(t)
	for _, c := range []struct{ name, script, notice string }{
		{"WebAssembly", `delete globalThis.WebAssembly`, "This browser has no WebAssembly"},
		{"WebSocket", `delete globalThis.WebSocket`, "This browser has no WebSocket"},
		{"what instantiates it", `WebAssembly.instantiateStreaming = () => { throw new Error("out of memory") }`, "The client could not start: out of memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tb := openTab(t, b, s.page(), beforeLoading(t, c.script))
			tb.waits("the notice is shown", fmt.Sprintf(`text("notice").startsWith(%q) && phase() === "unavailable"`, c.notice))
		})
	}
	t.Run("the built client", func(t *testing.T) {
		// The repository's own dist may have files, so the server is built from the sources
		// without them.
		program := buildWithoutClient(t)
		bare := start(t, program, "serve", "-addr", "127.0.0.1:0")
		host := servedPage.FindStringSubmatch(bare.expect("page  http://"))[1]
		bare.expect("make build builds it in")
		tb := openTab(t, b, "http://"+host+"/")
		tb.waits("the notice is shown", `text("notice").includes("make build") && phase() === "unavailable"`)
		tb.screenshot("not-built")
		program, err := buildDemo()
		if err != nil {
			t.Fatal(err)
		}
		echo := start(t, program, "dial", "ws://"+host+"/echo")
		echo.typeLine("all else works")
		echo.expect("all else works")
	})
}

// TestPageFitsEveryWindow checks that the page needs no horizontal scrolling in windows of many
// sizes, light and dark.
func TestPageFitsEveryWindow(t *testing.T) {
	s := serveDemo(t, "127.0.0.1:0")
	b := browser.Start(t)
	ada := openChat(t, b, s, "ada")
	bob := openChat(t, b, s, "Bob-with-a-longer-name")
	terminal := start(t, buildProgram(t, "../wasm"), "-name", "tess", s.chat())
	terminal.expect("You are tess")
	bob.says("Is this the page?")
	ada.waits("heard", `texts().length === 1`)
	ada.says("It is. The same Go client runs in my browser and in your terminal.")
	terminal.typeLine("… and here I am, in a terminal on the other side of the desk")
	bob.waits("heard", `texts().length === 3`)
	bob.says("one-very-long-word-" + strings.Repeat("wide", 40))
	ada.waits("all heard, and some round trips made", `texts().length === 4 && $("rtt-line").getAttribute("d").split("L").length > 6`)
	for _, window := range []struct {
		name          string
		width, height int64
		dark          bool
	}{
		{"wide", 1920, 1080, false}, {"desktop", 1280, 800, false}, {"desktop-dark", 1280, 800, true}, {"tablet", 820, 1180, false},
		{"phone", 390, 844, false}, {"phone-dark", 390, 844, true}, {"narrow", 320, 568, false},
	} {
		ada.size(window.width, window.height, window.dark)
		ada.screenshot("window-" + window.name)
		if over := eval[float64](ada, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
			t.Errorf("%s: %v pixels wider than the window", window.name, over)
		}
		if cut := eval[[]string](ada, `[...document.querySelectorAll("button, input, select")].filter((e) => {
			const box = e.getBoundingClientRect();
			return e.checkVisibility() && (box.left < 0 || box.right > innerWidth || box.width < 13 || box.height < 13);
		}).map((e) => e.id)`); len(cut) > 0 {
			t.Errorf("%s: %v are cut off", window.name, cut)
		}
	}
}

// TestPageForKeyboardAndScreenReader checks that all elements have accessible names and can be
// used with the keyboard alone, and that the page loads nothing from another host.
func TestPageForKeyboardAndScreenReader(t *testing.T) {
	s := serveDemo(t, "127.0.0.1:0")
	b := browser.Start(t)
	tb := openChat(t, b, s, "ada")
	if unnamed := eval[[]string](tb, `[...document.querySelectorAll("input, select")].filter((e) => e.labels.length === 0).map((e) => e.id)
		.concat([...document.querySelectorAll("button")].filter((e) => !e.textContent.trim()).map((e) => e.id))`); len(unnamed) > 0 {
		t.Errorf("without a label: %v", unnamed)
	}
	if roles := eval[string](tb, `[$("log").getAttribute("role"), $("log").getAttribute("aria-live"), $("status").getAttribute("role"), $("notice").getAttribute("role"), document.documentElement.lang].join(" ")`); roles != "log polite status alert en" {
		t.Errorf("roles are %q", roles)
	}
	if hosts := eval[[]string](tb, `[...new Set(performance.getEntriesByType("resource").map((e) => new URL(e.name).host))]`); len(hosts) != 1 || hosts[0] != s.host {
		t.Errorf("loaded from %v", hosts)
	}
	if !eval[bool](tb, `crossOriginIsolated`) {
		t.Error("the page is not isolated, so its clock is coarse")
	}

	// Press Tab from the top of the page until every control has had the focus.
	reached := map[string]bool{}
	for range 40 {
		tb.types("\t")
		focused := eval[string](tb, `document.activeElement.id`)
		if focused != "" && !eval[bool](tb, `document.activeElement.matches(":focus-visible") && getComputedStyle(document.activeElement).outlineStyle !== "none"`) {
			t.Errorf("the focus on %s is not visible", focused)
		}
		reached[focused] = true
	}
	for _, id := range []string{"name", "rename", "log-scroll", "say", "send", "close-reason", "close-message", "close-by-page", "close", "drop"} {
		if !reached[id] {
			t.Errorf("%s cannot be reached by Tab", id)
		}
	}
	eval[bool](tb, `($("say").focus(), true)`)
	tb.types("by keyboard\n")
	tb.waits("said", `said("ada: by keyboard") && document.activeElement.id === "say" && $("say").value === ""`)
	eval[bool](tb, `($("close").focus(), true)`)
	tb.types(" ")
	tb.waits("closed by the space bar", `phase() === "closed"`)
	eval[bool](tb, `($("reconnect").focus(), true)`)
	tb.types("\n")
	tb.waits("back, with the focus where one writes", `phase() === "open" && document.activeElement.id === "say"`)
}
