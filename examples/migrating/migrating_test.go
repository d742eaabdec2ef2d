package migrating

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	// The libraries that the page names; the programs that the test makes import them.
	_ "github.com/coder/websocket"
	_ "github.com/coder/websocket/wsjson"
	_ "github.com/gorilla/websocket"
	_ "github.com/lxzan/gws"
)

// own is the beginning of each program with statements of this library.
const own = `
	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/netconn"
	"github.com/isosocket/isosocket/ws/wsjson"
)

var (
	conn     *ws.Conn
	options  = &server.Options{}
	prepared *ws.Prepared
	_        = isosocket.Dial
	_        = errors.New
	_        = netconn.New
	_        = wsjson.Send
`

// others are the beginnings of the programs with statements of the other libraries.
var others = map[string]string{
	"gorilla/websocket": `
	"github.com/gorilla/websocket"
)

var (
	conn     *websocket.Conn
	upgrader websocket.Upgrader
	prepared *websocket.PreparedMessage
	deadline time.Time
`,
	"coder/websocket": `
	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

var (
	conn *websocket.Conn
	_    = wsjson.Read
`,
	"gws": `
	"github.com/lxzan/gws"
)

var (
	conn        *gws.Conn
	upgrader    *gws.Upgrader
	handler     gws.BuiltinEventHandler
	broadcaster *gws.Broadcaster
`,
}

// shared is at the end of each beginning.
const shared = `
	ctx    context.Context
	w      http.ResponseWriter
	r      *http.Request
	url    string
	header http.Header
	data   []byte
	v      Value
	err    error
	_      = time.Now
)

type Value struct{}

func main() {
`

func TestTablesCompile(t *testing.T) {
	page, err := os.ReadFile("../../docs/migrating.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(page), "\n## ")[1:]
	if len(sections) != 4 {
		t.Fatalf("the page has %d sections", len(sections))
	}
	row := regexp.MustCompile("(?m)^\\| `(.+?)` \\| `(.+?)` \\|$")
	for _, section := range sections {
		title, text, _ := strings.Cut(section, "\n")
		rows := row.FindAllStringSubmatch(text, -1)
		if lines := strings.Count(text, "\n| ") - 2; len(rows) < 8 || len(rows) != lines {
			t.Errorf("%s: %d rows, of which %d can be read", title, lines, len(rows))
		}
		var theirs, ours []string
		for _, r := range rows {
			theirs, ours = append(theirs, r[1]), append(ours, r[2])
		}
		compile(t, title+", this library", own, ours)
		if begin, ok := others[title]; ok {
			compile(t, title, begin, theirs)
		} else if !strings.Contains(title, "Python") {
			t.Errorf("nothing compiles the table of %s", title)
		}
	}
}

// compile compiles statements, each in a block of its own.
func compile(t *testing.T, name, begin string, statements []string) {
	t.Helper()
	var program bytes.Buffer
	program.WriteString("package main\n\nimport (\n\t\"context\"\n\t\"net/http\"\n\t\"time\"\n" + begin + shared)
	for _, s := range statements {
		fmt.Fprintf(&program, "\t{\n\t\t%s\n", s)
		for _, declared := range declaredIn(t, s) {
			fmt.Fprintf(&program, "\t\t_ = %s\n", declared)
		}
		program.WriteString("\t}\n")
	}
	program.WriteString("}\n")
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, program.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "program"), file).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s\n%s", name, err, output, &program)
	}
}

// declaredIn returns the variables that statements declare.
func declaredIn(t *testing.T, statements string) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc f() {\n"+statements+"\n}", 0)
	if err != nil {
		t.Errorf("%s: %v", statements, err)
		return nil
	}
	for _, s := range file.Decls[0].(*ast.FuncDecl).Body.List {
		if assignment, ok := s.(*ast.AssignStmt); ok && assignment.Tok == token.DEFINE {
			for _, left := range assignment.Lhs {
				if name := left.(*ast.Ident).Name; name != "_" {
					names = append(names, name)
				}
			}
		}
	}
	return names
}
