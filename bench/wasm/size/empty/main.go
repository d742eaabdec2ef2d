//go:build js

// Command empty is an empty program: the smallest size of a Go program in a browser.
package main

func main() {}
