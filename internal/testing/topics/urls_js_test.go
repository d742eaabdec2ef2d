//go:build js

package topics_test

import (
	"os"
	"testing"
)

const commands = "$commands"

// urls returns the URLs of the server that was started for the browser.
func urls(t *testing.T) (url, direct string) {
	t.Helper()
	url, direct = os.Getenv("ISOSOCKET_TOPICS_URL"), os.Getenv("ISOSOCKET_TOPICS_DIRECT")
	if url == "" || direct == "" {
		t.Skip("no server: ISOSOCKET_TOPICS_URL and ISOSOCKET_TOPICS_DIRECT are not set")
	}
	return url, direct
}
