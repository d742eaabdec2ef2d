//go:build !js

package apidoc_test

import (
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../.."

// packages are the folders of the packages that users import. Each value maps a function or type
// without its own example to the reason.
var packages = map[string]map[string]string{
	".": {
		"Attempt":          shownBy("ExampleConnections"),
		"Down":             shownBy("ExampleConnections"),
		"ReconnectOptions": shownBy("ExampleConnections"),
		"DialOptions":      shownBy("ExampleDial"),
		"NewClient":        shownBy("ExampleClient"),
		"ClientOptions":    shownBy("ExampleClient"),
		"Overflow":         "a set of constants; ExampleOutbox sets one",
		"Phase":            "a set of constants; ExampleClient_Changes compares them",
		"State":            "the value that ExampleClient_Changes receives",
	},
	"errors": {
		"As":     standard,
		"Join":   standard,
		"New":    standard,
		"Unwrap": standard,
	},
	"server": {
		"Bucket":           "a part of Histogram",
		"Closing":          "the keys of Stats.Closed; ExampleEndpoint_Stats ranges over them",
		"ConnectionResult": shownBy("ExampleObserver"),
		"DrainError":       "the error of Drain and Stop, which a program logs",
		"DrainOptions":     shownBy("ExampleStop"),
		"HandshakeResult":  shownBy("ExampleObserver"),
		"Histogram":        "the type of three fields of Stats",
		"Stats":            shownBy("ExampleEndpoint_Stats"),
		"Traffic":          "the type of Stats.Received; ExampleEndpoint_Stats prints one",
	},
	"server/http2": {},
	"server/otel": {
		"Options": shownBy("ExampleNewObserver"),
	},
	"server/prometheus": {
		"Collector":    "what NewCollector returns, whose methods a registry calls",
		"HubCollector": "what NewHubCollector returns, whose methods a registry calls",
	},
	"ws": {
		"NewConn":     "for authors of transports: ExampleTransport in ws/driver",
		"Compression": "set in the options of Dial and of a server; docs/options.md lists its fields",
		"Kind":        "a set of constants; ExampleMessage compares them",
		"Prepared":    "the value that ExamplePrepare sends",
	},
	"ws/driver": {
		"Addresser":          optional,
		"ArrivalCounter":     optional,
		"BackgroundReceiver": optional,
		"DepartureCounter":   optional,
		"Failer":             optional,
		"LatencyMeter":       optional,
		"MessageReader":      "what a StreamReceiver returns; ExampleReaderOf reads from one",
		"MessageWriter":      optional,
		"PingSender":         optional,
		"Pinger":             optional,
		"PreparedSender":     optional,
		"Responder":          optional,
		"StreamReceiver":     optional,
		"StreamSender":       optional,
		"TLSReporter":        optional,
		"TryPreparedSender":  optional,
		"TrySender":          optional,
		"WaitChecker":        optional,
		"Kind":               "a set of constants; ExampleInbox uses one",
		"Message":            shownBy("ExampleInbox"),
		"Prepared":           shownBy("ExampleForm"),
	},
	"hub": {
		"Engine":         engines,
		"Entry":          shownBy("ExampleFormat"),
		"Gap":            shownBy("ExampleHub_Since"),
		"JoinOptions":    shownBy("ExampleHub_Join"),
		"Keep":           engines,
		"LimitError":     shownBy("ExampleLimits"),
		"MakePosition":   engines,
		"Memory":         "what ExampleNewMemory makes",
		"MemoryOptions":  shownBy("ExampleNewMemory"),
		"Options":        shownBy("ExampleLimits"),
		"Position":       shownBy("ExampleFormat"),
		"Presence":       "the value that ExampleHub_Present prints",
		"PublishOptions": shownBy("ExampleRules"),
		"SlowPolicy":     "a set of constants; ExampleRules sets one",
		"Stats":          shownBy("ExampleTrace"),
		"Subscriber":     engines,
		"Subscription":   engines,
	},
	"hub/topic": {
		"Gap":            shownBy("ExampleSubscription_Receive"),
		"Message":        "what ExampleSubscription_Receive prints",
		"Options":        shownBy("ExampleNewClient"),
		"Position":       shownBy("ExampleSubscription_Position"),
		"Presence":       "what ExampleSubscription_Present prints",
		"PublishOptions": shownBy("ExampleClient_Publish"),
		"RefusedError":   shownBy("ExampleClient_Subscribe"),
	},
	"hub/topicserver": {
		"Access":  shownBy("ExampleNew"),
		"Grant":   shownBy("ExampleNew"),
		"Member":  shownBy("ExampleNew"),
		"Options": "options of server.Handler, and two limits",
		"Refusal": shownBy("ExampleNew"),
		"Who":     shownBy("ExampleNew"),
	},
	"hub/nats": {
		"KeepError": "the error of a misconfigured topic, which a program logs",
		"Status":    "what ExampleEngine_Status prints",
		"Trace":     shownBy("ExampleOptions_trace"),
	},
	"ws/netconn": {},
	"ws/wsjson": {
		"Closer":   "an interface that connections implement; users implement it in tests only",
		"Receiver": "an interface that connections implement; users implement it in tests only",
		"Sender":   "an interface that connections implement; users implement it in tests only",
	},
}

const (
	standard = "the standard library's function, and documented there"
	optional = "an optional interface of one or two methods"
	engines  = "for authors of engines: package enginetest shows its use"
	shown    = "shown by "
)

// shownBy is the reason of a name that the example of another one uses; the test checks
// that it does.
func shownBy(example string) string { return shown + example }

// load returns the documentation of the package in folder, its examples by name, the positions of
// its files, and whether a comment for the package is in its doc.go. Both targets' files count.
func load(t *testing.T, folder string) (*doc.Package, map[string]*ast.FuncDecl, *token.FileSet, bool) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	examples := map[string]*ast.FuncDecl{}
	documented := false
	for _, path := range paths {
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(path, "_test.go") {
			files = append(files, f)
			documented = documented || filepath.Base(path) == "doc.go" && f.Doc != nil
			continue
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Example") {
				examples[fn.Name.Name] = fn
			}
		}
	}
	if len(files) == 0 {
		t.Fatalf("%s has no Go files", folder)
	}
	p, err := doc.NewFromFiles(fset, files, folder)
	if err != nil {
		t.Fatal(err)
	}
	return p, examples, fset, documented
}

// has reports whether one of the examples is for name, or for a method of it.
func has(examples map[string]*ast.FuncDecl, name string) bool {
	for example := range examples {
		if example == "Example"+name || strings.HasPrefix(example, "Example"+name+"_") {
			return true
		}
	}
	return false
}

// mentions reports whether the code of fn names name.
func mentions(fn *ast.FuncDecl, name string) bool {
	found := false
	ast.Inspect(fn, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == name {
			found = true
		}
		return !found
	})
	return found
}

func TestUsersNamesHaveExamples(t *testing.T) {
	t.Parallel()
	for folder, exceptions := range packages {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			p, examples, _, _ := load(t, folder)
			names := map[string]bool{}
			for _, f := range p.Funcs {
				names[f.Name] = true
			}
			for _, typ := range p.Types {
				names[typ.Name] = true
				for _, f := range typ.Funcs {
					names[f.Name] = true
				}
			}
			for name := range names {
				reason, excepted := exceptions[name]
				switch {
				case has(examples, name) && excepted:
					t.Errorf("%s.%s has an example: remove its exception", p.Name, name)
				case !has(examples, name) && !excepted:
					t.Errorf("%s.%s has no example", p.Name, name)
				case strings.HasPrefix(reason, shown):
					example := strings.TrimPrefix(reason, shown)
					if fn := examples[example]; fn == nil || !mentions(fn, name) {
						t.Errorf("%s does not show %s.%s", example, p.Name, name)
					}
				}
			}
			for name := range exceptions {
				if !names[name] {
					t.Errorf("the exception %s.%s is no exported function or type", p.Name, name)
				}
			}
		})
	}
}

// interfaces are methods of interfaces of other packages. Programs rarely call them directly.
var interfaces = map[string]bool{
	"Error": true, "Is": true, "Unwrap": true, "String": true, "MarshalText": true, "UnmarshalText": true,
	"ServeHTTP": true, "Describe": true, "Collect": true,
}

// unshown maps methods to the reason for which no example has to call them.
var unshown = map[string]map[string]string{
	".": {
		"Client.Messages": "as Conn.Messages of package ws, which has an example",
		"Client.Probe":    probe,
	},
	"hub": {
		"Hub.FollowPresence": "WatchPresence, which has an example, for a function",
		"Hub.Position":       "the position of a topic; ExampleHub_Join uses one",
		"Membership.Pause":   "stops messages; it has no arguments and no result",
		"Membership.Resume":  "ends a Pause",
		"Membership.Leave":   "ends a membership; it has no arguments and no result",
		"Membership.SetInfo": "replaces the info of JoinOptions",
		"Memory.Present":     bus,
		"Memory.Since":       bus,
		"Memory.Subscribe":   bus,
	},
	"hub/nats": {
		"Engine.Present":   bus,
		"Engine.Since":     bus,
		"Engine.Subscribe": bus,
	},
	"hub/topic": {
		"Subscription.Leave":    shownBy("ExampleNewClient"),
		"Subscription.Messages": shownBy("ExampleNewClient"),
	},
	"server": {
		"Histogram.Quantile": "an estimate from the counts of a Histogram",
	},
	"ws": {
		"Conn.AfterEnd":     "registers a function; for packages that manage connections",
		"Conn.Probe":        probe,
		"Conn.SendPrepared": shownBy("ExamplePrepare"),
		"Heartbeat.Check":   "for authors of transports",
		"Message.Check":     "for authors of transports",
	},
	"ws/driver": {
		"Inbox.Clear":      "ends a queue; it has no arguments and no result",
		"Message.Into":     "copies a message, as ReceiveInto of package ws does",
		"Prepared.Prepare": shownBy("ExampleForm"),
	},
}

const (
	bus   = "a method that package hub calls"
	probe = "starts a heartbeat; it has no arguments and no result"
)

// shownGetters are getters with a meaning that their names do not give. They need an example, too.
var shownGetters = map[string]bool{
	"Client.Changes": true, "CloseReason.Normal": true, "CloseReason.Retryable": true, "CloseReason.Sendable": true,
	"Conn.TryReceive": true,
}

// isGetter reports whether fn only returns values: it has results and no parameters.
func isGetter(fn *ast.FuncDecl) bool {
	return fn.Type.Params.NumFields() == 0 && fn.Type.Results.NumFields() > 0
}

// TestMethodsHaveExamples checks that an example calls each exported method, except most getters
// and those in interfaces and unshown. An example of the type, of one of its methods, or of a function
// that returns the type counts.
func TestMethodsHaveExamples(t *testing.T) {
	t.Parallel()
	for folder := range packages {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			p, examples, _, _ := load(t, folder)
			excepted := maps.Clone(unshown[folder])
			for _, typ := range p.Types {
				names := []string{typ.Name}
				for _, f := range typ.Funcs {
					names = append(names, f.Name)
				}
				for _, m := range typ.Methods {
					name := typ.Name + "." + m.Name
					if interfaces[m.Name] || isGetter(m.Decl) && !shownGetters[name] {
						continue
					}
					reason, ok := excepted[name]
					delete(excepted, name)
					example, isShown := strings.CutPrefix(reason, shown)
					switch called := calls(examples, names, m.Name); {
					case called && ok:
						t.Errorf("an example calls %s.%s: remove its exception", p.Name, name)
					case !called && !ok:
						t.Errorf("no example calls %s.%s", p.Name, name)
					case isShown && (examples[example] == nil || !mentions(examples[example], m.Name)):
						t.Errorf("%s does not call %s.%s", example, p.Name, name)
					}
				}
			}
			for name := range excepted {
				t.Errorf("the exception %s.%s is not an exported method that needs an example", p.Name, name)
			}
		})
	}
}

// calls reports whether an example of one of names, or of a method of it, mentions method.
func calls(examples map[string]*ast.FuncDecl, names []string, method string) bool {
	for example, fn := range examples {
		for _, name := range names {
			if (example == "Example"+name || strings.HasPrefix(example, "Example"+name+"_")) && mentions(fn, method) {
				return true
			}
		}
	}
	return false
}

// TestExportedNamesHaveComments includes methods, constants, variables and the fields of structs. A
// comment before a group of them counts for all of the group.
func TestExportedNamesHaveComments(t *testing.T) {
	t.Parallel()
	for folder := range packages {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			p, _, fset, documented := load(t, folder)
			if !documented {
				t.Errorf("%s has no doc.go with a comment for the package", folder)
			}
			check := func(name, comment string) {
				if strings.TrimSpace(comment) == "" {
					t.Errorf("%s.%s has no doc comment", p.Name, name)
				}
			}
			values := func(groups []*doc.Value) {
				for _, g := range groups {
					for _, spec := range g.Decl.Specs {
						s := spec.(*ast.ValueSpec)
						check(s.Names[0].Name, g.Doc+s.Doc.Text()+s.Comment.Text())
					}
				}
			}
			functions := func(prefix string, fs []*doc.Func) {
				for _, f := range fs {
					check(prefix+f.Name, f.Doc)
				}
			}
			values(p.Consts)
			values(p.Vars)
			functions("", p.Funcs)
			for _, typ := range p.Types {
				check(typ.Name, typ.Doc)
				values(typ.Consts)
				values(typ.Vars)
				functions("", typ.Funcs)
				functions(typ.Name+".", typ.Methods)
				s, ok := typ.Decl.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType)
				if !ok {
					continue
				}
				comment, last := "", 0
				for _, field := range s.Fields.List {
					// A field shares the comment of the one on the line before it.
					own := field.Doc.Text() + field.Comment.Text()
					if own != "" || fset.Position(field.Pos()).Line != last+1 {
						comment = own
					}
					last = fset.Position(field.End()).Line
					for _, name := range field.Names {
						check(typ.Name+"."+name.Name, comment)
					}
				}
			}
		})
	}
}

// TestEveryPublicPackageIsHeld finds a package that users can import and that the list lacks.
func TestEveryPublicPackageIsHeld(t *testing.T) {
	t.Parallel()
	other := map[string]string{
		"cmd/isosocket":  "a program",
		"wasm":           "a program",
		"e2e":            "tests",
		"ws/wstest":      "for authors of transports",
		"ws/wstest/peer": "for authors of transports",
		"hub/enginetest": "for authors of engines",
	}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		folder, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		folder = filepath.ToSlash(folder)
		name := d.Name()
		if folder != "." && (name == "internal" || name == "testdata" || name == "bin" || name == "bench" || name == "examples" || name[0] == '.' && name != "..") {
			return filepath.SkipDir
		}
		p, err := build.ImportDir(path, 0)
		if p == nil || err != nil || p.Name == "main" {
			return nil
		}
		if packages[folder] == nil && other[folder] == "" {
			t.Errorf("package %s is not in the list", folder)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
