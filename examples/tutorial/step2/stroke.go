package main

// Stroke is a line on the board, in pixels. Both ends encode it as JSON.
type Stroke struct {
	X1, Y1, X2, Y2 int
	Color          string
}
