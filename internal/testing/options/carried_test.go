//go:build !js

package options_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// TestOptionsReachTheConnection finds a field that ws.Config and an option struct share, and that
// the struct's config method does not carry over.
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
					t.Errorf("config of %v does not carry %s over to ws.Config", options, field.Name)
				}
			}
			if shared < 4 {
				t.Errorf("%v and ws.Config share only %d fields", options, shared)
			}
		})
	}
}
