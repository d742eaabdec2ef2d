package report

import "math"

// Result is one row of the report.
type Result struct {
	ID    string  `json:"id"`
	Title string  `json:"title"`
	Short string  `json:"-"`    // a title of a few words
	Unit  string  `json:"unit"` // what is counted: messages, connections, …
	Cases []Case  `json:"cases"`
	Bars  []Check `json:"bars"`

	// Foremost is the figure that the row is about before all others: the first
	// word of its column, or "rate".
	Foremost string `json:"foremost"`
}

// Case is one load that a row puts on every implementation.
type Case struct {
	Name  string  `json:"name"`
	Peers []Entry `json:"peers"`
}

// Entry is what one implementation came to.
type Entry struct {
	Peer   string    `json:"peer"`
	Median Figures   `json:"median"`
	Rounds []Figures `json:"rounds,omitempty"`
	Lacks  string    `json:"lacks,omitempty"` // why it was not measured
	Error  string    `json:"error,omitempty"` // what failed, in one round at least
	Failed int       `json:"failed_rounds,omitempty"`
}

// Check is a bar held against the figures.
type Check struct {
	Text  string  `json:"text"`
	Value float64 `json:"value"`
	Limit float64 `json:"limit"`
	Least bool    `json:"at_least"` // the value has to reach the limit, not stay within it
	Known bool    `json:"known"`    // false if something was not measured
	Than  string  `json:"than,omitempty"`
}

// Met reports whether the bar is met. One that could not be held is not.
func (c *Check) Met() bool {
	if !c.Known || math.IsNaN(c.Value) {
		return false
	}
	if c.Least {
		return c.Value >= c.Limit
	}
	return c.Value <= c.Limit
}

// Figure is a name of one of the Figures.
type Figure func(Figures) float64

// The figures that bars are about. A better one is lower, except for Rate.
var (
	Rate      Figure = func(f Figures) float64 { return f.Rate }
	CPU       Figure = func(f Figures) float64 { return f.CPUMicros }
	P99       Figure = func(f Figures) float64 { return f.P99Micros }
	ConnKiB   Figure = func(f Figures) float64 { return f.ConnKiB }
	PeakRatio Figure = func(f Figures) float64 { return f.PeakRatio }
	BundleKB  Figure = func(f Figures) float64 { return f.BundleKB }
)

// Of returns a figure of an implementation, ok if it was measured.
func (c *Case) Of(peer string, figure Figure) (value float64, ok bool) {
	for _, e := range c.Peers {
		if e.Peer == peer && len(e.Rounds) > 0 {
			v := figure(e.Median)
			return v, v > 0
		}
	}
	return 0, false
}

// Best returns the best figure among the implementations that are neither own
// nor a limit, and whose it is.
func (c *Case) Best(figure Figure, highest bool, not ...string) (value float64, peer string, ok bool) {
next:
	for _, e := range c.Peers {
		for _, n := range not {
			if e.Peer == n {
				continue next
			}
		}
		v, measured := c.Of(e.Peer, figure)
		if measured && (!ok || highest == (v > value)) {
			value, peer, ok = v, e.Peer, true
		}
	}
	return value, peer, ok
}

// Case returns the case of that name.
func (r *Result) Case(name string) (*Case, bool) {
	for i := range r.Cases {
		if r.Cases[i].Name == name {
			return &r.Cases[i], true
		}
	}
	return nil, false
}
