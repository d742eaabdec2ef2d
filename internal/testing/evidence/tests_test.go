//go:build !js

package evidence

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/ws/wstest"
)

// root is the folder of the module.
const root = "../../.."

// tests are the tests of the module, of both targets: those of a package under its folder, and the
// root package's under "isosocket".
type tests map[string]*packageTests

type packageTests struct {
	functions map[string]*function
	shared    map[string]bool // strings outside of tests, such as those of tables
}

type function struct {
	strings map[string]bool
	skips   bool // calls Skip, Skipf or SkipNow, perhaps under a condition
}

// readTests parses all test files outside of testdata and of other modules.
func readTests(t *testing.T) tests {
	t.Helper()
	all := tests{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if file == root {
				return nil
			}
			if _, err := os.Stat(filepath.Join(file, "go.mod")); err == nil || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		if folder = filepath.ToSlash(folder); folder == "." {
			folder = "isosocket"
		}
		p := all[folder]
		if p == nil {
			p = &packageTests{functions: map[string]*function{}, shared: map[string]bool{}}
			all[folder] = p
		}
		p.add(parsed)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (p *packageTests) add(file *ast.File) {
	for _, decl := range file.Decls {
		found := &function{strings: p.shared}
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && (strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Fuzz")) {
			found.strings = map[string]bool{}
			// A name that both targets have is one test.
			if former := p.functions[f.Name.Name]; former != nil {
				found = former
			}
			p.functions[f.Name.Name] = found
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					found.strings[text] = true
				}
			case *ast.SelectorExpr:
				found.skips = found.skips || n.Sel.Name == "Skip" || n.Sel.Name == "Skipf" || n.Sel.Name == "SkipNow"
			}
			return true
		})
	}
}

var (
	testName = regexp.MustCompile(`^((?:[a-z0-9_]+/)*[a-z0-9_]+)\.((?:Test|Fuzz)\w+)(?:/(.+))?$`)
	caseName = regexp.MustCompile(`^ws/wstest\.([PD]\d\d)(?:/(.+))?$`)
	codeSpan = regexp.MustCompile("`([^`]+)`")
)

// namedTests returns the names of tests that text has in code spans.
func namedTests(text string) (names []string) {
	for _, m := range codeSpan.FindAllStringSubmatch(text, -1) {
		if testName.MatchString(m[1]) || caseName.MatchString(m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

// missing returns why a test is no evidence, "" if it is.
func (all tests) missing(name string, skipped []*regexp.Regexp) string {
	if m := caseName.FindStringSubmatch(name); m != nil {
		return missingCase(m[1], m[2])
	}
	m := testName.FindStringSubmatch(name)
	p := all[m[1]]
	if p == nil {
		return fmt.Sprintf("the folder %s has no tests", m[1])
	}
	f := p.functions[m[2]]
	if f == nil {
		return fmt.Sprintf("the folder %s has no test %s", m[1], m[2])
	}
	if f.skips {
		return m[2] + " can skip itself"
	}
	for _, pattern := range skipped {
		if pattern.MatchString(m[2]) {
			return fmt.Sprintf("%s is left out by -skip %s", m[2], pattern)
		}
	}
	// A case may be named by parts that stand in several tables.
	has := func(text string) bool { return f.strings[text] || p.shared[text] }
	if m[3] != "" && !has(m[3]) && slices.ContainsFunc(strings.Split(m[3], "/"), func(part string) bool { return !has(part) }) {
		return fmt.Sprintf("%s has no case %q", m[2], m[3])
	}
	return ""
}

// missingCase is missing for a case of the conformance suite.
func missingCase(id, observation string) string {
	cases := wstest.Cases()
	i := slices.IndexFunc(cases, func(c wstest.Case) bool { return c.ID == id })
	if i < 0 {
		return "the conformance suite has no case " + id
	}
	if observation != "" && !slices.ContainsFunc(cases[i].Want, func(e wstest.Expectation) bool { return e.Key == observation }) {
		return fmt.Sprintf("%s has no observation %q", id, observation)
	}
	return ""
}

// skipPatterns returns the patterns of -skip in the files that run the tests.
func skipPatterns(t *testing.T) (patterns []*regexp.Regexp) {
	t.Helper()
	for _, name := range []string{"Makefile", ".ci/run", ".github/workflows/ci.yml"} {
		for _, m := range regexp.MustCompile(`-skip[ =]'?([^' ]+)`).FindAllStringSubmatch(read(t, name), -1) {
			patterns = append(patterns, regexp.MustCompile(m[1]))
		}
	}
	return patterns
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestNamedTestsExist: in each page below, every test that is named is there and runs.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	all, skipped := readTests(t), skipPatterns(t)
	for page, least := range map[string]int{"docs/conformance.md": 150, "docs/reliability.md": 10, "SECURITY.md": 30} {
		t.Run(path.Base(page), func(t *testing.T) {
			names := namedTests(read(t, page))
			if len(names) < least {
				t.Errorf("%s names %d tests, want %d at least: does this test find them?", page, len(names), least)
			}
			for _, name := range names {
				if why := all.missing(name, skipped); why != "" {
					t.Errorf("%s names `%s`, but %s", page, name, why)
				}
			}
		})
	}
}

// TestMissingIsFound: this package's own check finds what it is for.
func TestMissingIsFound(t *testing.T) {
	t.Parallel()
	all := readTests(t)
	skipped := []*regexp.Regexp{regexp.MustCompile("^TestMask$")}
	for name, want := range map[string]string{
		"internal/rfc6455.TestDecodeRefuses/RSV2":                     "",
		"internal/rfc6455.TestDecodeRefuses":                          "",
		"server.TestHandshakeRefused/HTTP/1.0":                        "",
		"internal/wsurl.TestParseURL/a fragment":                      "",
		"isosocket.TestHerd":                                          "",
		"ws/wstest.P06/the peer saw":                                  "",
		"internal/browsersocket.TestSocketReceivesInOrder":            "",
		"internal/rfc6455.TestDecodeRefuses/RSV9":                     `no case "RSV9"`,
		"internal/rfc6455.TestNoSuchThing":                            "no test TestNoSuchThing",
		"internal/rfc6456.TestMask":                                   "no tests",
		"internal/rfc6455.TestMask":                                   "left out by -skip",
		"internal/wsurl.TestParseURLAsTheBrowser":                     "can skip itself",
		"ws/wstest.P99":                                               "no case P99",
		"ws/wstest.P06/nothing":                                       "no observation",
		"internal/testing/browser.TestEndBusy":                        "no test TestEndBusy", // it is in testdata
		"internal/rfc6455.TestDecodeRefuses/RSV2 on a rainy day/RSV2": "no case",
	} {
		if got := all.missing(name, skipped); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := namedTests("`ws/wstest.P01` `Conn.TestMe` `make test` `a/b.FuzzX/y z` `ws/wstest.D01/a/b`"); !slices.Equal(got, []string{"ws/wstest.P01", "a/b.FuzzX/y z", "ws/wstest.D01/a/b"}) {
		t.Errorf("found %q", got)
	}
}
