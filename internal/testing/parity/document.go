//go:build !js

package parity

import (
	"fmt"
	"strings"

	"github.com/isosocket/isosocket/ws/wstest"
)

// engines are the columns of [Document]: the engines of make test, in which every case has the
// expected values or those of a quirk.
var engines = []string{"chromium", "firefox", "webkit", "node", "deno", "bun"}

// Document returns docs/parity.md: the results of each case in each engine, as the data of
// wstest specifies them. A run with other results fails TestParity of package e2e.
func Document() string {
	var b strings.Builder
	b.WriteString(`# Engines

The conformance suite in ` + "`ws/wstest`" + ` lists, case by case, the values that a program must observe. ` + "`make parity`" + ` runs it natively
and in JavaScript engines and prints a table of the results; ` + "`make parity ENGINE=deno`" + ` runs one engine. A run with other values
than those below fails.

This file is generated from the data of ` + "`ws/wstest`" + `: ` + "`PARITY_DOCUMENT=write go test ./internal/testing/parity`" + ` writes it, and a test
compares it.

## Where one engine differs from the others

`)
	b.WriteString(wstest.QuirksTable())
	b.WriteString(`
## Case by case

The columns are the engines in which ` + "`make test`" + ` runs the suite.

B1 and so on are the differences of every browser; E1 and so on are those of one engine, listed above. "=" means the same values as
natively. The same is true of every case that is not listed.

`)
	for _, d := range wstest.Differences() {
		fmt.Fprintf(&b, "- %s: %s\n", d.ID, d.Subject)
	}
	b.WriteString("\n[Browsers](browser.md#what-stays-different-in-a-browser) describes each of these.\n\n")
	b.WriteString("| case | event | " + strings.Join(engines, " | ") + " |\n| --- | --- |" + strings.Repeat(" --- |", len(engines)) + "\n")
	for _, c := range wstest.Cases() {
		same := true
		row := "| " + c.ID + " | " + c.Event + " |"
		for _, engine := range engines {
			cell := "="
			if ids := (wstest.Result{Class: wstest.Browser, Engine: engine}).Different(c); len(ids) > 0 {
				cell, same = strings.Join(ids, " "), false
			}
			row += " " + cell + " |"
		}
		if !same {
			b.WriteString(row + "\n")
		}
	}
	return b.String()
}
