package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/isosocket/isosocket/internal/testing/reasons"
)

// mutant is one change of one file.
type mutant struct {
	file       string
	line       int
	start, end int    // bytes of the file that are replaced
	text       string // by this
	was        string
	function   string
	code       string // the line of the source where it is, without its indentation
	number, of int    // of the changes of this function that are described alike
}

// String describes the change.
func (m mutant) String() string {
	text := m.text
	if text == "" {
		text = "nothing"
	}
	return fmt.Sprintf("%s:%d: %s becomes %s", m.file, m.line, m.was, text)
}

// place returns what is changed, with a number if the function has several of it.
func (m mutant) place() string {
	if m.of == 1 {
		return m.was
	}
	return fmt.Sprintf("%s (%d of %d)", m.was, m.number, m.of)
}

// key identifies a mutant as long as its function does not change.
func (m mutant) key() string {
	text := m.text
	if text == "" {
		text = "nothing"
	}
	return fmt.Sprintf("%s %s: %s becomes %s", m.file, m.function, m.place(), text)
}

// alike is the same for the changes of a function that are described alike.
func (m mutant) alike() [3]string { return [3]string{m.function, m.was, m.text} }

// apply returns the source with the change.
func (m mutant) apply(source []byte) []byte {
	return slices.Concat(source[:m.start], []byte(m.text), source[m.end:])
}

// operators are what a binary operator is replaced by.
var operators = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL,
	token.SHL: token.SHR, token.SHR: token.SHL, token.AND: token.OR, token.OR: token.AND,
}

// brief returns code in one line, without the end of a long one.
func brief(code string) string {
	code = strings.Join(strings.Fields(code), " ")
	if len(code) > 80 {
		code = strings.ToValidUTF8(code[:80], "") + "..."
	}
	return code
}

// mutants returns all changes of a file, in the order of the source: another operator, an integer
// one larger, true for false, and statements that are left out.
func mutants(file string) ([]mutant, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(source), "\n")
	var all []mutant
	for _, declaration := range tree.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		add := func(from, to token.Pos, text string) {
			start, end := set.Position(from), set.Position(to)
			all = append(all, mutant{file: file, line: start.Line, start: start.Offset, end: end.Offset,
				text: text, was: brief(string(source[start.Offset:end.Offset])), function: reasons.Function(f),
				code: brief(lines[start.Line-1])})
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if other, ok := operators[n.Op]; ok {
					add(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), other.String())
				}
			case *ast.BasicLit:
				if n.Kind == token.INT {
					if value, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
						add(n.Pos(), n.End(), strconv.FormatInt(value+1, 10))
					}
				}
			case *ast.Ident:
				switch n.Name {
				case "true":
					add(n.Pos(), n.End(), "false")
				case "false":
					add(n.Pos(), n.End(), "true")
				}
			case *ast.ExprStmt:
				add(n.Pos(), n.End(), "")
			case *ast.IncDecStmt:
				add(n.Pos(), n.End(), "")
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					add(n.Pos(), n.End(), "")
				}
			}
			return true
		})
	}
	slices.SortStableFunc(all, func(a, b mutant) int { return a.start - b.start })
	count := make(map[[3]string]int)
	for i, m := range all {
		count[m.alike()]++
		all[i].number = count[m.alike()]
	}
	for i, m := range all {
		all[i].of = count[m.alike()]
	}
	return all, nil
}
