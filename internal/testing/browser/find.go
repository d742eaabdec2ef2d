//go:build !js

package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// find runs a script that prints a program's path.
func find(script *exec.Cmd) (string, error) {
	var advice bytes.Buffer
	script.Stderr = &advice
	out, err := script.Output()
	if err != nil {
		if line := strings.TrimSpace(advice.String()); line != "" {
			return "", errors.New(line)
		}
		return "", fmt.Errorf("looking for an engine: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// moduleRoot returns the directory of this module as seen from the working directory, which is in
// it, or in a module that uses it.
func moduleRoot(ctx context.Context) (string, error) {
	return goCommand(ctx, nil, "list", "-m", "-f", "{{.Dir}}", "github.com/isosocket/isosocket")
}

// goCommand runs the go command with env added to the environment, and returns its trimmed output.
func goCommand(ctx context.Context, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(cmd.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}
