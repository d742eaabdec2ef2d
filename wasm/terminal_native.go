//go:build !js

package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/chat"
)

const terminalUsage = `usage: wasm [-name NAME] URL

Joins the chat at a ws, wss, http or https URL, such as ws://127.0.0.1:8080/ws.
Each line typed is said; /help lists the commands.

  -name NAME  the name to take; one is invented unless given

Exit status: 0 the connection ended with 1000, 1001 or 1005; 1 bad usage or no connection;
2 it was lost without a close frame (1006); 3 it was closed for any other reason.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal stops the client; a second one has its usual effect.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs the client in a terminal and returns the exit status.
func run(ctx context.Context, args []string, in io.Reader, out, problems io.Writer) int {
	f := flag.NewFlagSet("wasm", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	name := f.String("name", inventName(), "")
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, terminalUsage)
		return 0
	}
	if err == nil && f.NArg() != 1 {
		err = fmt.Errorf("one URL is needed, not %d; for example: wasm ws://127.0.0.1:8080/ws", f.NArg())
	}
	if err == nil {
		*name, err = chat.CleanName(*name)
	}
	if err != nil {
		fmt.Fprintln(problems, "wasm: "+err.Error())
		return 1
	}

	c := newClient(newLink(f.Arg(0), false), &terminal{out: out, problems: problems}, *name)
	// This goroutine cannot be stopped while it reads a line; it ends with the input or the
	// process.
	go readLines(in, c)
	return exitStatus(c.run(ctx))
}

// exitStatus returns the status that doc.go describes.
func exitStatus(err error) int {
	reason, ok := errors.AsType[*errors.ConnectionClosed](err)
	switch {
	case !ok:
		return 1
	case reason.Reason.Normal():
		return 0
	case reason.Reason == errors.AbnormalClosure:
		return 2
	}
	return 3
}

// readLines passes the typed lines to the client, and asks it to quit at the end.
func readLines(in io.Reader, c *client) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, chat.MaxMessageSize)
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		command, err := chat.ParseLine(lines.Text())
		if err != nil {
			c.complain(err)
			continue
		}
		c.ask(command)
	}
	if err := lines.Err(); err != nil {
		c.complain(fmt.Errorf("cannot read the input any further: %w", err))
	}
	c.ask(chat.Command{Verb: chat.VerbQuit})
}

// terminal is the view of a client as lines of text: messages and events go to
// out, problems to problems.
type terminal struct{ out, problems io.Writer }

func (t *terminal) show(s *state) {
	for _, e := range s.fresh(s.take().entries) {
		w := t.out
		if e.kind == problem {
			w = t.problems
		}
		// Texts from strangers must not control the terminal.
		fmt.Fprintln(w, e.time.Format("15:04:05"), chat.Printable(e.line()))
	}
}
