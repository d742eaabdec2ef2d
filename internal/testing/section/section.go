// Package section replaces the part of a page that a program writes. The part is between two lines
// of the page.
package section

import (
	"fmt"
	"os"
	"strings"
)

// Replace returns page with text between the lines begin and end, which have their newlines. It
// returns an error if page does not have both.
func Replace(page, begin, end, text string) (string, error) {
	before, rest, ok := strings.Cut(page, begin)
	_, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		return "", fmt.Errorf("there are no lines %q and %q", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return before + begin + text + end + after, nil
}

// Write replaces the part of the page at path.
func Write(path, begin, end, text string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed, err := Replace(string(page), begin, end, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(changed), 0o644)
}
