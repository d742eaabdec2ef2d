//go:build !js

package docs_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dependency is a module of others that go list reports.
type dependency struct {
	version, folder string
	// linked holds "native" and "js", the targets for which a package of the module is linked.
	linked []string
}

// dependencies returns the modules of others, by path, whose packages are linked into programs that
// import the packages of the module in folder, on one of the platforms. Internal packages count where
// another package imports them; programs of scripts, which run only during a build, do not.
func dependencies(t *testing.T, folder string, platforms []string) map[string]*dependency {
	t.Helper()
	list := func(platform string, args ...string) []string {
		goos, goarch, _ := strings.Cut(platform, "/")
		cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
		cmd.Dir = filepath.Join(root, folder)
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list in %s for %s: %v\n%s", folder, platform, err, stderr.Bytes())
		}
		return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' || r == '\r' })
	}
	found := map[string]*dependency{}
	for _, platform := range platforms {
		packages := slices.DeleteFunc(list(platform, "./..."), func(p string) bool {
			return strings.Contains(p, "/internal/") || strings.HasSuffix(p, "/e2e") || strings.Contains(p, "/scripts/")
		})
		target := "native"
		if platform == "js/wasm" {
			target = "js"
		}
		format := "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}"
		for _, line := range list(platform, append([]string{"-deps", "-f", format}, packages...)...) {
			field := strings.Split(line, "\t")
			if len(field) != 3 {
				t.Fatalf("go list printed %q", line)
			}
			if field[0] == "github.com/isosocket/isosocket" {
				continue // of the modules below
			}
			d := found[field[0]]
			if d == nil {
				d = &dependency{version: field[1], folder: field[2]}
				found[field[0]] = d
			}
			if !slices.Contains(d.linked, target) {
				d.linked = append(d.linked, target)
			}
		}
	}
	return found
}

// licence returns the SPDX identifier of the licence with which the text of a licence file begins,
// "" if it is none of those below.
func licence(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	first, at := "", len(text)
	for _, known := range []struct{ name, phrase string }{
		{"Apache-2.0", "Apache License Version 2.0"},
		{"BSD-3-Clause", "Redistribution and use in source and binary forms"},
		{"ISC", "Permission to use, copy, modify, and distribute this software for any purpose"},
		{"MIT", "Permission is hereby granted, free of charge"},
	} {
		if i := strings.Index(text, known.phrase); i >= 0 && i < at {
			first, at = known.name, i
		}
	}
	// BSD-2-Clause has the same first sentence.
	if first == "BSD-3-Clause" && !strings.Contains(text, "Neither the name of") {
		return ""
	}
	return first
}

// TestLicencesAreListed compares the tables in docs/licences.md with the modules that go list reports
// as linked, their versions, and the licence files that they contain.
func TestLicencesAreListed(t *testing.T) {
	t.Parallel()
	page := readPage(t, "docs/licences.md")
	row := regexp.MustCompile(`(?m)^\| ([A-Za-z0-9._/-]+) \| (v[0-9][^ ]*) \| ([A-Za-z0-9.-]+) \| ([a-z, ]+) \|$`)
	modules, err := filepath.Glob(filepath.Join(root, "*", "*", "go.mod"))
	if err != nil || len(modules) < 2 {
		t.Fatalf("found the modules %v, %v", modules, err)
	}
	for _, file := range append(modules, filepath.Join(root, "go.mod")) {
		folder, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		heading, platforms := filepath.ToSlash(folder), []string{"linux/amd64", "darwin/arm64", "windows/amd64"}
		if folder == "." {
			heading, platforms = "isosocket", append(platforms, "js/wasm")
		}
		t.Run(heading, func(t *testing.T) {
			t.Parallel()
			_, section, ok := strings.Cut(page, "\n## "+heading+"\n")
			if !ok {
				t.Fatalf("docs/licences.md has no section %s", heading)
			}
			section, _, _ = strings.Cut(section, "\n## ")
			listed := map[string]string{}
			for _, m := range row.FindAllStringSubmatch(section, -1) {
				listed[m[1]] = m[0]
			}
			found := dependencies(t, folder, platforms)
			if len(found) < 5 {
				t.Fatalf("go list reports only %d modules", len(found))
			}
			for path, d := range found {
				files, err := filepath.Glob(filepath.Join(d.folder, "LICENSE*"))
				if err != nil || len(files) != 1 {
					t.Errorf("%s has %d licence files, %v; this test expects one", path, len(files), err)
					continue
				}
				text, err := os.ReadFile(files[0])
				if err != nil {
					t.Fatal(err)
				}
				name := licence(string(text))
				if name == "" {
					t.Errorf("the licence of %s is none that this test knows; read it, and add it to the test: %s", path, files[0])
					continue
				}
				want := fmt.Sprintf("| %s | %s | %s | %s |", path, d.version, name, strings.Join(d.linked, ", "))
				if listed[path] != want {
					t.Errorf("docs/licences.md has %q, want\n%s", listed[path], want)
				}
			}
			for path := range listed {
				if found[path] == nil {
					t.Errorf("docs/licences.md lists %s, which is not linked", path)
				}
			}
		})
	}
}

// TestBrowserLinksNoModule shows that a browser program that imports this library links no module of
// others; the demo's client has one more import.
func TestBrowserLinksNoModule(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}",
		".", "./errors", "./hub", "./ws/...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	if text := strings.TrimSpace(string(out)); text != "" {
		t.Errorf("docs/licences.md says that a browser program links no module; it links\n%s", text)
	}
}

func TestLicence(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"spaces and lines", "Copyright X\n\nPermission is hereby granted,\n   free of charge, to", "MIT"},
		{"the first of two", "Permission to use, copy, modify, and distribute this software for any\npurpose\n---\nApache License\nVersion 2.0", "ISC"},
		{"two clauses", "Redistribution and use in source and binary forms, with or without", ""},
		{"three clauses", "Redistribution and use in source and binary forms\nNeither the name of X", "BSD-3-Clause"},
		{"unknown", "GNU GENERAL PUBLIC LICENSE", ""},
	} {
		if got := licence(c.text); got != c.want {
			t.Errorf("%s: licence is %q, want %q", c.name, got, c.want)
		}
	}
}
