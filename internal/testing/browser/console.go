//go:build !js

package browser

import (
	"encoding/json"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/runtime"
)

// exceptionKind marks the entries of a console that are uncaught exceptions.
const exceptionKind = "exception"

// console records the console of a page. It is safe for concurrent use.
type console struct {
	mu      sync.Mutex
	entries []consoleEntry
}

type consoleEntry struct{ kind, text string }

func (c *console) add(kind, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = append(c.entries, consoleEntry{kind, text})
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) == 0 {
		return "(empty)"
	}
	var b strings.Builder
	for _, e := range c.entries {
		b.WriteString(e.kind + ": " + e.text + "\n")
	}
	return b.String()
}

func (c *console) exceptions() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var texts []string
	for _, e := range c.entries {
		if e.kind == exceptionKind {
			texts = append(texts, e.text)
		}
	}
	return texts
}

// consoleText formats the arguments of a console call for a reader.
func consoleText(args []*runtime.RemoteObject) string {
	texts := make([]string, len(args))
	for i, arg := range args {
		texts[i] = objectText(arg)
	}
	return strings.Join(texts, " ")
}

func objectText(object *runtime.RemoteObject) string {
	var s *string
	switch {
	case len(object.Value) > 0 && json.Unmarshal(object.Value, &s) == nil && s != nil: // JSON's null decodes into a string, too
		return *s
	case len(object.Value) > 0:
		return string(object.Value)
	case object.UnserializableValue != "":
		return string(object.UnserializableValue)
	case object.Description != "":
		return object.Description
	}
	return string(object.Type)
}

func exceptionText(details *runtime.ExceptionDetails) string {
	if details.Exception == nil {
		return details.Text
	}
	return details.Text + " " + objectText(details.Exception)
}
