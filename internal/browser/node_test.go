//go:build !js

package browser

import (
	"slices"
	"testing"
)

func TestWebSocketFlags(t *testing.T) {
	flag := []string{"--experimental-websocket"}
	tests := []struct {
		version string
		flags   []string
		ok      bool
	}{
		{"v18.20.4", nil, false},
		{"v20.9.0", nil, false},
		{"v20.10.0", flag, true},
		{"v21.0.0", flag, true},
		{"v22.0.0", nil, true},
		{"v24.3.1-nightly", nil, true},
		{"twenty", nil, false},
		{"", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.version, func(t *testing.T) {
			flags, err := webSocketFlags(tt.version)
			if !slices.Equal(flags, tt.flags) || (err == nil) != tt.ok {
				t.Errorf("webSocketFlags(%q) = %q, %v; want %q, ok %v", tt.version, flags, err, tt.flags, tt.ok)
			}
		})
	}
}
