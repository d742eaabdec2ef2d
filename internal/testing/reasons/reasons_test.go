package reasons

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	for text, want := range map[string]string{
		"# comment\n\na.go F: it is: so\n": "it is: so",
		"  a.go F:  spaces \n":             "spaces",
	} {
		all, err := Read(strings.NewReader(text), ": ", "file function: reason")
		if err != nil || len(all) != 1 || all["a.go F"] != want {
			t.Errorf("%q: %q, %v", text, all, err)
		}
	}
	for text, want := range map[string]string{
		"a.go F x":                  `line 1: "a.go F x" is not of the form "file function: reason"`,
		"a.go F: ":                  "line 1: ",
		": x":                       "line 1: ",
		"# comment\na F: x\na F: y": `line 3: a second reason for "a F"`,
	} {
		if all, err := Read(strings.NewReader(text), ": ", "file function: reason"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %q, %v; want %s", text, all, err, want)
		}
	}
}

func TestFunction(t *testing.T) {
	tree, err := parser.ParseFile(token.NewFileSet(), "p.go", `package p
func F() {}
func (t T) M() {}
func (t *T) P() {}
func (g G[A]) M() {}
func (g *G2[A, B]) M() {}
`, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, declaration := range tree.Decls {
		got = append(got, Function(declaration.(*ast.FuncDecl)))
	}
	if names, want := strings.Join(got, " "), "F T.M T.P G.M G2.M"; names != want {
		t.Errorf("got %s, want %s", names, want)
	}
}
