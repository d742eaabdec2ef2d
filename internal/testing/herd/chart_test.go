//go:build !js

package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"
)

func TestChart(t *testing.T) {
	ms := func(n ...int) (d []time.Duration) {
		for _, n := range n {
			d = append(d, time.Duration(n)*time.Millisecond)
		}
		return d
	}
	for _, tt := range []struct {
		name     string
		attempts []time.Duration
		worst    int
		bars     int
	}{
		{"none", nil, 0, 0},
		{"one", ms(0), 1, 1},
		{"a window that begins between two bars", ms(50, 99, 101, 149, 300), 4, 4},
		{"a window excludes its start", ms(0, 100, 200), 1, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newChart(tt.attempts, 50, time.Second)
			if c.worst != tt.worst || len(c.bars) != tt.bars {
				t.Errorf("at most %d in a window, %d bars, want %d and %d", c.worst, len(c.bars), tt.worst, tt.bars)
			}
			sum := 0
			for _, n := range c.bars {
				sum += n
			}
			if sum != len(tt.attempts) {
				t.Errorf("the bars hold %d attempts of %d", sum, len(tt.attempts))
			}
			var text bytes.Buffer
			c.print(&text)
			if !strings.HasPrefix(text.String(), "50 clients lose their server for 1s: ") {
				t.Errorf("printed %q", text.String())
			}
			drawing := xml.NewDecoder(bytes.NewReader(c.svg()))
			for {
				if _, err := drawing.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("the SVG is not XML: %v", err)
				}
			}
		})
	}
}
