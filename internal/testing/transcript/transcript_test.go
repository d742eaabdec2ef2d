package transcript_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/internal/testing/transcript"
)

// TestTranscript checks that a reader that waits for more misses no output.
func TestTranscript(t *testing.T) {
	written := transcript.New()
	go func() {
		for i := range 1000 {
			fmt.Fprintf(written, "%d\n", i)
		}
	}()
	for {
		text, more := written.Read()
		if strings.HasSuffix(text, "\n999\n") {
			break
		}
		<-more
	}
	if lines := strings.Count(written.String(), "\n"); lines != 1000 {
		t.Errorf("%d lines were kept of 1000", lines)
	}
}
