package main

import (
	"go/ast"
	"go/parser"
	"go/token"
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
		name := f.Name.Name
		if f.Recv != nil && len(f.Recv.List) == 1 {
			name = receiver(f.Recv.List[0].Type) + "." + name
		}
		all = append(all, function{name, set.Position(f.Pos()).Line, set.Position(f.End()).Line})
	}
	return all, nil
}

// receiver returns the name of a receiver's type.
func receiver(expression ast.Expr) string {
	switch t := expression.(type) {
	case *ast.Ident:
		return t.Name
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	}
	return "?"
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
