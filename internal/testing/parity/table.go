//go:build !js

package parity

import (
	"fmt"
	"io"
	"strings"

	"github.com/isosocket/isosocket/ws/wstest"
)

// WriteTable writes a line for each row: its id, the verdict for each run in a column with the
// given name, and its event. A verdict is "right", the ids of the differences and quirks of
// [wstest] that the run is allowed to show, or WRONG. Lines below a row with WRONG list the
// mistakes and the expected values. The last line has the totals.
func WriteTable(w io.Writer, names []string, rows []wstest.Row) error {
	cells := [][]string{append(append([]string{"case"}, names...), "event")}
	for _, row := range rows {
		line := []string{row.Case.ID}
		for _, r := range row.Results {
			line = append(line, verdict(row.Case, r))
		}
		cells = append(cells, append(line, row.Case.Event))
	}
	widths := make([]int, len(names)+2)
	for _, line := range cells {
		for i, cell := range line[:len(line)-1] { // the last one needs no padding
			widths[i] = max(widths[i], len(cell))
		}
	}

	var b strings.Builder
	right, identical := 0, 0
	for i, line := range cells {
		for j, cell := range line {
			if j > 0 {
				b.WriteString(" | ")
			}
			fmt.Fprintf(&b, "%-*s", widths[j], cell)
		}
		b.WriteString("\n")
		if i == 0 {
			continue
		}
		row := rows[i-1]
		for j, r := range row.Results {
			writeMistakes(&b, names[j], row.Case, r)
		}
		if row.Right() {
			right++
		}
		if row.Identical() {
			identical++
		}
	}
	fmt.Fprintf(&b, "%d rows, %d right, %d identical in %s\n", len(rows), right, identical, strings.Join(names, ", "))
	_, err := io.WriteString(w, b.String())
	return err
}

// verdict returns the entry of the table for a run of c.
func verdict(c wstest.Case, r wstest.Result) string {
	switch {
	case r.Skipped != "":
		return "not run"
	case !r.Right(c):
		return "WRONG"
	}
	if ids := r.Different(c); len(ids) > 0 {
		return strings.Join(ids, " ")
	}
	return "right"
}

func writeMistakes(b *strings.Builder, run string, c wstest.Case, r wstest.Result) {
	switch {
	case r.Skipped != "":
		fmt.Fprintf(b, "    %s: not run: %s\n", run, r.Skipped)
		return
	case r.Target == "":
		fmt.Fprintf(b, "    %s: no result\n", run)
		return
	}
	mistakes := r.Mistakes(c)
	for _, mistake := range mistakes {
		fmt.Fprintf(b, "    %s: %s\n", run, mistake)
	}
	if r.Failed && len(mistakes) == 0 {
		fmt.Fprintf(b, "    %s: every observation is right, but the test failed; see its log\n", run)
	}
}

// Right reports whether there are rows and every row is right.
func Right(rows []wstest.Row) bool {
	for _, row := range rows {
		if !row.Right() {
			return false
		}
	}
	return len(rows) > 0
}
