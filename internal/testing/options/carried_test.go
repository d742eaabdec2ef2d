//go:build !js

package options_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/wstest"
)

// TestOptionsReachTheConnection finds a field that ws.Config and an option struct share, and
// that the struct's config method does not copy.
func TestOptionsReachTheConnection(t *testing.T) {
	for file, options := range map[string]reflect.Type{
		"dial.go":           reflect.TypeFor[isosocket.DialOptions](),
		"server/options.go": reflect.TypeFor[server.Options](),
	} {
		t.Run(file, func(t *testing.T) {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../../..", file), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			set, read := map[string]bool{}, map[string]bool{}
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Recv == nil || fn.Name.Name != "config" {
					continue
				}
				ast.Inspect(fn, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.KeyValueExpr:
						if key, ok := n.Key.(*ast.Ident); ok {
							set[key.Name] = true
						}
					case *ast.SelectorExpr:
						read[n.Sel.Name] = true
					}
					return true
				})
			}
			shared := 0
			for field := range reflect.TypeFor[ws.Config]().Fields() {
				if _, ok := options.FieldByName(field.Name); !ok {
					continue
				}
				shared++
				if !set[field.Name] || !read[field.Name] {
					t.Errorf("config of %v does not copy %s to ws.Config", options, field.Name)
				}
			}
			if shared < 4 {
				t.Errorf("%v and ws.Config share only %d fields", options, shared)
			}
		})
	}
}

// notInSuite maps the fields of DialOptions that no case of the conformance suite sets to the
// reason.
var notInSuite = map[string]string{
	"DisableStatusProbe": "without effect on native targets",
	"Native":             "does not exist in a browser",
}

// TestSuiteHasTheOptions finds an option of Dial that cases of the conformance suite cannot set,
// or that the dialer of the suite's tests, which both targets share, does not pass on.
func TestSuiteHasTheOptions(t *testing.T) {
	suite := reflect.TypeFor[wstest.Options]()
	dial := reflect.TypeFor[isosocket.DialOptions]()
	for field := range dial.Fields() {
		has, ok := suite.FieldByName(field.Name)
		switch _, excepted := notInSuite[field.Name]; {
		case ok == excepted:
			t.Errorf("DialOptions.%s: in wstest.Options %v, an exception %v", field.Name, ok, excepted)
		case ok && has.Type != field.Type:
			t.Errorf("wstest.Options.%s is a %v, and in DialOptions a %v", field.Name, has.Type, field.Type)
		}
	}
	for field := range suite.Fields() {
		if _, ok := dial.FieldByName(field.Name); !ok {
			t.Errorf("wstest.Options.%s is not in DialOptions", field.Name)
		}
	}

	const dialer = "ws/wstest/conformance_test.go"
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../../..", dialer), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range f.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:build") {
				t.Errorf("%s is for one target only: %s", dialer, c.Text)
			}
		}
	}
	passed := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if typ, ok := literal.Type.(*ast.SelectorExpr); !ok || typ.Sel.Name != dial.Name() {
			return true
		}
		for _, e := range literal.Elts {
			if e, ok := e.(*ast.KeyValueExpr); ok {
				key, isName := e.Key.(*ast.Ident)
				value, isField := e.Value.(*ast.SelectorExpr)
				if isName && isField && key.Name == value.Sel.Name {
					passed[key.Name] = true
				}
			}
		}
		return true
	})
	for field := range suite.Fields() {
		if !passed[field.Name] {
			t.Errorf("the dialer in %s does not pass on wstest.Options.%s", dialer, field.Name)
		}
	}
}
