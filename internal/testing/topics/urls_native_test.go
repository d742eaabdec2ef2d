//go:build !js

package topics_test

import (
	"testing"

	"github.com/isosocket/isosocket/internal/testing/topics"
)

const commands = topics.Commands

// urls starts a server.
func urls(t *testing.T) (url, direct string) {
	t.Helper()
	s, err := topics.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.URL(), s.Direct()
}
