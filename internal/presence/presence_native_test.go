//go:build !js

package presence

import "testing"

// On native targets, Away is always false and Returned never delivers.
func TestNative(t *testing.T) {
	w := Watch()
	defer w.Stop()
	if w.Returned() != nil || w.Away() {
		t.Errorf("Returned = %v, Away = %v", w.Returned(), w.Away())
	}
}
