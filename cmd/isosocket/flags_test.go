//go:build !js

package main

import "testing"

func TestSize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value, want string // "" for an error
	}{
		{"1", "1"}, {"1000", "1000"}, {"65536", "64KiB"}, {"64KiB", "64KiB"}, {"1MiB", "1MiB"}, {"1536KiB", "1536KiB"}, {"1GiB", "1GiB"},
		{"2147483647", "2147483647"}, {"", ""}, {"0", ""}, {"-1", ""}, {"1.5MiB", ""}, {"2GiB", ""}, {"KiB", ""}, {"1MB", ""}, {"99999999999999999999", ""},
	} {
		var s size
		if err := s.Set(c.value); (err == nil) != (c.want != "") || err == nil && s.String() != c.want {
			t.Errorf("%q reads as %v, %v; want %q", c.value, s.String(), err, c.want)
		}
	}
}
