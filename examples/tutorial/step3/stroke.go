package main

// Stroke is a line on the board, in pixels.
type Stroke struct {
	X1, Y1, X2, Y2 int
	Color          string
}

// Update is a message from the server: strokes to draw. The first one on each
// connection has Reset set, and all strokes so far.
type Update struct {
	Reset   bool     `json:",omitempty"`
	Strokes []Stroke `json:",omitempty"`
}
