package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/internal/testing/reasons"
	"github.com/isosocket/isosocket/internal/testing/section"
)

func TestRunsAddUp(t *testing.T) {
	var p profile
	for run, text := range []string{
		"mode: atomic\n" + module + "/ws/conn.go:10.2,12.3 2 0\n" + module + "/ws/conn.go:20.1,20.9 1 7\n",
		"mode: atomic\n" + module + "/ws/conn.go:10.2,12.3 2 1\n" + module + "/ws/conn.go:30.1,31.2 3 0\n",
	} {
		if err := p.add(run, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	s := p.packages(2)[module+"/ws"]
	if s.statements != 6 || s.reached != 3 || s.by[0] != 1 || s.by[1] != 2 || s.percent() != 50 {
		t.Errorf("the share is %+v, %v %%", *s, s.percent())
	}
	left := p.unreached(module + "/ws")
	if len(left) != 1 || left[0].startLine != 30 || left[0].endLine != 31 {
		t.Errorf("unreached %+v", left)
	}
	if err := p.add(1, strings.NewReader(module+"/ws/conn.go:30.1,31.2 4 0\n")); err == nil || !strings.Contains(err.Error(), "not of the same source") {
		t.Errorf("another number of statements: %v", err)
	}
}

func TestProfilesMustBeWellFormed(t *testing.T) {
	for _, line := range []string{"x", "f.go:1.2 1 1", "f.go:1.2,3.4 1", "f.go:1.2,3.x 1 1", "f.go:1.2,3.4 x 1", "f.go:1.2,3.4 1 -1", "1.2,3.4 1 1"} {
		if err := new(profile).add(0, strings.NewReader(line+"\n")); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestFunctionsAreNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f.go")
	os.WriteFile(file, []byte("package p\n\ntype T[A any] struct{}\n\nfunc (t *T[A]) M() {\n\t_ = 1\n}\n\nfunc F() {}\n\nvar v = func() int { return 1 }()\n"), 0o644)
	all, err := functions(file)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[int]string{5: "T.M", 6: "T.M", 7: "T.M", 8: "", 9: "F", 11: ""} {
		if got := functionAt(all, line); got != want {
			t.Errorf("line %d is in %q, want %q", line, got, want)
		}
	}
}

// Each reason must be for a function that exists.
func TestReasonsAreForFunctions(t *testing.T) {
	all, err := reasons.Read(strings.NewReader(unreached), separator, form)
	if err != nil {
		t.Fatal(err)
	}
	for key := range all {
		file, name, _ := strings.Cut(key, " ")
		declared, err := functions(filepath.Join("..", "..", "..", filepath.FromSlash(file)))
		found := err == nil && name == "-"
		for _, f := range declared {
			found = found || f.name == name
		}
		if !found {
			t.Errorf("unreached.txt: %s has no function %s (%v)", file, name, err)
		}
	}
}

func TestVerdict(t *testing.T) {
	shares := make(map[string]*share)
	for pkg := range floors {
		shares[pkg] = &share{statements: 100, reached: 96}
	}
	left := []remainder{{file: "ws/conn.go", function: "Conn.close", lines: []string{"7-9"}}}
	if err := verdict(shares, left, false); err != nil {
		t.Error(err)
	}
	if err := verdict(shares, left, true); err == nil || !strings.Contains(err.Error(), "ws/conn.go: no run reached all of Conn.close (lines 7-9)") {
		t.Errorf("without a reason: %v", err)
	}
	left[0].reason = "why"
	if err := verdict(shares, left, true); err != nil {
		t.Error(err)
	}
	shares[module+"/ws"].reached = 94
	delete(shares, module)
	err := verdict(shares, nil, false)
	if err == nil || !strings.Contains(err.Error(), "ws is at 94.0 %, below its floor of 95 %") || !strings.Contains(err.Error(), "isosocket was not run") {
		t.Errorf("below the floor: %v", err)
	}
}

func TestTablesAreReplaced(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	os.WriteFile(page, []byte("# Page\n\n"+tablesBegin+"old\n"+tablesEnd+"\nafter\n"), 0o644)
	if err := section.Write(page, tablesBegin, tablesEnd, "new\n"); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(page); string(text) != "# Page\n\n"+tablesBegin+"new\n"+tablesEnd+"\nafter\n" {
		t.Errorf("the page is %q", text)
	}
	os.WriteFile(page, []byte("# Page\n"), 0o644)
	if err := section.Write(page, tablesBegin, tablesEnd, "new\n"); err == nil {
		t.Error("a page without the place for tables was accepted")
	}
}

func TestArguments(t *testing.T) {
	for _, args := range [][]string{nil, {"unit"}, {"=x"}, {"unit="}} {
		if err := run(args, "", false, new(strings.Builder)); err == nil {
			t.Errorf("run(%q) succeeded", args)
		}
	}
	if err := run([]string{"unit=" + t.TempDir()}, "", false, new(strings.Builder)); err == nil {
		t.Error("an empty directory was accepted")
	}
}
