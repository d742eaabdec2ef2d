package wstest

import (
	"slices"
	"strings"
)

// Row is one case of two runs, side by side.
type Row struct {
	// Case is what ran.
	Case Case
	// Native and Browser are what each run came to, zero if it has no result.
	Native, Browser Result
	// Missing tells that a run has no result for the case.
	Missing bool
}

// Compare puts the results of a native and a browser run side by side, a row
// for each case of the list, in its order.
func Compare(native, browser []Result) []Row {
	var rows []Row
	for _, c := range Cases() {
		n, okNative := find(native, c.ID)
		b, okBrowser := find(browser, c.ID)
		rows = append(rows, Row{Case: c, Native: n, Browser: b, Missing: !okNative || !okBrowser})
	}
	return rows
}

func find(results []Result, id string) (Result, bool) {
	i := slices.IndexFunc(results, func(r Result) bool { return r.ID == id })
	if i < 0 {
		return Result{ID: id}, false
	}
	return results[i], true
}

// Identical reports whether both runs observed exactly the same.
func (r Row) Identical() bool {
	return !r.Missing && r.Native.Skipped == "" && r.Browser.Skipped == "" &&
		slices.Equal(r.Native.Observations, r.Browser.Observations)
}

// Right reports whether both runs observed exactly what the case expects of
// their class.
func (r Row) Right() bool {
	for _, result := range []Result{r.Native, r.Browser} {
		if result.Skipped != "" || result.Failed || len(result.Mistakes(r.Case)) > 0 {
			return false
		}
	}
	return !r.Missing
}

// Different returns the ids of the differences that the case is allowed, each
// once.
func (r Row) Different() []string {
	var ids []string
	for _, e := range r.Case.Want {
		if e.Difference != "" && !slices.Contains(ids, e.Difference) {
			ids = append(ids, e.Difference)
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
