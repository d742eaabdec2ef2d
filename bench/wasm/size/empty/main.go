//go:build js

// Command empty is the least that a Go program in a browser weighs.
package main

func main() {}
