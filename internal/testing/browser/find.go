//go:build !js

package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
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

// moduleRoot returns the directory of the go.mod that governs the working directory.
func moduleRoot(ctx context.Context) (string, error) {
	mod, err := goCommand(ctx, nil, "env", "GOMOD")
	if err != nil {
		return "", err
	}
	if filepath.Base(mod) != "go.mod" {
		return "", errors.New("browser: the working directory is in no Go module")
	}
	return filepath.Dir(mod), nil
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
