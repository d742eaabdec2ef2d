package report

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// The chart is a grid of panels, one for each case, with a bar for each
// implementation.
const (
	panelWidth  = 372
	panelGap    = 24
	panelsInRow = 3
	margin      = 28
	barHeight   = 15
	barPitch    = 20
	nameWidth   = 74
	valueWidth  = 76
	barWidth    = panelWidth - nameWidth - valueWidth
	headHeight  = 44
	titleHeight = 86
)

// The fill colours of this library, of the limit, and of the others.
func fill(peer string) string {
	switch peer {
	case "isosocket":
		return "#0b6e4f"
	case "tcp", "javascript":
		return "#9aa5b1"
	}
	return "#c9d6df"
}

type panel struct {
	title, figure string
	entries       []Entry
	column        column
}

func (p *panel) height() int { return headHeight + len(p.entries)*barPitch }

// panels returns the cases with measurements, one panel for each.
func (r *Report) panels() []panel {
	var panels []panel
	for _, row := range r.Results {
		for i := range row.Cases {
			c := &row.Cases[i]
			p := panel{title: row.ID + "  " + row.Short + ", " + c.Name}
			for _, col := range columns(row.Unit) {
				if col.name == row.columnName() {
					p.column = col
				}
			}
			if p.column.figure == nil {
				continue
			}
			p.figure = p.column.name
			for _, e := range c.Peers {
				if len(e.Rounds) > 0 && p.column.figure(e.Median) > 0 {
					p.entries = append(p.entries, e)
				}
			}
			if len(p.entries) > 0 {
				panels = append(panels, p)
			}
		}
	}
	return panels
}

// columnName returns the name of a row's main column.
func (r *Result) columnName() string {
	for _, col := range columns(r.Unit) {
		if col.name == r.Foremost || strings.HasPrefix(col.name, r.Foremost+" ") || r.Foremost == "rate" && strings.HasSuffix(col.name, "/s") {
			return col.name
		}
	}
	return ""
}

// better says whether a higher or a lower figure is better.
func better(name string) string {
	if strings.HasSuffix(name, "/s") {
		return "more is better"
	}
	return "less is better"
}

// WriteSVG draws the chart.
func (r *Report) WriteSVG(w io.Writer) error {
	panels := r.panels()
	width := 2*margin + panelsInRow*panelWidth + (panelsInRow-1)*panelGap
	var body strings.Builder
	y := titleHeight
	for start := 0; start < len(panels); start += panelsInRow {
		line := panels[start:min(start+panelsInRow, len(panels))]
		tallest := 0
		for i := range line {
			line[i].draw(&body, margin+i*(panelWidth+panelGap), y)
			tallest = max(tallest, line[i].height())
		}
		y += tallest + panelGap
	}
	height := y + margin - panelGap
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="ui-sans-serif, system-ui, Helvetica, Arial, sans-serif" role="img" aria-labelledby="title">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<title id="title">isosocket beside its peers</title>`+"\n")
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="%d" y="36" font-size="20" font-weight="600" fill="#1f2933">isosocket beside its peers</text>`+"\n", margin)
	for i, line := range strings.Split(strings.TrimSpace(r.Heading()), "\n") {
		fmt.Fprintf(&b, `<text x="%d" y="%d" font-size="11" fill="#52606d">%s</text>`+"\n", margin, 52+i*14, html.EscapeString(strings.TrimSpace(line)))
	}
	b.WriteString(body.String())
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *panel) draw(b *strings.Builder, x, y int) {
	fmt.Fprintf(b, `<text x="%d" y="%d" font-size="12.5" font-weight="600" fill="#1f2933">%s</text>`+"\n", x, y+16, html.EscapeString(p.title))
	fmt.Fprintf(b, `<text x="%d" y="%d" font-size="11" fill="#52606d">%s, %s</text>`+"\n", x, y+32, html.EscapeString(p.figure), better(p.figure))
	most := 0.0
	for _, e := range p.entries {
		most = max(most, p.column.figure(e.Median))
	}
	y += headHeight
	for _, e := range p.entries {
		v := p.column.figure(e.Median)
		weight := "400"
		if e.Peer == "isosocket" {
			weight = "700"
		}
		fmt.Fprintf(b, `<text x="%d" y="%d" font-size="11.5" text-anchor="end" font-weight="%s" fill="#1f2933">%s</text>`, x+nameWidth-8, y+12, weight, html.EscapeString(e.Peer))
		n := max(v/most*barWidth, 1)
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" fill="%s"/>`, x+nameWidth, y, n, barHeight, fill(e.Peer))
		fmt.Fprintf(b, `<text x="%.1f" y="%d" font-size="11.5" font-weight="%s" fill="#1f2933">%s</text>`+"\n", float64(x+nameWidth)+n+6, y+12, weight, group(v, p.column.digits))
		y += barPitch
	}
}
