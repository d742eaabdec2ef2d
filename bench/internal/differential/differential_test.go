package differential

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/internal/testing/section"
)

// compare returns the first disagreement of a peer with this library, "" if there is none or it is
// known.
func compare(peer string, r role, wire []byte, ours, theirs []event) string {
	for i := range ours {
		if i >= len(theirs) {
			return fmt.Sprintf("%s has no end", peer)
		}
		if ours[i].what == theirs[i].what {
			continue
		}
		for _, d := range disagreements {
			if d.matches(peer, r, wire, ours[i], theirs[i]) {
				return ""
			}
		}
		return fmt.Sprintf("isosocket: %v\n%s: %v\nwhere isosocket has %v\nand %s has %v", ours, peer, theirs, ours[i], peer, theirs[i])
	}
	return ""
}

// readers returns what each peer makes of wire.
func readers(t testing.TB, g *gwsReader, r role, wire []byte) map[string][]event {
	t.Helper()
	byGorilla, err := gorillaReads(r, wire)
	if err != nil {
		t.Fatal(err)
	}
	byGws, err := g.reads(r, wire)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]event{"gorilla": byGorilla, "gws": byGws}
}

// FuzzReaders gives this library's decoder, gorilla's Conn and that of gws the same bytes. They must
// read the same messages and control frames and end in the same way, except where the list of the known
// disagreements says otherwise.
func FuzzReaders(f *testing.F) {
	for _, d := range disagreements {
		f.Add(unhex(f, d.wire), byte(d.role))
	}
	for _, s := range []string{
		"8105 48656c6c6f", "0103 48656c 8900 8002 6c6f", "8a03 616263 8800", "827e0080" + strings.Repeat("61", 128) + "8802 03e8",
	} {
		f.Add(unhex(f, s), byte(client))
	}
	for _, s := range []string{
		"8185 00000000 48656c6c6f", "0183 01020304 49676f 8080 00000000 8882 00000000 03e8", "827e0100" + "818500000000 48656c6c6f",
	} {
		f.Add(unhex(f, s), byte(server))
	}
	for _, s := range []string{
		"c187 00000000 f248cdc9c90700", "4183 00000000 f248cd 8084 00000000 c9c90700", "c18b 00000000 0005 00fa ff 48656c6c6f 00",
		"c188 00000000 f348cdc9c9070000", "c286 00000000 010000ffff00",
	} {
		f.Add(unhex(f, s), byte(inflating))
	}
	g := newGwsReader()
	f.Fuzz(func(t *testing.T, wire []byte, how byte) {
		r := role(how) % roles
		ours := isosocketReads(r, wire)
		for peer, theirs := range readers(t, g, r, wire) {
			if why := compare(peer, r, wire, ours, theirs); why != "" {
				t.Error(why)
			}
		}
	})
}

// TestDisagreements: each disagreement of the list is there with the versions of the peers that go.mod
// names, so that the list loses what a peer mends.
func TestDisagreements(t *testing.T) {
	g := newGwsReader()
	for _, d := range disagreements {
		wire := unhex(t, d.wire)
		ours, theirs := isosocketReads(d.role, wire), readers(t, g, d.role, wire)[d.peer]
		found := false
		for i := range ours {
			if ours[i].what != theirs[i].what {
				found = d.matches(d.peer, d.role, wire, ours[i], theirs[i])
				break
			}
		}
		if !found {
			t.Errorf("%s, %s: isosocket has %v, %s has %v", d.peer, d.what, ours, d.peer, theirs)
		}
	}
}

// document is the page with the list.
const document = "../../../docs/fuzzing.md"

// TestDocument: docs/fuzzing.md has the list. FUZZING_DOCUMENT=write writes it there.
func TestDocument(t *testing.T) {
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- disagreements -->\n", "<!-- end of disagreements -->\n"
	want, err := section.Replace(string(page), begin, end, table())
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	if want == string(page) {
		return
	}
	if os.Getenv("FUZZING_DOCUMENT") != "write" {
		t.Fatalf("%s differs from the list: run FUZZING_DOCUMENT=write go test ./internal/differential in bench", document)
	}
	if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
