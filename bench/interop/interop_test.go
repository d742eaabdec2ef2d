package main

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestGoPeers: the peers in Go, in both roles, are as good as the table says.
func TestGoPeers(t *testing.T) {
	t.Parallel()
	for _, p := range goPeers() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			results, err := goServer(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			text, wrong := table([]line{
				{p.name, "", "server", results},
				{p.name, "", "client", asServer(t.Context(), p.client)},
			}, nil)
			if len(wrong) > 0 {
				t.Errorf("%s\n%s", strings.Join(wrong, "\n"), text)
			}
		})
	}
}

// TestTable: a cell that is bad needs a fault, and one that is good may not have one.
func TestTable(t *testing.T) {
	t.Parallel()
	bad := errors.New("bad")
	good := row{"takeover": agreed("snct s9"), "compressed": errDeclined}
	text, wrong := table([]line{{"x", "1.2", "server", good}}, []string{"y"})
	if !strings.Contains(text, "| x | 1.2 | server | ok | ok | ok | ok | ok | ok | ok | declined | ok, snct s9 | ok |") || !strings.Contains(text, "missing on the machine: y.") || len(wrong) > 0 {
		t.Errorf("%s\n%q", text, wrong)
	}
	for _, test := range []struct {
		l    line
		want string
	}{
		{line{"x", "", "server", row{"close": bad}}, "x as server, close: bad"},
		{line{"nbio", "", "client", row{"empty": nil}}, "nbio as client, empty: is good, but has a fault"},
	} {
		if _, wrong := table([]line{test.l}, nil); !slices.Equal(wrong, []string{test.want}) {
			t.Errorf("%q, want %q", wrong, test.want)
		}
	}
	text, wrong = table([]line{{"nbio", "", "client", row{"empty": bad}}}, nil)
	if !strings.Contains(text, "| no [1] |") || !strings.Contains(text, "1. nbio does not") || len(wrong) > 0 {
		t.Errorf("%s\n%q", text, wrong)
	}
	for _, f := range faults {
		if !slices.Contains(columns, f.column) || !strings.Contains(f.why, "RFC") {
			t.Errorf("the fault %q names no column, or no RFC", f)
		}
	}
}

// TestDocument: docs/interop.md has a row for each peer in each of its roles, which ran, and no bad cell
// but those of faults.
func TestDocument(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/interop.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), begin)
	text, _, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatal("docs/interop.md has no table")
	}
	var want []string
	for _, p := range []string{"gorilla", "gws", "gobwas", "coder", "nbio", "ws", "faye-websocket", "Deno", "Bun", "websockets"} {
		want = append(want, p+" server", p+" client")
	}
	want = append(want, "undici client", "Node.js client", "nginx proxy", "haproxy proxy", "caddy proxy")
	var got []string
	for l := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(l), "| "), " | ")
		if len(cells) != len(columns)+3 || cells[0] == "peer" || strings.HasPrefix(cells[0], "-") {
			continue
		}
		got = append(got, cells[0]+" "+cells[2])
		for i, cell := range cells[3:] {
			fault := find(cells[0], cells[2], columns[i]) != ""
			if isGood := cell == "ok" || cell == "declined" || strings.HasPrefix(cell, "ok, "); isGood == fault || !isGood && !strings.HasPrefix(cell, "no [") {
				t.Errorf("%s as %s, %s: %s", cells[0], cells[2], columns[i], cell)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the table has the rows\n%q, want\n%q", got, want)
	}
}
