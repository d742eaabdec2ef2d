package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// readReasons reads lines of the form "file function: reason", where file is relative to the
// module. It returns the reasons by "file function". Lines that begin with # are comments.
func readReasons(text io.Reader) (map[string]string, error) {
	reasons := make(map[string]string)
	lines := bufio.NewScanner(text)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, reason, ok := strings.Cut(line, ": ")
		if !ok || len(strings.Fields(key)) != 2 || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("line %d: %q is not of the form \"file function: reason\"", number, line)
		}
		if _, ok := reasons[key]; ok {
			return nil, fmt.Errorf("line %d: a second reason for %q", number, key)
		}
		reasons[key] = strings.TrimSpace(reason)
	}
	return reasons, lines.Err()
}
