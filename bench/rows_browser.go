package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/isosocket/isosocket/bench/internal/browser"
	"github.com/isosocket/isosocket/bench/internal/load"
	"github.com/isosocket/isosocket/bench/internal/report"
)

// The baselines of the browser rows.
const (
	javascript = "javascript" // a page without WebAssembly
	emptyGo    = "empty"      // a Go program that does nothing
)

// browserRows returns the rows whose clients run in a browser.
var browserRows = []*row{
	{
		id: "m", title: "browser: size of a client that dials, sends, receives and closes, gzip -9",
		short: "browser, size", unit: "programs", about: "gzip",
		peers: []string{emptyGo, own, "coder"}, baselines: []string{emptyGo}, once: true,
		cases: []scenario{{name: "WebAssembly", run: weigh}},
		bars: func(r *report.Result) []report.Check {
			return []report.Check{bar{figure: report.BundleKB, name: "size", limit: 0.62}.check(&r.Cases[0])}
		},
	},
	{
		id: "x", title: "browser: the client of row m is loaded over 10 Mbit/s, and again, until it is ready to run",
		short: "browser, loading", unit: "programs", about: "first load",
		peers: []string{own},
		cases: []scenario{
			loads("arrayBuffer, not compressed, no-store", browser.Loading{Caching: "no-store"}),
			loads("instantiateStreaming", browser.Loading{Streaming: true, Caching: "no-store"}),
			loads("and gzip", browser.Loading{Streaming: true, Coding: "gzip", Caching: "no-store"}),
			loads("and brotli", browser.Loading{Streaming: true, Coding: "br", Caching: "no-store"}),
			loads("and no-cache with an ETag", browser.Loading{Streaming: true, Coding: "br", Caching: "no-cache"}),
			loads("and immutable", browser.Loading{Streaming: true, Coding: "br", Caching: "public, max-age=31536000, immutable"}),
		},
		bars: func(r *report.Result) []report.Check { return nil },
	},
	{
		id: "n", title: "browser: echo of 64 B",
		short: "browser, echo 64 B", unit: "messages", about: "rate",
		peers: []string{javascript, own, "coder"}, baselines: []string{javascript},
		cases: []scenario{
			browses("one in flight", browser.Job{Size: small, Depth: 1}),
			browses("10,000 in flight", browser.Job{Size: small, Depth: 10_000, Burst: true}),
		},
		bars: func(r *report.Result) []report.Check {
			return []report.Check{
				bar{figure: report.Rate, name: "rate", than: javascript, limit: 0.95, least: true}.check(&r.Cases[0]),
				bar{figure: report.Rate, name: "rate", limit: 1.5, least: true}.check(&r.Cases[1]),
				bar{figure: report.Rate, name: "rate", than: javascript, limit: 0.75, least: true}.check(&r.Cases[1]),
			}
		},
	},
	{
		id: "o", title: "browser: echo of 1 MiB, 4 in flight",
		short: "browser, echo 1 MiB", unit: "messages", about: "rate",
		peers: []string{javascript, own, "coder"}, baselines: []string{javascript},
		cases: []scenario{browses("4 in flight", browser.Job{Size: 1 << 20, Depth: 4})},
		bars:  hold(bar{figure: report.Rate, name: "rate", than: javascript, limit: 0.8, least: true}),
	},
}

// loads returns a scenario of the client of row m that is loaded twice, over 10 Mbit/s.
func loads(name string, how browser.Loading) scenario {
	how.Rate = 10_000_000 / 8
	return scenario{name: name, run: func(m *measurement) (report.Figures, error) {
		b, err := browser.Find(m.browser)
		if err != nil {
			return report.Figures{}, err
		}
		body, err := m.encoded(m.name, how.Coding)
		if err != nil {
			return report.Figures{}, err
		}
		took, err := browser.Load(b, body, how)
		return report.Figures{
			SentKB:      float64(took.Sent) / 1000,
			FirstMillis: float64(took.First.Microseconds()) / 1000,
			AgainMillis: float64(took.Again.Microseconds()) / 1000,
		}, err
	}}
}

func weigh(m *measurement) (report.Figures, error) {
	program, err := browser.Build("./wasm/size/" + m.name)
	if err != nil {
		return report.Figures{}, err
	}
	n, err := browser.Gzipped(program)
	return report.Figures{BundleKB: float64(n) / 1000}, err
}

// browses returns a scenario for clients in a browser.
func browses(name string, j browser.Job) scenario {
	return scenario{name: name, run: func(m *measurement) (report.Figures, error) {
		b, err := browser.Find(m.browser)
		if err != nil {
			return report.Figures{}, err
		}
		var program []byte
		if m.name != javascript {
			if program, err = m.program(m.name); err != nil {
				return report.Figures{}, err
			}
		}
		payload := make([]byte, j.Size)
		for i := range payload {
			payload[i] = byte(i)
		}
		server, err := load.Answer(payload)
		if err != nil {
			return report.Figures{}, err
		}
		defer server.Close()
		j := j
		j.URL = "ws://" + server.Address()
		// A browser still optimizes code after a second.
		j.Warmup, j.Duration = 15*m.warmup, max(m.window, 500*time.Millisecond)
		rate, err := browser.Run(b, program, &j)
		if err != nil && server.Err() != nil {
			err = fmt.Errorf("%w; the server: %w", err, server.Err())
		}
		return report.Figures{Rate: rate}, err
	}}
}

// programs holds the compiled browser clients by implementation.
type programs struct {
	mu    sync.Mutex
	built map[string][]byte
	coded map[string][]byte // those of row m, by implementation and coding
}

// encoded returns the program of row m in a coding of HTTP.
func (p *programs) encoded(name, coding string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := name + " " + coding
	if b, ok := p.coded[key]; ok {
		return b, nil
	}
	b, err := browser.Build("./wasm/size/" + name)
	if err == nil {
		b, err = browser.Encode(b, coding)
	}
	if err != nil {
		return nil, err
	}
	if p.coded == nil {
		p.coded = map[string][]byte{}
	}
	p.coded[key] = b
	return b, nil
}

func (p *programs) program(name string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b, ok := p.built[name]; ok {
		return b, nil
	}
	b, err := browser.Build("./wasm/load/" + name)
	if err != nil {
		return nil, err
	}
	if p.built == nil {
		p.built = map[string][]byte{}
	}
	p.built[name] = b
	return b, nil
}
