//go:build !js

package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// shipped are the folders of packages whose texts users see.
var shipped = []string{
	".", "errors", "ws", "ws/driver", "ws/netconn", "ws/wsjson", "server",
	"internal/browsersocket", "internal/handshake", "internal/rfc6455", "internal/stream", "internal/subprotocol", "internal/wsurl",
}

// TestTroubleshootingHasEachText finds a text of an error, of a refusal or of a log record that
// docs/troubleshooting.md does not explain. The page quotes the part before the first value.
func TestTroubleshootingHasEachText(t *testing.T) {
	t.Parallel()
	page := readPage(t, "docs/troubleshooting.md")
	texts := map[string]token.Position{}
	for _, folder := range shipped {
		collectTexts(t, folder, texts)
	}
	if len(texts) < 100 {
		t.Errorf("found only %d texts", len(texts))
	}
	for _, text := range slices.Sorted(maps.Keys(texts)) {
		if !strings.Contains(page, text) {
			t.Errorf("%v: docs/troubleshooting.md does not explain %q", texts[text], text)
		}
	}
}

// collectTexts adds the texts of the package in folder, for both targets.
func collectTexts(t *testing.T, folder string, texts map[string]token.Position) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Message" {
					if literal, ok := n.Value.(*ast.BasicLit); ok {
						if text, ok := quoted(literal); ok {
							add(texts, text, set.Position(n.Pos()))
						}
					}
				}
			case *ast.BasicLit:
				if text, ok := quoted(n); ok && strings.HasPrefix(text, "websocket: ") {
					add(texts, strings.TrimPrefix(text, "websocket: "), set.Position(n.Pos()))
				}
			case *ast.CallExpr:
				called := calledName(n)
				if called != "New" && called != "Errorf" && called != "refuse" {
					break
				}
				for _, argument := range n.Args {
					for b, ok := argument.(*ast.BinaryExpr); ok; b, ok = argument.(*ast.BinaryExpr) {
						argument = b.X
					}
					if literal, ok := argument.(*ast.BasicLit); ok {
						if text, ok := quoted(literal); ok {
							add(texts, strings.TrimPrefix(text, "websocket: "), set.Position(n.Pos()))
						}
					}
				}
			}
			return true
		})
	}
}

func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

func quoted(literal *ast.BasicLit) (string, bool) {
	if literal.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(literal.Value)
	return text, err == nil
}

// unseen are texts that no user sees, each with the reason.
var unseen = map[string]string{
	"the connection is kept":                   "how package server keeps what it has hijacked",
	"the connection has ended":                 "replaced by the ConnectionClosed",
	"A WebSocket handshake would be accepted.": "the answer to this library's own question",
}

// add adds the part of text before its first value, if that says something.
func add(texts map[string]token.Position, text string, at token.Position) {
	text, _, _ = strings.Cut(text, "%")
	text = strings.TrimRight(text, " :\"'(")
	if strings.HasPrefix(text, "stream: ") || strings.HasPrefix(text, "rfc6455: ") || unseen[text] != "" {
		return
	}
	if len(text) >= 12 && strings.Contains(text, " ") {
		texts[text] = at
	}
}
