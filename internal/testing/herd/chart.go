//go:build !js

package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
)

// window is the interval in which attempts are counted.
const window = 100 * time.Millisecond

// chart is a histogram of attempts.
type chart struct {
	clients  int
	down     time.Duration
	attempts int
	bars     []int         // attempts in each window
	worst    int           // most attempts in any window, with any start
	stall    time.Duration // the longest delay of this process
}

// newChart counts attempts, which must be sorted.
func newChart(attempts []time.Duration, clients int, down time.Duration) *chart {
	c := &chart{clients: clients, down: down, attempts: len(attempts)}
	first := 0
	for i, at := range attempts {
		for attempts[first] <= at-window {
			first++
		}
		c.worst = max(c.worst, i-first+1)
		bar := int(at / window)
		for len(c.bars) <= bar {
			c.bars = append(c.bars, 0)
		}
		c.bars[bar]++
	}
	return c
}

func (c *chart) summary() string {
	return fmt.Sprintf("%d clients lose their server for %v: %d attempts, at most %d in any %v (%.1f %% of the clients), all back after %.1f s",
		c.clients, c.down, c.attempts, c.worst, window, 100*float64(c.worst)/float64(c.clients), float64(len(c.bars))/10)
}

// print writes the histogram as text, one line for every half second.
func (c *chart) print(w io.Writer) {
	fmt.Fprintln(w, c.summary())
	const join = 5
	for i := 0; i < len(c.bars); i += join {
		n := 0
		for _, bar := range c.bars[i:min(i+join, len(c.bars))] {
			n += bar
		}
		fmt.Fprintf(w, "%5.1f s %4d %s\n", float64(i)/10, n, strings.Repeat("#", (n*50+c.clients/2)/c.clients))
	}
}

// svg draws the histogram, with a line at a tenth of the clients.
func (c *chart) svg() []byte {
	const (
		left, top, height = 48, 48, 220
		step              = 4
		axis              = top + height
	)
	width := max(len(c.bars)*step, 560)
	limit := float64(c.clients) / 10
	y := func(n float64) float64 { return axis - n/(limit*1.15)*height }
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title" font-family="system-ui, sans-serif" font-size="12">`+"\n",
		left+width+16, axis+48)
	fmt.Fprintf(&b, `<title id="title">%s</title>`+"\n", c.summary())
	b.WriteString(`<style>text{fill:#444}.grid{stroke:#999;stroke-width:.5}.bar{fill:#2f6fb5}.limit{stroke:#c0392b;stroke-dasharray:5 4}.down{fill:#c0392b;opacity:.12}` +
		`@media(prefers-color-scheme:dark){text{fill:#bbb}.bar{fill:#6aa9e9}.limit{stroke:#ff7b6b}}</style>` + "\n")
	fmt.Fprintf(&b, `<text x="%d" y="20" font-size="14">Attempts to reconnect per %v: %d clients, one restart</text>`+"\n", left, window, c.clients)
	fmt.Fprintf(&b, `<rect class="down" x="%d" y="%d" width="%d" height="%d"/><text x="%d" y="%d">server away</text>`+"\n",
		left, top, int(c.down/window)*step, height, left+4, top+14)
	for n := 0.0; n <= limit; n += limit / 5 {
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n",
			left, left+width, y(n), y(n), left-6, y(n)+4, n)
	}
	for i, n := range c.bars {
		if n > 0 {
			fmt.Fprintf(&b, `<rect class="bar" x="%d" y="%.1f" width="%d" height="%.1f"/>`+"\n", left+i*step, y(float64(n)), step-1, axis-y(float64(n)))
		}
	}
	fmt.Fprintf(&b, `<line class="limit" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">a tenth of the clients</text>`+"\n",
		left, left+width, y(limit), y(limit), left+width, y(limit)-6)
	for i := 0; i*step <= width; i += 20 {
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%d s</text>`+"\n", left+i*step, axis+18, i/10)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d">at most %d in any %v, all back %.1f s after the restart began</text>`+"\n", left, axis+38, c.worst, window, float64(len(c.bars))/10)
	b.WriteString("</svg>\n")
	return b.Bytes()
}
