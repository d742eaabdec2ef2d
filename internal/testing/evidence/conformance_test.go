//go:build !js

package evidence

import (
	"regexp"
	"strings"
	"testing"
)

// sections are those of each RFC that have rules for implementations.
var sections = map[string]string{
	"RFC 6455": "3 4.1 4.2.1 4.2.2 4.4 5.1 5.2 5.3 5.4 5.5 5.5.1 5.5.2 5.5.3 5.6 5.8 6.1 6.2 7.1.1 7.1.2 7.1.5 7.1.7 7.2.1 7.2.2 7.2.3 " +
		"7.4.1 7.4.2 8.1 9.1 10.2 10.3 10.4 10.6 10.7 11.1.1 11.3.1 11.3.2 11.3.3 11.3.4 11.3.5",
	"RFC 7692": "5 5.1 6 6.1 6.2 7 7.1.1.1 7.1.1.2 7.1.2.1 7.1.2.2 7.2.1 7.2.2 7.2.3.1 7.2.3.2 7.2.3.3 7.2.3.4 7.2.3.5 7.2.3.6 7.3 8",
	"RFC 8441": "3 4 5",
}

// reasons are what a row may begin with that names no test.
var reasons = []string{"not followed: ", "not applicable: ", "by net/http, ", "the program: "}

// TestConformanceIsComplete: each row of docs/conformance.md has a section, a rule, whom it binds, and
// a test or a reason, and each section has a row.
func TestConformanceIsComplete(t *testing.T) {
	t.Parallel()
	rfc, rows := "", 0
	seen := map[string]bool{}
	for line := range strings.Lines(read(t, "docs/conformance.md")) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "## "); ok {
			rfc = name
		}
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| section") || strings.HasPrefix(line, "| ---") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 4 {
			t.Errorf("a row has %d cells, want 4: %s", len(cells), line)
			continue
		}
		section, who, shown := cells[0], cells[2], cells[3]
		if !regexp.MustCompile(`^\d+(\.\d+)*$`).MatchString(section) || sections[rfc] == "" {
			t.Errorf("%s, section %q is none that this test knows", rfc, section)
		}
		seen[rfc+" "+section] = true
		switch who {
		case "client", "server", "both", "-":
		default:
			t.Errorf("a rule binds %q, want client, server, both or -: %s", who, line)
		}
		reasoned := false
		for _, reason := range reasons {
			reasoned = reasoned || strings.HasPrefix(shown, reason)
		}
		if !reasoned && len(namedTests(shown)) == 0 {
			t.Errorf("a row names no test, and no reason that begins with one of %q: %s", reasons, line)
		}
	}
	if rows < 100 {
		t.Errorf("found %d rows", rows)
	}
	for rfc, list := range sections {
		for section := range strings.FieldsSeq(list) {
			if !seen[rfc+" "+section] {
				t.Errorf("%s, section %s has no row", rfc, section)
			}
		}
	}
}
