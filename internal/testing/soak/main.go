//go:build !js

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	if os.Getenv(serverVariable) != "" {
		if err := serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "soak: the server process:", err)
			os.Exit(1)
		}
		return
	}
	p := plan{beat: 2 * time.Second}
	flag.IntVar(&p.clients, "clients", 10_000, "how many clients")
	flag.DurationVar(&p.lasts, "time", 10*time.Minute, "how long, after all clients are connected")
	flag.DurationVar(&p.pace, "pace", 6*time.Second, "the mean pause of a client between two bursts of messages")
	flag.Uint64Var(&p.seed, "seed", uint64(time.Now().UnixNano()), "repeats a schedule of faults, sizes and reasons")
	write := flag.String("write", "", "folder of the documentation; the chart and the table of the run are written to soak.svg and reliability.md there")
	browsers := flag.String("browsers", "", "folder with the figures of the run in browsers, which the table gets, too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := soak(ctx, p, *write, *browsers); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// soak runs p, prints what it found, and writes the documentation if write is not "".
func soak(ctx context.Context, p plan, write, browsers string) error {
	fmt.Printf("%d clients for %v, seed %d\n", p.clients, p.lasts, p.seed)
	result, err := p.run(ctx, os.Stdout)
	if err != nil {
		return err
	}
	engines, err := readEngines(browsers)
	if err != nil {
		return err
	}
	result.print(os.Stdout)
	failed := result.failure()
	if write != "" && failed == nil {
		if err := os.WriteFile(filepath.Join(write, "soak.svg"), result.svg(), 0o644); err != nil {
			return err
		}
		if err := writeSection(filepath.Join(write, "reliability.md"), result.markdown(engines)); err != nil {
			return err
		}
	}
	return failed
}
