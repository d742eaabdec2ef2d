//go:build !js

package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/isosocket/isosocket/errors"
)

// newFlags returns an empty flag set for a command. In the usage text,
// synopsis follows the command's name, and explanation follows the flags.
func newFlags(command, synopsis, explanation string) *flag.FlagSet {
	f := flag.NewFlagSet(command, flag.ContinueOnError)
	f.SetOutput(io.Discard) // parse reports errors, in one line
	f.Usage = func() {
		w := f.Output()
		fmt.Fprintf(w, "usage: isosocket %s %s\n\n", command, synopsis)
		f.PrintDefaults()
		fmt.Fprintf(w, "\n%s", explanation)
	}
	return f
}

// parse parses args, in which flags may also follow other arguments, and returns the other
// arguments. If ok is false, the command ends with status.
func (t terminal) parse(f *flag.FlagSet, args []string) (rest []string, status int, ok bool) {
	for {
		switch err := f.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			f.SetOutput(t.out)
			f.Usage()
			return nil, exitDone, false
		case err != nil:
			return nil, t.fail(f.Name(), err.Error()+"; isosocket help "+f.Name()+" lists the flags"), false
		}
		if f.NArg() == 0 {
			return rest, 0, true
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
}

// fail writes the error on one line and returns the exit status.
func (t terminal) fail(command, what string) int {
	fmt.Fprintln(t.err, strings.TrimRight("isosocket "+command, " ")+": "+what)
	return exitFailed
}

func quote(s string) string { return strconv.Quote(s) }

// size is a flag for a number of bytes, such as 65536, 64KiB or 1MiB.
type size int

func (s *size) String() string {
	n := int(*s)
	for _, unit := range []struct {
		name  string
		bytes int
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= unit.bytes && n%unit.bytes == 0 {
			return strconv.Itoa(n/unit.bytes) + unit.name
		}
	}
	return strconv.Itoa(n)
}

func (s *size) Set(value string) error {
	number, factor := value, uint64(1)
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if before, found := strings.CutSuffix(value, unit); found {
			number, factor = before, 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || n == 0 || n*factor > math.MaxInt32 {
		return errors.New("a size must be a number of bytes from 1 to 2147483647, or one followed by KiB, MiB or GiB")
	}
	*s = size(n * factor)
	return nil
}

// span is a flag for a duration. It may be negative only if that has a meaning.
type span struct {
	time.Duration
	allowNegative bool
}

func (s *span) Set(value string) error {
	d, err := time.ParseDuration(value)
	if err != nil {
		return errors.New("a duration must be a number with a unit, such as 500ms, 10s or 2m")
	}
	if d < 0 && !s.allowNegative {
		return errors.New("the duration may not be negative")
	}
	s.Duration = d
	return nil
}

// list is a flag that may be given more than once, with values separated by commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(value string) error {
	for item := range strings.SplitSeq(value, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			return errors.New("an item between the commas is empty")
		}
		*l = append(*l, item)
	}
	return nil
}

// header is a flag that may be given more than once, each a "Name: value".
type header http.Header

func (h header) String() string { return "" }

func (h header) Set(value string) error {
	name, content, found := strings.Cut(value, ":")
	name = strings.TrimSpace(name)
	if !found || name == "" || strings.ContainsAny(name, " \t") {
		return errors.New(`a header must look like "Name: value"`)
	}
	http.Header(h).Add(name, strings.TrimSpace(content))
	return nil
}
