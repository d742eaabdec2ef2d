package main

import "github.com/isosocket/isosocket/bench/internal/report"

// bar is a comparison that a row holds in each of its cases.
type bar struct {
	figure report.Figure
	name   string
	than   string // an implementation, or "" for the best of the others
	among  []string
	limit  float64
	least  bool // limit is a minimum, not a maximum
}

var (
	cpuOfBest = bar{figure: report.CPU, name: "CPU", limit: 1}
	cpuOfTCP  = bar{figure: report.CPU, name: "CPU", than: limit, limit: 1.10}
	p99OfBest = bar{figure: report.P99, name: "p99", limit: 1}

	rateOfBest     = bar{figure: report.Rate, name: "rate", limit: 1, least: true}
	eightTimesBest = bar{figure: report.Rate, name: "rate", limit: 8, least: true}
	rateOfTCP      = bar{figure: report.Rate, name: "rate", than: limit, limit: 0.70, least: true}
)

// hold returns a function that checks all bars in every case of a row.
func hold(bars ...bar) func(*report.Result) []report.Check {
	return func(r *report.Result) []report.Check {
		var checks []report.Check
		for i := range r.Cases {
			for _, b := range bars {
				checks = append(checks, b.check(&r.Cases[i]))
			}
		}
		return checks
	}
}

func (b bar) check(c *report.Case) report.Check {
	k := report.Check{Text: c.Name + ": " + b.name + " to ", Limit: b.limit, Least: b.least}
	mine, ok := c.Of(own, b.figure)
	var theirs float64
	var found bool
	if b.than != "" {
		k.Text += b.than
		theirs, found = c.Of(b.than, b.figure)
	} else {
		k.Text += "the best peer"
		theirs, k.Than, found = c.Best(b.figure, b.least, b.excluded(c)...)
	}
	if ok && found {
		k.Value, k.Known = mine/theirs, true
	}
	return k
}

// excluded are the implementations that do not count as peers.
func (b bar) excluded(c *report.Case) []string {
	not := []string{own, limit, javascript, emptyGo}
	if b.among == nil {
		return not
	}
next:
	for _, e := range c.Peers {
		for _, name := range b.among {
			if e.Peer == name {
				continue next
			}
		}
		not = append(not, e.Peer)
	}
	return not
}

// absolute compares a figure of this library with a limit, in one case.
func absolute(r *report.Result, name string, figure report.Figure, what string, limit float64) report.Check {
	k := report.Check{Text: name + ": " + what, Limit: limit}
	if c, ok := r.Case(name); ok {
		k.Value, k.Known = c.Of(own, figure)
	}
	return k
}

// growth compares the growth of a figure from one case to another with its growth for bare TCP.
func growth(r *report.Result, from, to string, figure report.Figure, limit float64) report.Check {
	k := report.Check{Text: "CPU from " + from + " to " + to + ", to the same growth of tcp", Limit: limit}
	a, okA := r.Case(from)
	b, okB := r.Case(to)
	if !okA || !okB {
		return k
	}
	values := make([]float64, 0, 4)
	for _, c := range []*report.Case{a, b} {
		for _, p := range []string{own, "tcp"} {
			v, ok := c.Of(p, figure)
			if !ok {
				return k
			}
			values = append(values, v)
		}
	}
	k.Value, k.Known = (values[2]/values[0])/(values[3]/values[1]), true
	return k
}
