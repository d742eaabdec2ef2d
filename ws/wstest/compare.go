package wstest

import (
	"slices"
	"strings"
)

// Row holds the results of one case in several runs.
type Row struct {
	// Case is the case that ran.
	Case Case
	// Results holds the result of each run, in the order of the runs. A run
	// without a result for the case has one without a Target.
	Results []Result
}

// Compare returns one row for each case, in the order of [Cases], with the results of all runs.
func Compare(runs ...[]Result) []Row {
	var rows []Row
	for _, c := range Cases() {
		row := Row{Case: c}
		for _, run := range runs {
			row.Results = append(row.Results, find(run, c.ID))
		}
		rows = append(rows, row)
	}
	return rows
}

func find(results []Result, id string) Result {
	i := slices.IndexFunc(results, func(r Result) bool { return r.ID == id })
	if i < 0 {
		return Result{ID: id}
	}
	return results[i]
}

// Identical reports whether all runs observed the same values.
func (r Row) Identical() bool {
	return !slices.ContainsFunc(r.Results, func(result Result) bool {
		return result.Target == "" || result.Skipped != "" || !slices.Equal(result.Observations, r.Results[0].Observations)
	})
}

// Right reports whether every run observed the values that the case expects of its target.
func (r Row) Right() bool {
	return !slices.ContainsFunc(r.Results, func(result Result) bool { return !result.Right(r.Case) })
}

// Different returns the ids of the differences and quirks that the case allows
// the runs, each once.
func (r Row) Different() []string {
	var ids []string
	for _, result := range r.Results {
		for _, id := range result.Different(r.Case) {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// Right reports whether r is the result that c expects of r's target.
func (r Result) Right(c Case) bool {
	return r.Target != "" && r.Skipped == "" && !r.Failed && len(r.Mistakes(c)) == 0
}

// Different returns the ids of the differences and quirks for which c expects another value of
// r's target than of a native one, each once.
func (r Result) Different(c Case) []string {
	var ids []string
	for _, e := range c.Want {
		id := ""
		if q, ok := quirkOf(r.Engine, c.ID, e.Key); ok {
			id = q.ID
		} else if r.Class == Browser {
			id = e.Difference
		}
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Summary returns the values of a result in one line of at most limit bytes,
// each value once.
func (r Result) Summary(limit int) string {
	if r.Skipped != "" {
		return "not run: " + r.Skipped
	}
	var values []string
	for _, o := range r.Observations {
		if !slices.Contains(values, o.Value) {
			values = append(values, o.Value)
		}
	}
	s := strings.Join(values, "; ")
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:max(0, limit-len("…"))], "") + "…"
}
