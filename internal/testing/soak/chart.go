//go:build !js

package main

import (
	"bytes"
	"fmt"
	"math"

	"github.com/isosocket/isosocket/internal/testing/trend"
)

// svg draws each quantity of both processes over time, with the judged lines.
func (r *result) svg() []byte {
	const (
		left, top    = 64, 64
		width        = 320
		height, foot = 130, 64
		columns      = 2
		across       = left + width + 26
		down         = height + foot
	)
	rows := (len(quantities) + columns - 1) / columns
	var b bytes.Buffer
	title := fmt.Sprintf("%s clients for %s: %s echoes, %s connections", thousands(int64(r.all())), spell(r.lasts), thousands(r.counts.Echoes), thousands(int64(r.last.Accepted)))
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title" font-family="system-ui, sans-serif" font-size="12">`+"\n",
		columns*across, top+rows*down)
	fmt.Fprintf(&b, `<title id="title">%s</title>`+"\n", title)
	b.WriteString(`<style>text{fill:#444}.grid{stroke:#999;stroke-width:.5}.warm{fill:#999;opacity:.12}polyline{fill:none;stroke-width:1.2}` +
		`.server{stroke:#2f6fb5}.clients{stroke:#c0762b}.trend{stroke-dasharray:5 4;stroke-width:1}` +
		`@media(prefers-color-scheme:dark){text{fill:#bbb}.server{stroke:#6aa9e9}.clients{stroke:#e9ae6a}}</style>` + "\n")
	fmt.Fprintf(&b, `<text x="%d" y="20" font-size="14">%s</text>`+"\n", left, title)
	for i, p := range processes {
		x := left + i*110
		fmt.Fprintf(&b, `<line class="%s" stroke-width="2" x1="%d" x2="%d" y1="36" y2="36"/><text x="%d" y="40">%s</text>`+"\n", p.name, x, x+24, x+30, p.name)
	}
	end := r.lasts.Seconds()
	if n := len(r.samples); n > 0 {
		end = max(end, r.samples[n-1].server.At.Seconds())
	}
	for i, q := range quantities {
		x0, y0 := left+i%columns*across, top+i/columns*down
		most := 0.0
		for _, p := range processes {
			_, values := r.series(p, q)
			for _, v := range values {
				most = max(most, v/q.unit)
			}
		}
		step := roundStep(most / 4)
		limit := max(math.Ceil(most/step), 1) * step
		x := func(t float64) float64 { return float64(x0) + t/end*width }
		y := func(v float64) float64 { return float64(y0+height) - v/q.unit/limit*height }
		name := q.name
		if q.label != "" {
			name += ", " + q.label
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", x0, y0-6, name)
		fmt.Fprintf(&b, `<rect class="warm" x="%d" y="%d" width="%.1f" height="%d"/>`+"\n", x0, y0, float64(width)*warmUp/100, height)
		for v := 0.0; v <= limit*1.001; v += step {
			fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`+"\n",
				x0, x0+width, y(v*q.unit), y(v*q.unit), x0-6, y(v*q.unit)+4, v)
		}
		unit, label := 1.0, "s"
		if end >= 120 {
			unit, label = 60, "min"
		}
		for t, step := 0.0, roundStep(end/unit/6)*unit; t <= end; t += step {
			fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%g %s</text>`+"\n", x(t), y0+height+16, t/unit, label)
		}
		for _, p := range processes {
			at, values := r.series(p, q)
			fmt.Fprintf(&b, `<polyline class="%s" points="`, p.name)
			for j := range at {
				fmt.Fprintf(&b, "%.1f,%.1f ", x(at[j]), y(values[j]))
			}
			b.WriteString("\"/>\n")
			at, values = r.judged(at, values)
			if line, err := trend.Fit(at, values); err == nil {
				fmt.Fprintf(&b, `<line class="trend %s" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`+"\n", p.name, x(at[0]), x(at[len(at)-1]), y(line.From), y(line.To))
			}
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// roundStep returns 1, 2 or 5 times a power of ten, at least about.
func roundStep(about float64) float64 {
	if about <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(about)))
	for _, factor := range []float64{1, 2, 5} {
		if factor*power >= about {
			return factor * power
		}
	}
	return 10 * power
}
