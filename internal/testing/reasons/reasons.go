// Package reasons reads files that say why something of the source is as it is, one reason a line.
package reasons

import (
	"bufio"
	"fmt"
	"go/ast"
	"io"
	"strings"
)

// Read reads lines of a key, separator and a reason, and returns the reasons by their keys. The key
// ends at the first separator. Empty lines, and lines that begin with #, are comments. form is such
// a line in words, for the error of a line that has another form.
func Read(text io.Reader, separator, form string) (map[string]string, error) {
	all := make(map[string]string)
	lines := bufio.NewScanner(text)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, reason, ok := strings.Cut(line, separator)
		if !ok || strings.TrimSpace(key) == "" || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("line %d: %q is not of the form %q", number, line, form)
		}
		if _, ok := all[key]; ok {
			return nil, fmt.Errorf("line %d: a second reason for %q", number, key)
		}
		all[key] = strings.TrimSpace(reason)
	}
	return all, lines.Err()
}

// Function returns the name of a function in a key: Function, or Type.Method.
func Function(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) != 1 {
		return f.Name.Name
	}
	return receiver(f.Recv.List[0].Type) + "." + f.Name.Name
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
