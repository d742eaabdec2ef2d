package main

import (
	"fmt"
	"strings"
)

// line is a row of the table.
type line struct {
	peer, version, role string
	results             row
}

// cells returns the cells of the columns, the faults that they cite, and what is wrong: bad cells
// without an explanation, and explanations of good cells.
func (l line) cells(cited *[]string) (cells []string, wrong []string) {
	for _, c := range columns {
		err, why := l.results[c], find(l.peer, l.role, c)
		parameters, good := err.(agreed)
		good = good || err == nil || err == errDeclined
		switch {
		case parameters != "":
			cells = append(cells, "ok, "+string(parameters))
		case err == errDeclined:
			cells = append(cells, "declined")
		case good:
			cells = append(cells, "ok")
		case why != "":
			*cited = append(*cited, why)
			cells = append(cells, fmt.Sprintf("no [%d]", len(*cited)))
		default:
			cells = append(cells, "no")
			wrong = append(wrong, fmt.Sprintf("%s as %s, %s: %v", l.peer, l.role, c, err))
		}
		if why != "" && good {
			wrong = append(wrong, fmt.Sprintf("%s as %s, %s: is good, but has a fault", l.peer, l.role, c))
		}
	}
	return cells, wrong
}

const (
	begin = "<!-- table -->\n"
	end   = "<!-- end of table -->\n"
)

// table returns the lines as Markdown.
func table(lines []line, missing []string) (text string, wrong []string) {
	var b strings.Builder
	var cited []string
	fmt.Fprintf(&b, "\n| peer | version | it is the | %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat(" --- |", len(columns)+3))
	for _, l := range lines {
		cells, w := l.cells(&cited)
		wrong = append(wrong, w...)
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", l.peer, l.version, l.role, strings.Join(cells, " | "))
	}
	b.WriteString("\n")
	for i, why := range cited {
		fmt.Fprintf(&b, "%d. %s\n", i+1, why)
	}
	if len(cited) > 0 {
		b.WriteString("\n")
	}
	if len(missing) > 0 {
		fmt.Fprintf(&b, "Not run, because missing on the machine: %s.\n\n", strings.Join(missing, ", "))
	}
	return b.String(), wrong
}
