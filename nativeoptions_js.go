package isosocket

// NativeOptions has no fields in a browser build: nothing in it could be
// honoured there. See the native build for what it holds elsewhere.
type NativeOptions struct{}
