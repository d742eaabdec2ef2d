package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/isosocket/isosocket/internal/testing/reasons"
	"github.com/isosocket/isosocket/internal/testing/section"
)

const module = "github.com/isosocket/isosocket"

// floors are the least shares of statements that the tests must reach, in percent.
var floors = map[string]float64{
	module:                         95,
	module + "/errors":             95,
	module + "/ws":                 95,
	module + "/internal/rfc6455":   95,
	module + "/internal/stream":    95,
	module + "/internal/handshake": 95,
	module + "/server":             95,
}

// unlisted are packages whose coverage says nothing: they are tests themselves.
const unlisted = module + "/internal/testing/"

//go:embed unreached.txt
var unreached string

// The form of the lines of unreached.txt, where file is relative to the module.
const (
	separator = ": "
	form      = "file function: reason"
)

func main() {
	flags := flag.NewFlagSet("coverage", flag.ExitOnError)
	page := flags.String("write", "", "replace the tables of this `page`")
	explain := flags.Bool("explain", false, "fail for unreached statements without a reason")
	flags.Parse(os.Args[1:])
	if err := run(flags.Args(), *page, *explain, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		os.Exit(1)
	}
}

func run(args []string, page string, explain bool, out io.Writer) error {
	if len(args) == 0 || len(args) > 32 {
		return fmt.Errorf("%d runs, want 1 to 32 of the form NAME=DIR", len(args))
	}
	var sum profile
	var names []string
	for i, arg := range args {
		name, dir, ok := strings.Cut(arg, "=")
		if !ok || name == "" || dir == "" {
			return fmt.Errorf("run %q, want NAME=DIR", arg)
		}
		names = append(names, name)
		text, err := textOf(dir)
		if err != nil {
			return err
		}
		if err := sum.add(i, bytes.NewReader(text)); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	why, err := reasons.Read(strings.NewReader(unreached), separator, form)
	if err != nil {
		return fmt.Errorf("unreached.txt: %w", err)
	}
	left, err := leftOut(&sum, ".", why)
	if err != nil {
		return err
	}
	shares := sum.packages(len(names))
	tables := packageTable(shares, names) + "\n" + leftTable(left)
	fmt.Fprint(out, tables)
	if page != "" {
		if err := section.Write(page, tablesBegin, tablesEnd, tables); err != nil {
			return err
		}
	}
	return verdict(shares, left, explain)
}

// textOf returns the coverage data of a directory as text.
func textOf(dir string) ([]byte, error) {
	file, err := os.CreateTemp("", "coverage-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	file.Close()
	if said, err := exec.Command("go", "tool", "covdata", "textfmt", "-i="+dir, "-o="+file.Name()).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go tool covdata: %w: %s", err, said)
	}
	text, err := os.ReadFile(file.Name())
	if err == nil && len(text) == 0 {
		err = fmt.Errorf("%s has no coverage data", dir)
	}
	return text, err
}

// remainder is a function of which no run reached all statements.
type remainder struct {
	file, function string
	statements     int
	lines          []string // of the source
	reason         string
}

// leftOut returns the remainders of the packages with a floor. root is the module's directory.
func leftOut(p *profile, root string, why map[string]string) ([]remainder, error) {
	var all []remainder
	for _, pkg := range slices.Sorted(maps.Keys(floors)) {
		var declared []function
		for i, blocks := 0, p.unreached(pkg); i < len(blocks); i++ {
			b := blocks[i]
			file := strings.TrimPrefix(b.file, module+"/")
			if i == 0 || blocks[i-1].file != b.file {
				var err error
				if declared, err = functions(filepath.Join(root, filepath.FromSlash(file))); err != nil {
					return nil, err
				}
			}
			name := functionAt(declared, b.startLine)
			if last := len(all) - 1; last < 0 || all[last].file != file || all[last].function != name {
				all = append(all, remainder{file: file, function: name, reason: why[file+" "+name]})
			}
			r := &all[len(all)-1]
			r.statements += p.blocks[b].statements
			line := fmt.Sprint(b.startLine)
			if b.endLine > b.startLine {
				line += fmt.Sprintf("-%d", b.endLine)
			}
			r.lines = append(r.lines, line)
		}
	}
	return all, nil
}

func short(pkg string) string {
	if pkg == module {
		return "isosocket"
	}
	return strings.TrimPrefix(pkg, module+"/")
}

func packageTable(shares map[string]*share, names []string) string {
	var b strings.Builder
	b.WriteString("| package | statements |")
	for _, name := range names {
		b.WriteString(" " + name + " |")
	}
	b.WriteString(" together | floor |\n| --- | ---: |" + strings.Repeat(" ---: |", len(names)+2) + "\n")
	for _, pkg := range slices.Sorted(maps.Keys(shares)) {
		s := shares[pkg]
		if strings.HasPrefix(pkg+"/", unlisted) {
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %d |", short(pkg), s.statements)
		for _, reached := range s.by {
			if reached == 0 {
				b.WriteString(" - |")
				continue
			}
			fmt.Fprintf(&b, " %.1f %% |", share{statements: s.statements, reached: reached}.percent())
		}
		floor := "-"
		if f, ok := floors[pkg]; ok {
			floor = fmt.Sprintf("%.0f %%", f)
		}
		fmt.Fprintf(&b, " %.1f %% | %s |\n", s.percent(), floor)
	}
	return b.String()
}

func leftTable(left []remainder) string {
	var b strings.Builder
	b.WriteString("| file | function | statements | why |\n| --- | --- | ---: | --- |\n")
	for _, r := range left {
		fmt.Fprintf(&b, "| `%s` | `%s` | %d | %s |\n", r.file, r.function, r.statements, r.reason)
	}
	return b.String()
}

// The tables of a page are between these lines.
const (
	tablesBegin = "<!-- written by make cover -->\n"
	tablesEnd   = "<!-- end -->\n"
)

// verdict returns an error that names all that is too little.
func verdict(shares map[string]*share, left []remainder, explain bool) error {
	var problems []string
	for _, pkg := range slices.Sorted(maps.Keys(floors)) {
		switch s := shares[pkg]; {
		case s == nil:
			problems = append(problems, short(pkg)+" was not run")
		case s.percent() < floors[pkg]:
			problems = append(problems, fmt.Sprintf("%s is at %.1f %%, below its floor of %.0f %%", short(pkg), s.percent(), floors[pkg]))
		}
	}
	if explain {
		for _, r := range left {
			if r.reason == "" {
				problems = append(problems, fmt.Sprintf("%s: no run reached all of %s (lines %s), and unreached.txt does not say why", r.file, r.function, strings.Join(r.lines, ", ")))
			}
		}
	}
	if problems == nil {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(problems, "\n"))
}
