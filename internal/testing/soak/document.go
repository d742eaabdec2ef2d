//go:build !js

package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/isosocket/isosocket/internal/testing/section"
)

// The lines around the part of docs/reliability.md that a run writes.
const (
	sectionBegin = "<!-- Written by make soak: begin -->\n"
	sectionEnd   = "<!-- Written by make soak: end -->\n"
)

// engine is the figures of the run in one browser, as the test in e2e writes them.
type engine struct {
	Engine, Version      string
	Messages, Reconnects int
	Seconds              float64
	Quantities           []engineQuantity
}

// engineQuantity is one measured quantity, in bytes or a number of things.
type engineQuantity struct {
	Name                       string
	InBytes                    bool
	Mean, Growth, Noise, Bound float64
}

// readEngines reads the figures in a folder; "" means none.
func readEngines(folder string) (all []engine, err error) {
	if folder == "" {
		return nil, nil
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var e engine
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// markdown is the part of the page that a run writes.
func (r *result) markdown(engines []engine) string {
	var b strings.Builder
	fmt.Fprintf(&b, "On %s, for %s after all clients were connected, on %d processors with a load average of %.1f (%s):\n\n",
		r.began.UTC().Format(time.DateOnly), spell(r.lasts), r.processors, r.meanLoad(), r.version)
	for _, line := range r.summary() {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	fmt.Fprintf(&b, "\n| process | quantity | mean | growth | noise | at most |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, v := range r.verdicts() {
		in := func(value float64, sign bool) string { return cell(value, v.quantityOf.unit > 1, sign) }
		fmt.Fprintf(&b, "| %s | %s | %s | %s | ± %s | %s |\n", v.process, v.quantity,
			in(v.line.Mean, false), in(v.line.Growth, true), in(v.line.Noise, false), in(v.bound, false))
	}
	if len(engines) > 0 {
		b.WriteString("\nIn a page, for the last three quarters of the messages. Only Chromium tells the size of its own heap.\n\n" +
			"| browser | messages | connections | quantity | mean | growth | noise | at most |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
		for _, e := range engines {
			for _, q := range e.Quantities {
				in := func(value float64, sign bool) string { return cell(value, q.InBytes, sign) }
				fmt.Fprintf(&b, "| %s %s | %s | %s | %s | %s | %s | ± %s | %s |\n", e.Engine, e.Version,
					thousands(int64(e.Messages)), thousands(int64(e.Reconnects)), q.Name, in(q.Mean, false), in(q.Growth, true), in(q.Noise, false), in(q.Bound, false))
			}
		}
	}
	return b.String()
}

// cell writes a number of bytes in MiB, or of other things as it is.
func cell(value float64, inBytes, sign bool) string {
	digits, unit := 0, ""
	if inBytes {
		digits, unit, value = 1, " MiB", value/(1<<20)
		if math.Abs(value) < 1 {
			digits = 2
		}
	}
	text := fmt.Sprintf("%.*f", digits, value)
	if strings.Trim(text, "-0.") == "" {
		text = strings.TrimPrefix(text, "-") // no negative zero
	}
	if sign && !strings.HasPrefix(text, "-") {
		text = "+" + text
	}
	return text + unit
}

// writeSection replaces what is between the marks in a page.
func writeSection(path, text string) error {
	return section.Write(path, sectionBegin, sectionEnd, "\n"+text+"\n")
}
