//go:build !js

package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// made returns a result of ten minutes with the values of grow, which may change a sample.
func made(grow func(i int, s *samples)) *result {
	random := rand.New(rand.NewPCG(1, 2))
	r := &result{plan: plan{clients: 10_000, lasts: 10 * time.Minute}, population: populate(10_000), processors: 2, version: "go1.26"}
	const size = 240
	for i := range size {
		at := r.lasts * time.Duration(i+1) / size
		noise := func(n int64) int64 { return n + int64(float64(n)*0.02*random.NormFloat64()) }
		one := func(n int64) sample {
			return sample{At: at, Resident: noise(n * 40 << 10), Heap: noise(n * 10 << 10), Goroutines: int(noise(n)), Descriptors: int(noise(n))}
		}
		s := samples{one(9_000), one(12_000)}
		grow(i, &s)
		r.samples = append(r.samples, s)
		r.load += 3
	}
	return r
}

// TestFailure checks that a leak of any quantity in either process fails a run, by its name.
func TestFailure(t *testing.T) {
	for _, tt := range []struct {
		name string
		grow func(i int, s *samples)
		want string
	}{
		{"no leak", func(int, *samples) {}, ""},
		{"growth in the warm-up", func(i int, s *samples) {
			s.server.Resident = s.server.Resident * int64(min(i+20, 60)) / 60
		}, ""},
		{"memory of the server", func(i int, s *samples) { s.server.Resident += int64(i) << 18 }, "memory in RAM of the server: it grows by"},
		{"heap of the clients", func(i int, s *samples) {
			s.clients.Heap += int64(i) << 16
		}, "heap in use of the clients: it grows by"},
		{"goroutines of the server", func(i int, s *samples) { s.server.Goroutines += 10 * i }, "goroutines of the server: it grows by"},
		{"descriptors of the clients", func(i int, s *samples) { s.clients.Descriptors += 10 * i }, "descriptors of the clients: it grows by"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := made(tt.grow).failure()
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "1 problems")):
				t.Errorf("failure() = %v, want only %q", err, tt.want)
			}
		})
	}
	r := made(func(int, *samples) {})
	r.problems = []string{"steady client 5: lost"}
	if err := r.failure(); err == nil || !strings.Contains(err.Error(), r.problems[0]) {
		t.Errorf("failure() = %v, want the problem", err)
	}
}

// TestDocument checks what a run writes.
func TestDocument(t *testing.T) {
	r := made(func(int, *samples) {})
	drawing := xml.NewDecoder(bytes.NewReader(r.svg()))
	lines := 0
	for {
		token, err := drawing.Token()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the SVG is not XML: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			lines++
		}
	}
	if want := len(processes) * len(quantities); lines != want {
		t.Errorf("%d lines are drawn, want %d", lines, want)
	}

	folder := t.TempDir()
	figures, err := json.Marshal(engine{Engine: "Chromium", Version: "1.2", Messages: 200_000, Reconnects: 2_000,
		Quantities: []engineQuantity{{Name: "WebAssembly memory", InBytes: true, Mean: 20 << 20, Growth: -1, Bound: 1 << 20}, {Name: "goroutines", Mean: 5, Bound: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "chromium.json"), figures, 0o644); err != nil {
		t.Fatal(err)
	}
	engines, err := readEngines(folder)
	if err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(folder, "reliability.md")
	const before, after = "# Reliability\n\n", "\n## More\n"
	if err := os.WriteFile(page, []byte(before+sectionBegin+"old\n"+sectionEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second run replaces the first one
		if err := writeSection(page, r.markdown(engines)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"6,000 steady clients", "load average of 3.0", "| server | goroutines | ",
		"| Chromium 1.2 | 200,000 | 2,000 | WebAssembly memory | 20.0 MiB | +0.00 MiB | ± 0.00 MiB | 1.0 MiB |", "| goroutines | 5 | +0 | ± 0 | 2 |"} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("the page has %q %d times:\n%s", want, strings.Count(string(text), want), text)
		}
	}
	if !strings.HasPrefix(string(text), before) || !strings.HasSuffix(string(text), after) || strings.Contains(string(text), "old") {
		t.Errorf("the page is %s", text)
	}
	if err := os.WriteFile(page, []byte("# Reliability\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writeSection(page, ""); err == nil {
		t.Error("a page without the marks was written")
	}
}
