//go:build !js

package options_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/hub/topic"
	"github.com/isosocket/isosocket/hub/topicserver"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// documented lists the structs of options whose fields docs/options.md lists.
var documented = []reflect.Type{
	reflect.TypeFor[isosocket.DialOptions](),
	reflect.TypeFor[isosocket.NativeOptions](),
	reflect.TypeFor[isosocket.ReconnectOptions](),
	reflect.TypeFor[isosocket.ClientOptions](),
	reflect.TypeFor[isosocket.Outbox](),
	reflect.TypeFor[ws.Heartbeat](),
	reflect.TypeFor[ws.Compression](),
	reflect.TypeFor[ws.Config](),
	reflect.TypeFor[server.Options](),
	reflect.TypeFor[server.Limits](),
	reflect.TypeFor[server.DrainOptions](),
	reflect.TypeFor[hub.Options](),
	reflect.TypeFor[hub.Rules](),
	reflect.TypeFor[hub.Limits](),
	reflect.TypeFor[hub.JoinOptions](),
	reflect.TypeFor[hub.PublishOptions](),
	reflect.TypeFor[hub.MemoryOptions](),
	reflect.TypeFor[topicserver.Options](),
	reflect.TypeFor[topic.Options](),
	reflect.TypeFor[topic.SubscribeOptions](),
	reflect.TypeFor[topic.PublishOptions](),
}

// TestEveryOptionHasATest checks that documented and negative have the same structs.
func TestEveryOptionHasATest(t *testing.T) {
	for _, options := range documented {
		if negative[options] == nil {
			t.Errorf("negative lacks %v", options)
		}
	}
	if len(documented) != len(negative) {
		t.Errorf("%d structs are documented, and %d follow the rule of options", len(documented), len(negative))
	}
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

// namedOptions returns the options that the tables of page name, as "DialOptions.SendBuffer". A
// field without its struct belongs to the last struct before it in its cell, or else to the one
// in the head of its column.
func namedOptions(page string) map[string]bool {
	name := regexp.MustCompile(`^(?:([A-Z]\w*)\.)?([A-Z]\w*)$`)
	named := map[string]bool{}
	var head []string
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "|") {
			head = nil
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if head == nil {
			head = make([]string, len(cells))
			for i, cell := range cells {
				if m := regexp.MustCompile("^`[a-z]+\\.(\\w*Options)`$").FindStringSubmatch(strings.TrimSpace(cell)); m != nil {
					head[i] = m[1]
				}
			}
			continue
		}
		for i, cell := range cells[:min(len(cells), len(head))] {
			owner := head[i]
			for _, span := range codeSpan.FindAllStringSubmatch(cell, -1) {
				m := name.FindStringSubmatch(span[1])
				if m == nil {
					continue
				}
				if m[1] != "" {
					owner = m[1]
				}
				if owner != "" { // else the cell is an explanation or a default
					named[owner+"."+m[2]] = true
				}
			}
		}
	}
	return named
}

// TestPageOfOptionsIsComplete compares docs/options.md with the structs, in both directions.
func TestPageOfOptionsIsComplete(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("../../..", "docs/options.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := namedOptions(string(page))
	known := maps.Clone(named) // structs of two packages may have the same name
	structs := map[string]bool{}
	for _, options := range documented {
		structs[options.Name()] = true
		for field := range options.Fields() {
			option := options.Name() + "." + field.Name
			if field.IsExported() && !known[option] {
				t.Errorf("docs/options.md does not list %v.%s", options, field.Name)
			}
			delete(named, option)
		}
	}
	for option := range named {
		if owner, _, _ := strings.Cut(option, "."); structs[owner] {
			t.Errorf("docs/options.md lists %s, which does not exist", option)
		}
	}
}
