// Command bench compares this library with its peers and with bare TCP. It measures servers,
// clients and browser clients in separate processes, one after the other and in several rounds,
// and compares the medians with the bars.
//
//	go run . -rows a,b -rounds 3
//	go run . -json results.json -markdown results.md -svg chart.svg
//	go run . -rows n,o -browser firefox
//
// The load uses prebuilt frames and none of the libraries; see the packages below internal.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/isosocket/isosocket/bench/internal/browser"
	"github.com/isosocket/isosocket/bench/internal/peer"
	"github.com/isosocket/isosocket/bench/internal/process"
	"github.com/isosocket/isosocket/bench/internal/report"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// plan holds the values of the flags.
type plan struct {
	browser  string // an element of browser.Engines
	rounds   int
	window   time.Duration
	warmup   time.Duration
	peers    []string
	profiles string // directory, or "" for none
	log      io.Writer
	programs
}

func run(args []string, out io.Writer) error {
	f := flag.NewFlagSet("bench", flag.ExitOnError)
	var (
		task     = f.String(process.Flag, "", "be the process that is measured, for this task (used by the program itself)")
		only     = f.String("rows", "", "rows to run, by letter, separated by commas; all if empty")
		names    = f.String("peers", peer.Names(), "implementations to run, separated by commas")
		rounds   = f.Int("rounds", 5, "rounds, of which the medians count")
		window   = f.Duration("duration", 300*time.Millisecond, "how long each measurement lasts")
		warmup   = f.Duration("warmup", 100*time.Millisecond, "how long each one runs before it is measured")
		engine   = f.String("browser", "chromium", "browser of the browser rows: "+strings.Join(browser.Engines(), ", "))
		quick    = f.Bool("quick", false, "one short round: to see that everything runs, not for figures")
		profiles = f.String("profile", "", "folder for CPU profiles of the measured windows; they cost some CPU time themselves")
		jsonFile = f.String("json", "", "file for all figures of all rounds as JSON")
		markdown = f.String("markdown", "", "file for the tables as Markdown")
		svg      = f.String("svg", "", "file for the chart")
		strict   = f.Bool("strict", false, "exit with status 1 if a bar is missed")
		list     = f.Bool("list", false, "list the rows and leave")
	)
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; bench takes flags only", f.Arg(0))
	}
	if *task != "" {
		c := new(process.Control)
		if err := json.Unmarshal([]byte(*task), &c.Task); err != nil {
			return fmt.Errorf("-%s: %w", process.Flag, err)
		}
		return peer.Run(c)
	}
	if *quick {
		*rounds, *window, *warmup = 1, 100*time.Millisecond, 50*time.Millisecond
	}
	if *rounds < 1 || *window <= 0 || *warmup < 0 {
		return fmt.Errorf("-rounds must be 1 or more, -duration positive and -warmup not negative")
	}
	if *list {
		for _, r := range allRows() {
			fmt.Fprintf(out, "%s  %s\n", r.id, r.title)
		}
		return nil
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	if !slices.Contains(browser.Engines(), *engine) {
		return fmt.Errorf("-browser: no browser %q; there are %s", *engine, strings.Join(browser.Engines(), ", "))
	}
	p := &plan{browser: *engine, rounds: *rounds, window: *window, warmup: *warmup, profiles: *profiles, log: os.Stderr}
	for name := range strings.SplitSeq(*names, ",") {
		if _, err := peer.Find(name); err != nil {
			return err
		}
		p.peers = append(p.peers, name)
	}
	if p.profiles != "" {
		if p.profiles, err = filepath.Abs(p.profiles); err != nil {
			return err
		}
		if err := os.MkdirAll(p.profiles, 0o777); err != nil {
			return err
		}
	}

	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)

	all := describe(p)
	fmt.Fprint(out, all.Heading())
	for _, r := range chosen {
		result, err := p.measure(r, interrupted)
		if err != nil {
			return err
		}
		all.Results = append(all.Results, result)
		result.WriteText(out)
	}
	for _, file := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{*jsonFile, all.WriteJSON},
		{*markdown, all.WriteMarkdown},
		{*svg, all.WriteSVG},
	} {
		if err := writeFile(file.name, file.write); err != nil {
			return err
		}
	}
	missed := 0
	for _, r := range all.Results {
		for i := range r.Bars {
			if !r.Bars[i].Met() {
				missed++
			}
		}
	}
	if *strict && missed > 0 {
		return fmt.Errorf("%d bars missed or not measured", missed)
	}
	return nil
}

func writeFile(name string, write func(io.Writer) error) error {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func allRows() []*row { return slices.Concat(rows, browserRows) }

func choose(letters string) ([]*row, error) {
	rows := allRows()
	if letters == "" {
		return rows, nil
	}
	var chosen []*row
	for letter := range strings.SplitSeq(letters, ",") {
		i := slices.IndexFunc(rows, func(r *row) bool { return r.id == letter })
		if i < 0 {
			var ids []string
			for _, r := range rows {
				ids = append(ids, r.id)
			}
			return nil, fmt.Errorf("-rows: no row %q; there are %s", letter, strings.Join(ids, ", "))
		}
		chosen = append(chosen, rows[i])
	}
	return chosen, nil
}

func describe(p *plan) *report.Report {
	r := &report.Report{
		Date:     time.Now().Format("2006-01-02"),
		Machine:  machine(),
		Go:       runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
		Versions: map[string]string{},
		Command:  "make bench",
		Rounds:   p.rounds,
		Window:   p.window.String(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			for _, p := range peer.All {
				if p.Module == m.Path {
					r.Versions[p.Name] = m.Version
				}
			}
		}
	}
	if _, ok := r.Versions["isosocket"]; ok {
		r.Versions["isosocket"] = "(this tree)"
	}
	return r
}

// machine returns the processor's name and the number of processors that this process may use.
func machine() string {
	name := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d processors", name, runtime.NumCPU())
}
