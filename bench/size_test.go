package main

import (
	"bytes"
	"testing"

	"github.com/isosocket/isosocket/bench/internal/browser"
)

// clientBudget is the most by which the client of row m may be larger than an empty program,
// gzipped, in KB of 1000 bytes. It is 3 % above the size measured with go1.26. A feature that
// needs more raises it.
const clientBudget = 271

// unlinked are functions that a client must not contain, whatever its packages
// import.
var unlinked = []string{"fmt.(*pp).doPrint", "reflect.Value.", "os.OpenFile", "encoding/json.", "regexp.", "net/url.", "net/http."}

// TestClientSize checks that a browser client stays small. A single call often links large
// packages; go build -ldflags=-dumpdep shows why a function is linked.
func TestClientSize(t *testing.T) {
	weight := map[string]int{}
	for _, name := range []string{emptyGo, own} {
		program, err := browser.Build("./wasm/size/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if weight[name], err = browser.Gzipped(program); err != nil {
			t.Fatal(err)
		}
		for _, function := range unlinked {
			if bytes.Contains(program, []byte(function)) {
				t.Errorf("%s contains %s", name, function)
			}
		}
	}
	if more := weight[own] - weight[emptyGo]; more > clientBudget*1000 {
		t.Errorf("the client is %d bytes larger than an empty program, over %d KB", more, clientBudget)
	}
}
