//go:build !js

package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "autobahn:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	const usage = "usage: autobahn server|client|compare"
	if len(args) == 0 {
		return fmt.Errorf("no command; %s", usage)
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	switch args[0] {
	case "server":
		address := flags.String("addr", "127.0.0.1:9002", "where to listen; the address is written to standard output")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		l, err := net.Listen("tcp", *address)
		if err != nil {
			return err
		}
		fmt.Println(l.Addr())
		s := &http.Server{Handler: echoServer()}
		context.AfterFunc(ctx, func() { s.Close() })
		if err := s.Serve(l); err != http.ErrServerClosed {
			return err
		}
		return nil
	case "client":
		url := flags.String("url", "ws://127.0.0.1:9001", "the fuzzing server")
		agent := flags.String("agent", "isosocket", "the name in the report")
		wait := flags.Duration("wait", 0, "how long the fuzzing server may take to start")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return runCases(ctx, *url, *agent, *wait)
	case "compare":
		write := flags.Bool("write", false, "write the results to EXPECTED instead")
		part := flags.Bool("part", false, "the reports have a part of the cases")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		if flags.NArg() < 2 {
			return fmt.Errorf("usage: autobahn compare [-write] [-part] EXPECTED ROLE=REPORT, and more reports")
		}
		return compare(flags.Arg(0), flags.Args()[1:], *write, *part)
	}
	return fmt.Errorf("unknown command %q; %s", args[0], usage)
}
