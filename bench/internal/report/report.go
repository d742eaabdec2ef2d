package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Report holds the results of a run.
type Report struct {
	Date     string            `json:"date"`
	Machine  string            `json:"machine"`
	Go       string            `json:"go"`
	Versions map[string]string `json:"versions"` // by implementation
	Command  string            `json:"command"`
	Rounds   int               `json:"rounds"`
	Window   string            `json:"window"` // of each measurement
	Results  []*Result         `json:"rows"`
}

// WriteJSON writes all results, including every round.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Heading returns the first lines of the report: versions, machine and settings.
func (r *Report) Heading() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s\n", r.Date, r.Machine, r.Go)
	for _, p := range []string{"isosocket", "coder", "gorilla", "gws", "gobwas", "centrifuge", "melody"} {
		if v := r.Versions[p]; v != "" {
			fmt.Fprintf(&b, "%s %s  ", p, v)
		}
	}
	fmt.Fprintf(&b, "\n%s: medians of %d rounds, windows of %s\n", r.Command, r.Rounds, r.Window)
	return b.String()
}

// column shows one figure in a table.
type column struct {
	name   string
	figure Figure
	digits int
}

func singular(unit string) string {
	if stem, ok := strings.CutSuffix(unit, "ies"); ok {
		return stem + "y"
	}
	return strings.TrimSuffix(unit, "s")
}

func columns(unit string) []column {
	return []column{
		{unit + "/s", Rate, 0},
		{"CPU us/" + singular(unit), CPU, 2},
		{"p50 us", P50, 0},
		{"p99 us", P99, 0},
		{"allocs", func(f Figures) float64 { return f.Allocs }, 2},
		{"RSS MiB", func(f Figures) float64 { return f.RSS }, 1},
		{"bytes", func(f Figures) float64 { return f.WireBytes }, 0},
		{"KiB/conn", ConnKiB, 2},
		{"heap KiB", func(f Figures) float64 { return f.HeapKiB }, 2},
		{"stack KiB", func(f Figures) float64 { return f.StackKiB }, 2},
		{"peak/size", PeakRatio, 2},
		{"peak over idle MiB", OverIdle, 2},
		{"gzip KB", BundleKB, 0},
		{"sent KB", SentKB, 0},
		{"first load ms", FirstMillis, 0},
		{"second load ms", AgainMillis, 0},
	}
}

// table returns the cells of one case, header first. Columns without any
// figures are left out.
func (c *Case) table(unit string) [][]string {
	var used []column
	for i, col := range columns(unit) {
		for _, e := range c.Peers {
			// Allocations of 0 count as measured if CPU was.
			if len(e.Rounds) > 0 && (col.figure(e.Median) > 0 || i == 4 && e.Median.CPUMicros > 0) {
				used = append(used, col)
				break
			}
		}
	}
	header := []string{""}
	for _, col := range used {
		header = append(header, col.name)
	}
	rows := [][]string{header}
	for _, e := range c.Peers {
		cells := []string{e.Peer}
		switch {
		case len(e.Rounds) > 0:
			for _, col := range used {
				cells = append(cells, group(col.figure(e.Median), col.digits))
			}
			if e.Failed > 0 {
				cells[0] += fmt.Sprintf(" (%d of %d failed)", e.Failed, e.Failed+len(e.Rounds))
			}
		case e.Lacks != "":
			cells = append(cells, "- "+e.Lacks)
		default:
			cells = append(cells, "failed: "+e.Error)
		}
		rows = append(rows, cells)
	}
	return rows
}

// group formats v with so many digits after the point and thin groups of
// three before it.
func group(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'f', digits, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		return whole + "." + fraction
	}
	return whole
}

// String formats the result of the bar.
func (c *Check) String() string {
	relation := "at most"
	if c.Least {
		relation = "at least"
	}
	if !c.Known {
		return fmt.Sprintf("%s: %s %.2f: not measured", c.Text, relation, c.Limit)
	}
	verdict := "MISSED"
	if c.Met() {
		verdict = "met"
	}
	than := ""
	if c.Than != "" {
		than = " (" + c.Than + ")"
	}
	return fmt.Sprintf("%s%s: %.2f, %s %.2f: %s", c.Text, than, c.Value, relation, c.Limit, verdict)
}

// WriteText writes one row as a table for a terminal.
func (r *Result) WriteText(w io.Writer) {
	fmt.Fprintf(w, "\n%s  %s\n", r.ID, r.Title)
	for i := range r.Cases {
		rows := r.Cases[i].table(r.Unit)
		rows[0][0] = r.Cases[i].Name
		widths := make([]int, len(rows[0]))
		for _, cells := range rows {
			if len(cells) == len(widths) {
				for i, cell := range cells {
					widths[i] = max(widths[i], len(cell))
				}
			}
		}
		for _, cells := range rows {
			fmt.Fprintf(w, "   %-*s", max(widths[0], 14), cells[0])
			for i, cell := range cells[1:] {
				if len(cells) == len(widths) {
					fmt.Fprintf(w, "  %*s", widths[i+1], cell)
				} else {
					fmt.Fprintf(w, "  %s", cell)
				}
			}
			fmt.Fprintln(w)
		}
	}
	for i := range r.Cases {
		for _, e := range r.Cases[i].Peers {
			if e.Error != "" && len(e.Rounds) > 0 {
				fmt.Fprintf(w, "   %s, %s, failed: %s\n", r.Cases[i].Name, e.Peer, e.Error)
			}
		}
	}
	for i := range r.Bars {
		fmt.Fprintf(w, "   bar: %s\n", r.Bars[i].String())
	}
}

// WriteMarkdown writes the whole report as tables.
func (r *Report) WriteMarkdown(w io.Writer) error {
	fmt.Fprintf(w, "# Benchmark results\n\n")
	for line := range strings.Lines(r.Heading()) {
		fmt.Fprintf(w, "%s  \n", strings.TrimSpace(line))
	}
	for _, row := range r.Results {
		fmt.Fprintf(w, "\n## %s: %s\n", row.ID, row.Title)
		for i := range row.Cases {
			rows := row.Cases[i].table(row.Unit)
			rows[0][0] = row.Cases[i].Name
			n := len(rows[0])
			fmt.Fprintf(w, "\n| %s |\n| --- %s|\n", strings.Join(rows[0], " | "), strings.Repeat("| ---: ", n-1))
			for _, cells := range rows[1:] {
				for len(cells) < n {
					cells = append(cells, "")
				}
				fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
			}
		}
		if len(row.Bars) > 0 {
			fmt.Fprintln(w)
		}
		for i := range row.Bars {
			fmt.Fprintf(w, "- %s\n", row.Bars[i].String())
		}
	}
	return nil
}
