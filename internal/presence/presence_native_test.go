//go:build !js

package presence

import "testing"

// Natively nobody is ever away, and nobody returns.
func TestNative(t *testing.T) {
	w := Watch()
	defer w.Stop()
	if w.Returned() != nil || w.Away() {
		t.Errorf("Returned = %v, Away = %v", w.Returned(), w.Away())
	}
}
