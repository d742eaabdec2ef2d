// Package report presents measurements: medians over rounds and the bars that they are compared
// with, as text, Markdown, JSON and an SVG chart.
package report
