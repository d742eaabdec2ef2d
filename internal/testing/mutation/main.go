package main

import (
	"bufio"
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

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

func main() {
	n := flag.Int("n", 200, "the `number` of mutants")
	seed := flag.Uint64("seed", 1, "draws the places")
	page := flag.String("write", "", "replace the table of this `page`")
	explain := flag.Bool("explain", false, "fail for survivors without a reason")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *n, *seed, *page, *explain, os.Stdout); err != nil {
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

func run(ctx context.Context, n int, seed uint64, page string, explain bool, out io.Writer) error {
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
	reasons, err := readReasons(strings.NewReader(explained))
	if err != nil {
		return fmt.Errorf("survivors.txt: %w", err)
	}
	slices.SortFunc(survivors, func(a, b mutant) int { return strings.Compare(a.file, b.file)*1_000_000 + a.start - b.start })
	text := fmt.Sprintf("%d mutants of %d, drawn with the seed %d.\n\n", tried, len(all), seed) + table(counts) + "\n" + survivorTable(survivors, reasons)
	fmt.Fprint(out, "\n"+text)
	if page != "" {
		if err := section.Write(page, tableBegin, tableEnd, text); err != nil {
			return err
		}
	}
	if explain {
		for _, m := range survivors {
			if reasons[key(m)] == "" {
				return fmt.Errorf("survived, and survivors.txt does not say why: %v, in %s", m, m.function)
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

func survivorTable(survivors []mutant, reasons map[string]string) string {
	var b strings.Builder
	b.WriteString("| survivor | in | becomes | why |\n| --- | --- | --- | --- |\n")
	code := func(s string) string { // a cell of a table
		if s == "" {
			return "nothing"
		}
		return "`" + strings.ReplaceAll(s, "|", "\\|") + "`"
	}
	for _, m := range survivors {
		fmt.Fprintf(&b, "| %s | `%s` `%s` | %s | %s |\n", code(m.was), m.file, m.function, code(m.text), reasons[key(m)])
	}
	return b.String()
}

// key identifies a mutant as long as its function does not change.
func key(m mutant) string {
	text := m.text
	if text == "" {
		text = "nothing"
	}
	return fmt.Sprintf("%s %s: %s becomes %s", m.file, m.function, m.was, text)
}

// readReasons reads lines of the form "key; reason".
func readReasons(text io.Reader) (map[string]string, error) {
	reasons := make(map[string]string)
	lines := bufio.NewScanner(text)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, reason, ok := strings.Cut(line, "; ")
		if !ok || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("line %d: %q is not of the form \"file function: code becomes code; reason\"", number, line)
		}
		reasons[key] = strings.TrimSpace(reason)
	}
	return reasons, lines.Err()
}

// The table of a page is between these lines.
const (
	tableBegin = "<!-- written by make mutation -->\n"
	tableEnd   = "<!-- end of make mutation -->\n"
)
