package main

import (
	"go/ast"
	"go/parser"
	"go/token"

	"github.com/isosocket/isosocket/internal/testing/reasons"
)

// function is a function declaration in a file.
type function struct {
	name               string // Type.Method or Function
	startLine, endLine int
}

// functions returns the functions that a file declares.
func functions(file string) ([]function, error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var all []function
	for _, declaration := range tree.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok {
			continue
		}
		all = append(all, function{reasons.Function(f), set.Position(f.Pos()).Line, set.Position(f.End()).Line})
	}
	return all, nil
}

// functionAt returns the name of the function at a line; "" outside of functions.
func functionAt(all []function, line int) string {
	for _, f := range all {
		if f.startLine <= line && line <= f.endLine {
			return f.name
		}
	}
	return ""
}
