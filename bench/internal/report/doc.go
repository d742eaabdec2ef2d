// Package report says what was measured: medians over rounds, the bars that
// are held against them, and both as text, Markdown, JSON and an SVG chart.
package report
