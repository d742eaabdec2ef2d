package chat

import (
	"strconv"
	"strings"

	"github.com/isosocket/isosocket/errors"
)

// Verb says what a typed line asks for.
type Verb uint8

// The verbs, with the line that a person types for each.
const (
	VerbSay       Verb = iota + 1 // a line that begins without a slash, or with two
	VerbRename                    // /name NAME
	VerbWho                       // /who
	VerbRoundTrip                 // /rtt
	VerbClose                     // /close [server] [REASON] [MESSAGE]
	VerbDrop                      // /drop
	VerbReconnect                 // /reconnect
	VerbQuit                      // /quit
	VerbHelp                      // /help
)

// Command is what a person asked for by a line.
type Command struct {
	Verb   Verb
	Text   string             // of VerbSay and VerbClose, and the name of VerbRename
	Reason errors.CloseReason // of VerbClose
	Server bool               // of VerbClose: the server closes, not this side
}

// Help lists the lines that [ParseLine] understands.
const Help = `type a line to say it, or:
  /name NAME                          take another name
  /who                                who is here
  /rtt                                how long messages travel
  /close [server] [REASON] [MESSAGE]  close; "server" asks the server to do it; REASON is 1000 unless given
  /drop                               have the server cut the link without a word
  /reconnect                          connect again
  /quit                               close with 1000 and leave
  //…                                 say a line that begins with a slash`

// ParseLine reads one typed line. An error says what is wrong with it and what
// is allowed.
func ParseLine(line string) (Command, error) {
	line = strings.TrimSpace(line)
	switch {
	case strings.HasPrefix(line, "//"):
		line = line[1:]
		fallthrough
	case !strings.HasPrefix(line, "/"):
		text, err := CleanText(line)
		return Command{Verb: VerbSay, Text: text}, err
	}
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	plain := map[string]Verb{
		"/who": VerbWho, "/rtt": VerbRoundTrip, "/drop": VerbDrop,
		"/reconnect": VerbReconnect, "/quit": VerbQuit, "/help": VerbHelp,
	}
	switch verb, ok := plain[word]; {
	case ok && rest != "":
		return Command{}, errors.New(word + " takes no arguments, but has " + strconv.Quote(rest))
	case ok:
		return Command{Verb: verb}, nil
	case word == "/name":
		name, err := CleanName(rest)
		return Command{Verb: VerbRename, Text: name}, err
	case word == "/close":
		return parseClose(rest)
	}
	return Command{}, errors.New("unknown command " + quote(word) + "; /help lists the known ones")
}

func parseClose(rest string) (Command, error) {
	c := Command{Verb: VerbClose, Reason: errors.NormalClosure}
	word, after, _ := strings.Cut(rest, " ")
	if word == "server" {
		c.Server = true
		rest = strings.TrimSpace(after)
		word, after, _ = strings.Cut(rest, " ")
	}
	if word != "" && word[0] >= '0' && word[0] <= '9' {
		reason, err := ParseReason(word)
		if err != nil {
			return Command{}, err
		}
		c.Reason, rest = reason, strings.TrimSpace(after)
	}
	c.Text = rest
	return c, nil
}

// ParseReason reads the number of a close reason that may be sent.
func ParseReason(s string) (errors.CloseReason, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || !errors.CloseReason(n).Sendable() {
		return 0, errors.New("the close reason " + quote(s) + " may not be sent; allowed are 1000-1003, 1007-1014, 3000-3900 and 3915-4999")
	}
	return errors.CloseReason(n), nil
}
