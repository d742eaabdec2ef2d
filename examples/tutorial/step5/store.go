//go:build !js

package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
)

// load reads the board from a file. Without the file the board is empty.
func (b *board) load(file string) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(data, &b.strokes)
}

// save replaces the file in one step.
func (b *board) save(file string) error {
	b.mu.Lock()
	data, err := json.Marshal(b.strokes)
	b.mu.Unlock()
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
