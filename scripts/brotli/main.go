// Brotli compresses standard input to standard output, as small as it can, for make build. The same
// input and the same version of its module give the same bytes everywhere, which a program of the
// system would not.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/andybalholm/brotli"
)

func main() {
	if err := compress(os.Stdout, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "brotli:", err)
		os.Exit(1)
	}
}

func compress(out io.Writer, in io.Reader) error {
	// A window of 16 MiB, the largest that every browser takes: it holds a whole client.
	w := brotli.NewWriterOptions(out, brotli.WriterOptions{Quality: brotli.BestCompression, LGWin: 24})
	if _, err := io.Copy(w, bufio.NewReader(in)); err != nil {
		return err
	}
	return w.Close()
}
