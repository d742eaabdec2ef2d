package main

// Stroke is a line on the board, in pixels.
type Stroke struct {
	X1, Y1, X2, Y2 int
	Color          string
}

// The size of the board.
const Width, Height = 600, 400

// Valid reports whether s may be drawn. Never trust the other end.
func (s Stroke) Valid() bool {
	for _, x := range []int{s.X1, s.X2} {
		if x < -Width || x > 2*Width {
			return false
		}
	}
	for _, y := range []int{s.Y1, s.Y2} {
		if y < -Height || y > 2*Height {
			return false
		}
	}
	switch s.Color {
	case "black", "red", "green", "blue":
		return true
	}
	return false
}

// Update is a message from the server. The first one on each connection has Reset
// set, and all strokes so far.
type Update struct {
	Reset   bool     `json:",omitempty"`
	Strokes []Stroke `json:",omitempty"`
	Users   []string `json:",omitempty"` // who is here, if that has changed
}
