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

	// Foremost names the main figure of the row: the first word of its column, or "rate".
	Foremost string `json:"foremost"`
}

// Case is one load, with the results of every implementation.
type Case struct {
	Name  string  `json:"name"`
	Peers []Entry `json:"peers"`
}

// Entry holds the results of one implementation.
type Entry struct {
	Peer   string    `json:"peer"`
	Median Figures   `json:"median"`
	Rounds []Figures `json:"rounds,omitempty"`
	Lacks  string    `json:"lacks,omitempty"` // why it was not measured
	Error  string    `json:"error,omitempty"` // the error of a failed round
	Failed int       `json:"failed_rounds,omitempty"`
}

// Check is the result of a bar.
type Check struct {
	Text  string  `json:"text"`
	Value float64 `json:"value"`
	Limit float64 `json:"limit"`
	Least bool    `json:"at_least"` // the limit is a minimum, not a maximum
	Known bool    `json:"known"`    // false if something was not measured
	Than  string  `json:"than,omitempty"`
}

// Met reports whether the bar is met. It is false if something was not measured.
func (c *Check) Met() bool {
	if !c.Known || math.IsNaN(c.Value) {
		return false
	}
	if c.Least {
		return c.Value >= c.Limit
	}
	return c.Value <= c.Limit
}

// Figure names a field of Figures.
type Figure func(Figures) float64

// The figures that bars compare. Lower is better, except for Rate.
var (
	Rate      Figure = func(f Figures) float64 { return f.Rate }
	CPU       Figure = func(f Figures) float64 { return f.CPUMicros }
	P50       Figure = func(f Figures) float64 { return f.P50Micros }
	P99       Figure = func(f Figures) float64 { return f.P99Micros }
	ConnKiB   Figure = func(f Figures) float64 { return f.ConnKiB }
	PeakRatio Figure = func(f Figures) float64 { return f.PeakRatio }
	OverIdle  Figure = func(f Figures) float64 { return f.OverIdle }
	BundleKB  Figure = func(f Figures) float64 { return f.BundleKB }

	SentKB      Figure = func(f Figures) float64 { return f.SentKB }
	FirstMillis Figure = func(f Figures) float64 { return f.FirstMillis }
	AgainMillis Figure = func(f Figures) float64 { return f.AgainMillis }
)

// Of returns a figure of an implementation. ok is false if it was not measured.
func (c *Case) Of(peer string, figure Figure) (value float64, ok bool) {
	for _, e := range c.Peers {
		if e.Peer == peer && len(e.Rounds) > 0 {
			v := figure(e.Median)
			return v, v > 0
		}
	}
	return 0, false
}

// Best returns the best figure of the implementations other than own and the limits, and the
// name of its implementation.
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
