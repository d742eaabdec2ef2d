//go:build !js

package parity

import (
	"fmt"
	"io"
	"strings"

	"github.com/isosocket/isosocket/ws/wstest"
)

// shown is how many bytes of a run's observations stand in a row's line.
const shown = 72

// WriteTable writes a line for each row: its id, its event, what each run
// observed, whether that is identical, and whether it is right. Below a row
// that is not right, a line for each mistake says what was expected. The last
// line counts.
func WriteTable(w io.Writer, rows []wstest.Row) error {
	var b strings.Builder
	right, identical := 0, 0
	for _, row := range rows {
		verdict := "WRONG"
		if row.Right() {
			verdict = "right"
			right++
		}
		same := "identical"
		if row.Identical() {
			identical++
		} else {
			same = strings.TrimSuffix("different, see "+strings.Join(row.Different(), ", "), ", see ")
		}
		fmt.Fprintf(&b, "%s | %s | native: %s | browser: %s | %s | %s\n", row.Case.ID, row.Case.Event,
			row.Native.Summary(shown), row.Browser.Summary(shown), same, verdict)
		writeMistakes(&b, "native", row.Case, row.Native)
		writeMistakes(&b, "browser", row.Case, row.Browser)
	}
	fmt.Fprintf(&b, "%d rows, %d right, %d identical\n", len(rows), right, identical)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeMistakes(b *strings.Builder, run string, c wstest.Case, r wstest.Result) {
	switch {
	case r.Skipped != "": // the row's line says why
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

// Right reports whether every row is, and there is one.
func Right(rows []wstest.Row) bool {
	for _, row := range rows {
		if !row.Right() {
			return false
		}
	}
	return len(rows) > 0
}
