package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/internal/testing/reasons"
	"github.com/isosocket/isosocket/internal/testing/section"
)

const source = `package p

func F(a, b int, ok bool) (n int) {
	if a < b && ok {
		n += 0x10
	}
	g(true)
	n++
	c := a
	return c
}
`

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMutants(t *testing.T) {
	file := write(t, "f.go", source)
	all, err := mutants(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all {
		got = append(got, strings.TrimPrefix(m.String(), file+":"))
		if changed := string(m.apply([]byte(source))); changed == source || len(changed) != len(source)-(m.end-m.start)+len(m.text) {
			t.Errorf("%v: the source is\n%s", m, changed)
		}
		if m.function != "F" {
			t.Errorf("%v is in %q", m, m.function)
		}
	}
	want := []string{"4: < becomes <=", "4: && becomes ||", "5: n += 0x10 becomes nothing", "5: 0x10 becomes 17", "7: g(true) becomes nothing", "7: true becomes false", "8: n++ becomes nothing"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// The targets' files must exist and have something to change.
func TestTargets(t *testing.T) {
	t.Chdir("../../..")
	for _, target := range targets {
		for _, file := range target.files {
			if all, err := mutants(file); err != nil || len(all) == 0 {
				t.Errorf("%s: %d mutants, %v", file, len(all), err)
			}
		}
	}
}

// A mutant is judged by the tests of its package.
func TestOutcomes(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module p\n\ngo 1.26\n",
		"f.go":      "package p\n\nfunc F(a, b int) bool {\n\tunused := 0\n\tunused++\n\treturn a < b || a == 100\n}\n",
		"f_test.go": "package p\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) {\n\tif F(2, 2) {\n\t\tt.Error(\"2 < 2\")\n\t}\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	all, err := mutants("f.go")
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]outcome)
	for _, m := range all {
		result, err := try(t.Context(), m, target{[]string{"f.go"}, ".", "."}, time.Minute)
		if err != nil {
			t.Fatalf("%v: %v", m, err)
		}
		got[m.was] = result
	}
	for was, want := range map[string]outcome{"<": killed, "100": survived, "unused++": invalid} {
		if got[was] != want {
			t.Errorf("%s: %s, want %s", was, got[was], want)
		}
	}
}

// Each reason must be for a mutant that exists.
func TestReasonsAreForMutants(t *testing.T) {
	why, err := reasons.Read(strings.NewReader(explained), separator, form)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("../../..")
	keys := make(map[string]bool)
	for _, target := range targets {
		for _, file := range target.files {
			all, err := mutants(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range all {
				keys[m.key()] = true
			}
		}
	}
	for key := range why {
		if !keys[key] {
			t.Errorf("survivors.txt: there is no change %q", key)
		}
	}
}

func TestKeys(t *testing.T) {
	all, err := mutants(write(t, "f.go", "package p\n\nfunc (t *T) F(a, b, c bool) bool {\n\tt.x = true\n\treturn a && b && c || t.y\n}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all {
		_, key, _ := strings.Cut(m.key(), " ")
		got = append(got, key+", "+m.code)
	}
	want := []string{"T.F: t.x = true becomes nothing, t.x = true", "T.F: true becomes false, t.x = true",
		"T.F: && (1 of 2) becomes ||, return a && b && c || t.y", "T.F: && (2 of 2) becomes ||, return a && b && c || t.y", "T.F: || becomes &&, return a && b && c || t.y"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestTableIsReplaced(t *testing.T) {
	page := write(t, "page.md", "a\n"+tableBegin+"old\n"+tableEnd+"b\n")
	if err := section.Write(page, tableBegin, tableEnd, "new\n"); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(page); string(text) != "a\n"+tableBegin+"new\n"+tableEnd+"b\n" {
		t.Errorf("%q", text)
	}
	if err := section.Write(write(t, "other.md", "a\n"), tableBegin, tableEnd, "new\n"); err == nil {
		t.Error("a page without the place for the table was accepted")
	}
}
