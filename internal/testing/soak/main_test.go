//go:build !js

package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/isosocket/isosocket/internal/testing/leak"
)

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		main() // the server process of TestSoak
		return
	}
	leak.Main(m)
}

// TestPopulation checks that the kinds add up, and that the clients behind proxies are bounded.
func TestPopulation(t *testing.T) {
	for _, tt := range []struct {
		clients int
		want    population
	}{
		{20, population{12, 4, 2, 1, 1}},
		{10_000, population{6_000, 2_000, 1_000, 500, 500}},
		{100_000, population{69_000, 20_000, 1_000, 5_000, 5_000}},
	} {
		if got := populate(tt.clients); got != tt.want || got.all() != tt.clients {
			t.Errorf("populate(%d) = %+v, want %+v", tt.clients, got, tt.want)
		}
	}
	if got := fmt.Sprint(populate(10_000).descriptors()); got != "13200" {
		t.Errorf("10,000 clients need %s descriptors", got)
	}
}
