//go:build !js

package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The exit statuses; doc.go and the usage texts explain them.
const (
	exitDone   = 0
	exitFailed = 1
	exitLost   = 2
	exitClosed = 3
)

const usage = `isosocket serves the demo and talks to any WebSocket server.

usage:
  isosocket serve [flags]     serve the page, the chat and an echo
  isosocket dial [flags] URL  send lines from the terminal, print what comes
  isosocket help [COMMAND]    explain a command
`

// terminal holds the input and outputs of a command.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal stops the command; a second one has its usual effect.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr}))
}

// run runs the command in args until it is done or ctx ends, and returns the exit status.
func run(ctx context.Context, args []string, t terminal) int {
	commands := map[string]func(context.Context, []string, terminal) int{
		"serve": serve,
		"dial":  dial,
	}
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	if name == "help" && len(args) > 0 {
		name, args = args[0], []string{"-h"}
	}
	switch command, ok := commands[name]; {
	case ok:
		return command(ctx, args, t)
	case name == "help" || name == "-h" || name == "-help" || name == "--help":
		_, _ = io.WriteString(t.out, usage)
		return exitDone
	case name == "":
		_, _ = io.WriteString(t.err, usage)
		return exitFailed
	default:
		return t.fail("", "unknown command "+quote(name)+"; the known ones are serve, dial and help")
	}
}
