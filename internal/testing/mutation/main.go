package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/isosocket/isosocket/internal/testing/reasons"
	"github.com/isosocket/isosocket/internal/testing/section"
)

// target is a set of files and the tests that must notice a change in them.
type target struct {
	files []string
	tests string // folder of the tests
	run   string // pattern of their names
}

// targets are the codec and the closing handshake.
var targets = []target{
	{[]string{"internal/rfc6455/close.go", "internal/rfc6455/decoder.go", "internal/rfc6455/encoder.go", "internal/rfc6455/extension.go", "internal/rfc6455/fragments.go",
		"internal/rfc6455/header.go", "internal/rfc6455/inflate.go", "internal/rfc6455/mask.go", "internal/rfc6455/parts.go", "internal/rfc6455/window.go"}, "./internal/rfc6455", "."},
	{[]string{"errors/closereason.go"}, "./errors", "."},
	{[]string{"ws/conn.go", "ws/driver/ending.go"}, "./ws", "."},
	{[]string{"internal/stream/transport.go"}, "./internal/stream", "Close|End|Lost|Fail|Cut|Idle"},
}

//go:embed survivors.txt
var explained string

// The form of the lines of survivors.txt, where file is relative to the module.
const (
	separator = "; "
	form      = "file function: code becomes code; reason"
)

func main() {
	n := flag.Int("n", 200, "the `number` of mutants")
	seed := flag.Uint64("seed", 1, "draws the places")
	page := flag.String("write", "", "replace the table of this `page`")
	match := flag.String("match", "", "draw from the mutants whose description, \"file:line: code becomes code\", matches this `pattern`")
	explain := flag.Bool("explain", false, "fail for survivors without a reason")
	flag.Parse()
	pattern, err := regexp.Compile(*match)
	if err == nil && *match != "" && *page != "" {
		err = errors.New("-write with -match: the table would not be that of all mutants")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *n, *seed, pattern, *page, *explain, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

// candidate is a mutant with the tests that must notice it.
type candidate struct {
	mutant
	target   target
	patience time.Duration
}

func run(ctx context.Context, n int, seed uint64, match *regexp.Regexp, page string, explain bool, out io.Writer) error {
	var all []candidate
	for _, t := range targets {
		patience, err := measure(ctx, t)
		if err != nil {
			return err
		}
		for _, file := range t.files {
			changes, err := mutants(file)
			if err != nil {
				return err
			}
			for _, m := range changes {
				all = append(all, candidate{m, t, patience})
			}
		}
	}
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = slices.DeleteFunc(all, func(c candidate) bool { return !match.MatchString(c.String()) })
	if len(all) == 0 {
		return fmt.Errorf("no mutant matches %q", match)
	}
	counts := make(map[string]map[outcome]int)
	var survivors []mutant
	tried := 0
	for _, c := range all {
		if tried == n {
			break
		}
		result, err := try(ctx, c.mutant, c.target, c.patience)
		if err != nil {
			return fmt.Errorf("%v: %w", c.mutant, err)
		}
		fmt.Fprintf(out, "%-8s %v\n", result, c.mutant)
		if result == invalid {
			continue
		}
		tried++
		if counts[c.file] == nil {
			counts[c.file] = make(map[outcome]int)
		}
		counts[c.file][result]++
		if result == survived {
			survivors = append(survivors, c.mutant)
		}
	}
	why, err := reasons.Read(strings.NewReader(explained), separator, form)
	if err != nil {
		return fmt.Errorf("survivors.txt: %w", err)
	}
	slices.SortFunc(survivors, func(a, b mutant) int { return strings.Compare(a.file, b.file)*1_000_000 + a.start - b.start })
	text := fmt.Sprintf("%d mutants of %d, drawn with the seed %d.\n\n", tried, len(all), seed) + table(counts) + "\n" + survivorTable(survivors, why)
	fmt.Fprint(out, "\n"+text)
	if page != "" {
		if err := section.Write(page, tableBegin, tableEnd, text); err != nil {
			return err
		}
	}
	if explain {
		for _, m := range survivors {
			if why[m.key()] == "" {
				return fmt.Errorf("survived, and survivors.txt does not say why: %v (%s)", m, m.key())
			}
		}
	}
	return nil
}

func table(counts map[string]map[outcome]int) string {
	var b strings.Builder
	b.WriteString("| file | mutants | a test failed | tests did not end | survived |\n| --- | ---: | ---: | ---: | ---: |\n")
	for _, file := range slices.Sorted(maps.Keys(counts)) {
		c := counts[file]
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d | %d |\n", file, c[killed]+c[slow]+c[survived], c[killed], c[slow], c[survived])
	}
	return b.String()
}

func survivorTable(survivors []mutant, why map[string]string) string {
	var b strings.Builder
	b.WriteString("| survivor | becomes | line | in | why |\n| --- | --- | --- | --- | --- |\n")
	code := func(s string) string { // a cell of a table
		if s == "" {
			return "nothing"
		}
		return "`" + strings.ReplaceAll(s, "|", "\\|") + "`"
	}
	for _, m := range survivors {
		fmt.Fprintf(&b, "| %s | %s | %s | `%s` `%s` | %s |\n", code(m.place()), code(m.text), code(m.code), m.file, m.function, why[m.key()])
	}
	return b.String()
}

// The table of a page is between these lines.
const (
	tableBegin = "<!-- written by make mutation -->\n"
	tableEnd   = "<!-- end of make mutation -->\n"
)
