// Package trend decides whether a measured quantity, such as the memory of a process, grows with
// time. [Fit] finds the straight line that fits its values best, and how much of the slope may be
// noise. [Line.Judge] compares the growth with a bound:
//
//	line, err := trend.Fit(seconds, bytes)
//	…
//	err = line.Judge(trend.Bound{Share: 0.05, Least: 8 << 20})
//
// It is for this module's own tests, on all targets.
package trend
