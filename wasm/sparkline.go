package main

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// sparkline returns SVG path data that draws samples, the newest at the right
// edge, into a box of width by height: the line, and the area below it. The
// largest sample reaches the top, unless all are below a millisecond.
func sparkline(samples []time.Duration, width, height float64) (line, area string) {
	if len(samples) == 0 {
		return "", ""
	}
	const headroom = 4
	top := max(slices.Max(samples), time.Millisecond)
	step := width / (maxSamples - 1)
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }
	var b strings.Builder
	left := width - step*float64(len(samples)-1)
	for i, s := range samples {
		command := " L"
		if i == 0 {
			command = "M"
		}
		y := height - (height-headroom)*float64(s)/float64(top)
		b.WriteString(command + number(left+step*float64(i)) + " " + number(y))
	}
	line = b.String()
	if len(samples) == 1 {
		// A single point is drawn only if it is a line of some length.
		line += " h0.1"
	}
	return line, b.String() + " L" + number(width) + " " + number(height) + " L" + number(left) + " " + number(height) + " Z"
}
