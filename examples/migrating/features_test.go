package migrating

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestFeaturesExist looks up each name of the table of features with go doc.
func TestFeaturesExist(t *testing.T) {
	page, err := os.ReadFile("../../docs/comparison.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(page), "<!-- TestFeaturesExist")
	if !ok {
		t.Fatal("docs/comparison.md has no table of features")
	}
	const own = "github.com/isosocket/isosocket"
	// The folders of the packages in each column, by name.
	columns := []map[string]string{
		{"isosocket": own, "ws": own + "/ws", "server": own + "/server", "netconn": own + "/ws/netconn", "wsjson": own + "/ws/wsjson", "wstest": own + "/ws/wstest"},
		{"websocket": "github.com/coder/websocket", "wsjson": "github.com/coder/websocket/wsjson"},
		{"websocket": "github.com/gorilla/websocket"},
		{"gws": "github.com/lxzan/gws"},
	}
	rows := regexp.MustCompile("(?m)^\\| [^|\n]+ \\| ([^|\n]+) \\| ([^|\n]+) \\| ([^|\n]+) \\| ([^|\n]+) \\|$").FindAllStringSubmatch(table, -1)
	names := 0
	for _, row := range rows {
		for i, cell := range row[1:] {
			name, ok := strings.CutPrefix(cell, "`")
			if !ok {
				if cell != "no" && !strings.HasPrefix(cell, "---") {
					t.Errorf("a cell has %q; allowed are a name and no", cell)
				}
				continue
			}
			names++
			pkg, symbol, _ := strings.Cut(strings.TrimSuffix(name, "`"), ".")
			if output, err := exec.CommandContext(t.Context(), "go", "doc", columns[i][pkg], symbol).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", cell, err, output)
			}
		}
	}
	if names < 25 {
		t.Errorf("the table has %d names", names)
	}
}
