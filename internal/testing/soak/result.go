//go:build !js

package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/isosocket/isosocket/internal/testing/trend"
)

// result is what a run found.
type result struct {
	plan
	population
	began   time.Time
	took    time.Duration
	samples []samples
	open    []int // connections, at each sample
	unsent  int64 // the most bytes that waited for slow readers
	after   samples
	last    answer
	counts  totals
	faulty  outcome
	faults  int

	load       float64 // the sum over the samples
	processors int
	version    string

	problems []string
	cut      bool // the run ended early, because there were many problems
}

// totals are counts that no longer change.
type totals struct {
	Echoes, EchoBytes, Pushed, Churned, Reconnects, Deaths int64
}

func (t *totals) of(c *counts) {
	*t = totals{c.Echoes.Load(), c.EchoBytes.Load(), c.Pushed.Load(), c.Churned.Load(), c.Reconnects.Load(), c.Deaths.Load()}
}

// quantity is what is measured of a process, and how much it may grow.
type quantity struct {
	name  string
	unit  float64 // what it is divided by for people
	label string  // of the unit
	of    func(sample) int64
	trend.Bound
}

// share is how much each quantity may grow during the judged part of a run, of its mean. In that
// part of a run of ten minutes with 10,000 clients, tens of thousands of connections begin and end,
// so that a leak of one goroutine, descriptor or KiB for each of them is far above it.
const share = 0.05

var quantities = []quantity{
	{"memory in RAM", 1 << 20, "MiB", func(s sample) int64 { return s.Resident }, trend.Bound{Share: share, Least: 8 << 20}},
	{"heap in use", 1 << 20, "MiB", func(s sample) int64 { return s.Heap }, trend.Bound{Share: share, Least: 2 << 20}},
	{"goroutines", 1, "", func(s sample) int64 { return int64(s.Goroutines) }, trend.Bound{Share: share, Least: 20}},
	{"descriptors", 1, "", func(s sample) int64 { return int64(s.Descriptors) }, trend.Bound{Share: share, Least: 20}},
}

// process is one of the two processes.
type process struct {
	name string
	of   func(samples) sample
}

var processes = []process{
	{"server", func(s samples) sample { return s.server }},
	{"clients", func(s samples) sample { return s.clients }},
}

// series returns the values of a quantity, and the times in seconds.
func (r *result) series(p process, q quantity) (at, values []float64) {
	for _, both := range r.samples {
		s := p.of(both)
		at = append(at, s.At.Seconds())
		values = append(values, float64(q.of(s)))
	}
	return at, values
}

// judged returns the part of a series that is judged.
func (r *result) judged(at, values []float64) ([]float64, []float64) {
	from := r.lasts.Seconds() * warmUp / 100
	for i, t := range at {
		if t >= from {
			return at[i:], values[i:]
		}
	}
	return nil, nil
}

// verdict is the judgement of one quantity of one process.
type verdict struct {
	process, quantity string
	line              trend.Line
	bound             float64
	err               error
	quantityOf        quantity
}

func (v verdict) String() string {
	text := "flat"
	if v.err != nil {
		text = v.err.Error()
	}
	u := v.quantityOf.unit
	return strings.TrimRight(fmt.Sprintf("%-8s %-24s mean %9.1f %-3s growth %+8.2f ± %.2f, at most %.2f: %s",
		v.process, v.quantity, v.line.Mean/u, v.quantityOf.label, v.line.Growth/u, v.line.Noise/u, v.bound/u, text), " ")
}

// verdicts judges every quantity of both processes.
func (r *result) verdicts() (all []verdict) {
	for _, p := range processes {
		for _, q := range quantities {
			v := verdict{process: p.name, quantity: q.name, quantityOf: q}
			if v.line, v.err = trend.Fit(r.judged(r.series(p, q))); v.err == nil {
				v.bound = q.Bound.Of(v.line.Mean)
				v.err = v.line.Judge(q.Bound)
			}
			all = append(all, v)
		}
	}
	return all
}

// failure returns what makes the run fail, or nil.
func (r *result) failure() error {
	texts := r.problems
	for _, v := range r.verdicts() {
		if v.err != nil && !r.cut {
			texts = append(texts, fmt.Sprintf("%s of the %s: %v", v.quantity, v.process, v.err))
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return fmt.Errorf("%d problems, seed %d:\n\t%s", len(texts), r.seed, strings.Join(texts, "\n\t"))
}

// summary is a list of what happened.
func (r *result) summary() []string {
	f := r.faulty
	return []string{
		fmt.Sprintf("%s steady clients received %s echoes, %s, each once, in order and unchanged.",
			thousands(int64(r.Steady)), thousands(r.counts.Echoes), bytesText(r.counts.EchoBytes)),
		fmt.Sprintf("%s churning clients opened and ended %s connections, each with the right reason on both sides.",
			thousands(int64(r.Churning)), thousands(r.counts.Churned)),
		fmt.Sprintf("%s clients behind a network with %d faults connected %s times and sent %s messages. %s arrived, each once and in order; "+
			"%s were refused by Send, %s reported as not sent and %s as perhaps lost, %s of which had arrived. None was lost without a report.",
			thousands(int64(r.Faulty)), r.faults, thousands(r.counts.Reconnects), thousands(int64(f.Sent)), thousands(int64(f.Arrived)),
			thousands(int64(f.Refused)), thousands(int64(f.NotSent)), thousands(int64(f.Unconfirmed)), thousands(int64(f.Both))),
		fmt.Sprintf("%d slow readers received %s messages without a gap, while at most %s waited for all of them together in the server.",
			r.Slow, thousands(r.counts.Pushed), bytesText(r.unsent)),
		fmt.Sprintf("%d peers without this library died %s times in the middle of a handshake or a frame, by FIN, RST or silence.",
			r.Dying, thousands(r.counts.Deaths)),
		fmt.Sprintf("In the end the server, which had accepted %s connections, had %d connections, %d goroutines and %d descriptors left, and the clients %d goroutines and %d descriptors.",
			thousands(int64(r.last.Accepted)), r.last.Open, r.after.server.Goroutines, r.after.server.Descriptors, r.after.clients.Goroutines, r.after.clients.Descriptors),
	}
}

// meanLoad is the mean load average of the machine during the run.
func (r *result) meanLoad() float64 { return r.load / float64(max(len(r.samples), 1)) }

// print writes the result for people.
func (r *result) print(w io.Writer) {
	for _, line := range r.summary() {
		fmt.Fprintln(w, line)
	}
	if !r.cut {
		for _, v := range r.verdicts() {
			fmt.Fprintln(w, v)
		}
	}
	fmt.Fprintf(w, "load average %.1f on %d processors\n", r.meanLoad(), r.processors)
}

// thousands writes n with commas.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// spell writes a duration in minutes or seconds.
func spell(d time.Duration) string {
	if d >= 2*time.Minute {
		return fmt.Sprintf("%.3g minutes", d.Minutes())
	}
	return fmt.Sprintf("%.3g seconds", d.Seconds())
}

// bytesText writes a number of bytes in a fitting unit.
func bytesText(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%.0f GiB", float64(n)/(1<<30))
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.0f KiB", float64(n)/(1<<10))
}
