package main

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/isosocket/isosocket/internal/testing/section"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	document := flag.String("document", "", "file to write the table to, between its marks")
	only := flag.String("peers", ".", "pattern of the names of the peers")
	modules := flag.String("modules", "../bin/interop", "folder of the npm packages")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	var lines []line
	add := func(peer, version, role string, results row) {
		l := line{peer, version, role, results}
		lines = append(lines, l)
		text, _ := table([]line{l}, nil)
		fmt.Print(strings.SplitAfterN(text, "\n", 5)[3])
	}
	for _, p := range goPeers() {
		if !pattern.MatchString(p.name) {
			continue
		}
		results, err := goServer(ctx, p)
		if err != nil {
			return err
		}
		add(p.name, moduleVersion(p.module), "server", results)
		add(p.name, moduleVersion(p.module), "client", asServer(ctx, p.client))
	}
	found, missing := programs("interop/peers", *modules, engine)
	for _, p := range found {
		if !pattern.MatchString(p.name) {
			continue
		}
		if p.server != nil {
			url, stop, err := p.startServer(ctx)
			if err != nil {
				return err
			}
			add(p.name, p.version, "server", asClient(ctx, url))
			stop()
		}
		add(p.name, p.version, "client", asServer(ctx, p.runClient))
	}
	between, absent := proxies(engine)
	for _, p := range between {
		if !pattern.MatchString(p.name) {
			continue
		}
		s := httptest.NewServer(echoServer())
		url, stop, err := p.start(ctx, s.Listener.Addr().String())
		if err != nil {
			s.Close()
			return err
		}
		add(p.name, proxyVersion(p), "proxy", asClient(ctx, url))
		stop()
		s.CloseClientConnections()
		s.Close()
	}
	text, wrong := table(lines, append(missing, absent...))
	if *document != "" {
		if err := section.Write(*document, begin, end, text); err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d cells are not as interop/faults.go says:\n%s", len(wrong), strings.Join(wrong, "\n"))
	}
	return ctx.Err()
}

func goServer(ctx context.Context, p goPeer) (row, error) {
	url, stop, err := p.server(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	return asClient(ctx, url), nil
}

// engine returns the path of an engine or a proxy, "" if there is none.
func engine(name string) string {
	script := "../scripts/engine.sh"
	switch name {
	case "nginx", "haproxy", "caddy":
		script = "../scripts/proxy.sh"
	}
	out, err := exec.Command("sh", script, "--no-install", name).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// moduleVersion returns the version of a module that this program is built from.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "?"
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return strings.TrimPrefix(m.Version, "v")
		}
	}
	return "?"
}
