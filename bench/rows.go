package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/isosocket/isosocket/bench/internal/load"
	"github.com/isosocket/isosocket/bench/internal/peer"
	"github.com/isosocket/isosocket/bench/internal/process"
	"github.com/isosocket/isosocket/bench/internal/report"
	"github.com/isosocket/isosocket/bench/internal/wire"
)

// small is the size of a small message.
const small = 64

// rows are all rows of the table.
var rows = []*row{
	{
		id: "a", title: "server: echo of 64 B, one message in flight on each connection",
		short: "server, echo 64 B", unit: "messages", about: "CPU",
		cases: []scenario{echoes("1 connection", process.Task{Size: small}, 1, 1), echoes("64 connections", process.Task{Size: small}, 64, 1)},
		bars:  hold(cpuOfBest, cpuOfTCP, p99OfBest),
	},
	{
		id: "b", title: "server: echo of 64 B, 64 connections, 32 in flight on each",
		short: "server, echo 64 B", unit: "messages", about: "rate",
		cases: []scenario{echoes("64 x 32", process.Task{Size: small}, 64, 32)},
		bars:  hold(eightTimesBest, rateOfTCP),
	},
	{
		id: "c", title: "server: echo of 64 KiB, 8 connections",
		short: "server, echo 64 KiB", unit: "messages", about: "CPU",
		cases: []scenario{echoes("8 connections", process.Task{Size: 64 << 10}, 8, 1)},
		bars:  hold(cpuOfBest, cpuOfTCP),
	},
	{
		id: "d", title: "server: sends messages of 64 B as fast as it can",
		short: "server, push 64 B", unit: "messages", about: "rate",
		cases: []scenario{pushes("1 reader", 1), pushes("16 readers", 16)},
		bars:  hold(eightTimesBest),
	},
	{
		id: "e", title: "server: one message of 512 B to 5,000 connections, 100 times",
		short: "server, broadcast 512 B", unit: "messages", about: "CPU",
		cases: []scenario{
			broadcasts("plain", wire.None, 100, 1),
			broadcasts("permessage-deflate", wire.Isolated, 100, 1),
			broadcasts("plain, each when the one before has arrived", wire.None, 1, 20),
		},
		bars: func(r *report.Result) []report.Check {
			cpu := bar{figure: report.CPU, name: "CPU", among: []string{"gorilla", "gws"}, limit: 0.9}
			return []report.Check{cpu.check(&r.Cases[0]), cpu.check(&r.Cases[1])}
		},
	},
	{
		id: "f", title: "server: echo of 1 KiB of JSON with permessage-deflate, 16 connections",
		short: "server, deflate", unit: "messages", about: "rate",
		cases: []scenario{deflates("each message by itself", wire.Isolated), deflates("context takeover", wire.Takeover)},
		bars:  hold(rateOfBest, cpuOfBest),
	},
	{
		id: "g", title: "server: 10,000 connections that echoed once, then idle",
		short: "server, idle", unit: "connections", about: "KiB/conn",
		cases: []scenario{rests("10,000 connections", process.Task{Size: small}), attached(rests("10,000 connections, without Detach", process.Task{Size: small, Attached: true}))},
		bars: func(r *report.Result) []report.Check {
			return []report.Check{absolute(r, "10,000 connections", report.ConnKiB, "KiB resident for each", 8)}
		},
	},
	{
		id: "h", title: "server: connections opened",
		short: "server, openings", unit: "connections", about: "rate",
		cases: []scenario{serving("16 at a time", process.Task{Size: small}, func(m *measurement, t process.Task) (report.Figures, error) {
			return m.openings(t, 16)
		})},
		bars: hold(rateOfBest),
	},
	{
		id: "i", title: "client: rows a, b and d from the other side, against one neutral server",
		short: "client", unit: "messages", about: "rate",
		cases: []scenario{
			calls("a: 1 connection", process.Task{Role: process.PingPong, Connections: 1, Depth: 1}),
			calls("a: 64 connections", process.Task{Role: process.PingPong, Connections: 64, Depth: 1}),
			calls("b: 64 x 32", process.Task{Role: process.PingPong, Connections: 64, Depth: 32}),
			calls("d: 1 reader", process.Task{Role: process.Drain, Connections: 1}),
			calls("d: 16 readers", process.Task{Role: process.Drain, Connections: 16}),
		},
		bars: func(r *report.Result) []report.Check {
			var checks []report.Check
			for i := range r.Cases {
				c := &r.Cases[i]
				bars := []bar{cpuOfBest, cpuOfTCP, p99OfBest}
				switch {
				case strings.HasPrefix(c.Name, "b:"):
					bars = []bar{eightTimesBest, rateOfTCP}
				case strings.HasPrefix(c.Name, "d:"):
					bars = []bar{eightTimesBest}
				}
				for _, b := range bars {
					checks = append(checks, b.check(c))
				}
			}
			return checks
		},
	},
	{
		id: "j", title: "server: one message of 16 MiB received",
		short: "server, 16 MiB", unit: "messages", about: "peak/size",
		cases: []scenario{
			serving("into new memory", process.Task{Role: process.Swallow, Size: 16 << 20, Fresh: true}, (*measurement).swallow),
			serving("into a buffer large enough", process.Task{Role: process.Swallow, Size: 16 << 20}, (*measurement).swallow),
		},
		bars: func(r *report.Result) []report.Check {
			return []report.Check{
				absolute(r, "into new memory", report.PeakRatio, "peak memory to the message's size", 2.1),
				absolute(r, "into a buffer large enough", report.PeakRatio, "peak memory to the message's size", 1.1),
			}
		},
	},
	{
		id: "k", title: "server: echo of 64 B, 64 connections, a fresh timeout for every receive",
		short: "server, echo 64 B", unit: "messages", about: "CPU", peers: []string{limit, own, "coder"},
		cases: []scenario{
			echoes("one context", process.Task{Size: small}, 64, 1),
			echoes("fresh timeouts", process.Task{Size: small, Limit: time.Minute}, 64, 1),
		},
		bars: func(r *report.Result) []report.Check {
			k := report.Check{Text: "CPU with fresh timeouts to CPU with one context", Limit: 1.5}
			plain, ok := r.Cases[0].Of(own, report.CPU)
			fresh, found := r.Cases[1].Of(own, report.CPU)
			if ok && found {
				k.Value, k.Known = fresh/plain, true
			}
			return []report.Check{k}
		},
	},
	{
		id: "l", title: "server: echo of 64 B, 5,000 messages a second in all",
		short: "server, 5,000/s", unit: "messages", about: "CPU",
		peers: []string{limit, own, "gorilla"},
		cases: []scenario{paces(1), paces(10), paces(100), paces(1_000), paces(10_000)},
		bars: func(r *report.Result) []report.Check {
			var checks []report.Check
			for _, c := range r.Cases[1:] {
				checks = append(checks, growth(r, r.Cases[0].Name, c.Name, report.CPU, 1.15))
			}
			return checks
		},
	},
	{
		id: "p", title: "server: 5,000 connections that echoed 64 messages of 1 KiB of JSON, then idle for 4 s",
		short: "server, idle, deflate", unit: "connections", about: "KiB/conn",
		peers: []string{own, "coder", "gorilla", "gws"}, once: true,
		cases: []scenario{
			resting("plain", wire.None), resting("each message by itself", wire.Isolated), resting("context takeover", wire.Takeover),
		},
		bars: func(r *report.Result) []report.Check {
			alone := report.Check{Text: "each message by itself: KiB resident for each, beyond plain", Limit: 1}
			plain, ok := r.Cases[0].Of(own, report.ConnKiB)
			isolated, found := r.Cases[1].Of(own, report.ConnKiB)
			if ok && found {
				alone.Value, alone.Known = isolated-plain, true
			}
			return []report.Check{alone, absolute(r, "context takeover", report.ConnKiB, "KiB resident for each", 64)}
		},
	},
	{
		id: "r", title: "server: a handler by message (server.Messages), beside a function for each connection",
		short: "server, by message", unit: "messages", about: "rate",
		peers: []string{own},
		cases: []scenario{
			echoes("function, 16 connections", process.Task{Size: small}, 16, 1),
			echoes("by message, 16 connections", process.Task{Size: small, ByMessage: true}, 16, 1),
			echoes("by message with ReuseMessages, 16 connections", process.Task{Size: small, ByMessage: true, Reuse: true}, 16, 1),
			echoes("function, 32 in flight on each", process.Task{Size: small}, 16, 32),
			echoes("by message, 32 in flight on each", process.Task{Size: small, ByMessage: true}, 16, 32),
			echoes("by message with ReuseMessages, 32 in flight on each", process.Task{Size: small, ByMessage: true, Reuse: true}, 16, 32),
		},
		bars: func(r *report.Result) []report.Check {
			check := func(text string, from, to int, figure report.Figure, limit float64, least bool) report.Check {
				k := report.Check{Text: text, Limit: limit, Least: least}
				a, okA := r.Cases[from].Of(own, figure)
				b, okB := r.Cases[to].Of(own, figure)
				if okA && okB {
					k.Value, k.Known = b/a, true
				}
				return k
			}
			return []report.Check{
				check("16 connections: CPU to a function's", 0, 1, report.CPU, 1.05, false),
				check("32 in flight on each: rate to a function's", 3, 4, report.Rate, 0.95, true),
				check("32 in flight on each, with ReuseMessages: rate to a function's", 3, 5, report.Rate, 0.95, true),
			}
		},
	},
	{
		id: "t", title: "server: 10,000 connections of a handler by message that echoed, then idle for 3 s",
		short: "server, by message, idle", unit: "connections", about: "KiB/conn",
		peers: []string{own, "gws", "gobwas"},
		cases: []scenario{silences("one message each", 1), silences("64 messages each", 64)},
		bars: func(r *report.Result) []report.Check {
			return []report.Check{
				absolute(r, "one message each", report.ConnKiB, "KiB resident for each", 3.5),
				absolute(r, "64 messages each", report.ConnKiB, "KiB resident for each", 4.5),
			}
		},
	},
	{
		id: "s", title: "topics: messages of 512 B to all members, with a history of 256 where there is one",
		short: "topics, 512 B", unit: "deliveries", about: "CPU",
		peers: []string{limit, own, "centrifuge", "melody"},
		cases: []scenario{
			publications("1 topic of 1,000 members", process.Task{Topics: 1, Joins: 1}, 100, 10),
			publications("1 topic of 1,000 members, each message when the one before has arrived", process.Task{Topics: 1, Joins: 1}, 1, 200),
			publications("1,000 topics of 10 members, 10 topics for each connection", process.Task{Topics: 1_000, Joins: 10}, 10, 10),
		},
		bars: func(r *report.Result) []report.Check {
			var checks []report.Check
			for i := range r.Cases {
				rate := bar{figure: report.Rate, name: "rate", than: "centrifuge", limit: 3, least: true}
				cpu := bar{figure: report.CPU, name: "CPU", than: "centrifuge", limit: 1. / 3}
				p99 := bar{figure: report.P99, name: "p99 of delivery", than: "centrifuge", limit: 1}
				checks = append(checks, rate.check(&r.Cases[i]), cpu.check(&r.Cases[i]), p99.check(&r.Cases[i]))
			}
			return checks
		},
	},
	{
		id: "w", title: "server: WebSocket over HTTP/2 (RFC 8441) beside HTTP/1.1, both over TLS",
		short: "server, HTTP/2", unit: "ops", about: "rate",
		peers: []string{own, "coder", "gorilla"},
		cases: []scenario{
			over("opened, HTTP/1.1, full handshakes of TLS", wire.TLS, opens),
			over("opened, HTTP/1.1, resumed sessions of TLS", wire.Resumed, opens),
			over("opened, HTTP/2", wire.HTTP2, opens),
			over("messages, 1 connection, HTTP/1.1", wire.TLS, echoed(1, 1)),
			over("messages, 1 connection, HTTP/2", wire.HTTP2, echoed(1, 1)),
			over("messages, 64 connections, HTTP/1.1", wire.TLS, echoed(64, 1)),
			over("messages, 64 connections, HTTP/2", wire.HTTP2, echoed(64, 1)),
			over("messages, 64 x 32 in flight, HTTP/1.1", wire.TLS, echoed(64, 32)),
			over("messages, 64 x 32 in flight, HTTP/2", wire.HTTP2, echoed(64, 32)),
			over("1,000 idle, HTTP/1.1", wire.TLS, idles),
			over("1,000 idle, HTTP/2", wire.HTTP2, idles),
		},
		bars: func(r *report.Result) []report.Check {
			rate := report.Check{Text: "opened over HTTP/2: rate to that of full handshakes", Limit: 4, Least: true}
			h1, ok := r.Cases[0].Of(own, report.Rate)
			h2, found := r.Cases[2].Of(own, report.Rate)
			if ok && found {
				rate.Value, rate.Known = h2/h1, true
			}
			return []report.Check{rate}
		},
	},
	{
		id: "v", title: "topics: a message of 512 B from the publisher to one member, each when the one before has arrived, on two machines over NATS",
		short: "topics, over NATS", unit: "messages", about: "p50",
		peers: []string{own, "centrifuge"},
		cases: []scenario{
			relays(oneMachine, process.Task{}),
			relays(twoMachines, process.Task{NATS: "started for each round"}),
			relays("two machines, history in JetStream", process.Task{NATS: "started for each round", History: true}),
		},
		bars: func(r *report.Result) []report.Check {
			// What NATS adds depends on how fast each is without, so the limit leaves room.
			k := report.Check{Text: "median added by NATS, to centrifuge's", Limit: 1.25}
			mine, ok := added(r, own)
			theirs, found := added(r, "centrifuge")
			if ok && found && theirs > 0 {
				k.Value, k.Known = mine/theirs, true
			}
			return []report.Check{k}
		},
	},
	{
		id: "q", title: "server: one message of 2 GiB, moved in pieces of 64 KiB",
		short: "server, 2 GiB", unit: "MiB", about: "rate",
		peers: []string{own, "coder", "gorilla"},
		cases: []scenario{streams("read, of fragments of 64 KiB", process.Sink), streams("written", process.Source)},
		bars: func(r *report.Result) []report.Check {
			rate := bar{figure: report.Rate, name: "rate", limit: 0.9, least: true}
			var checks []report.Check
			for i := range r.Cases {
				c := &r.Cases[i]
				checks = append(checks, rate.check(c), absolute(r, c.Name, report.OverIdle, "MiB resident at the peak, beyond idle", 1))
			}
			return checks
		},
	},
}

// The cases of row v whose difference is what NATS adds.
const (
	oneMachine  = "one machine, in memory"
	twoMachines = "two machines, without history"
)

// added returns by how many microseconds the median over NATS is above that on one machine.
func added(r *report.Result, name string) (float64, bool) {
	one, ok1 := r.Case(oneMachine)
	two, ok2 := r.Case(twoMachines)
	if !ok1 || !ok2 {
		return 0, false
	}
	without, ok1 := one.Of(name, report.P50)
	with, ok2 := two.Of(name, report.P50)
	return with - without, ok1 && ok2
}

// relays is a scenario of messages to one member, one at a time.
func relays(name string, t process.Task) scenario {
	t.Role, t.Size = process.Relay, 512
	s := serving(name, t, func(m *measurement, t process.Task) (report.Figures, error) {
		return m.relay(t, 500, 3_000)
	})
	s.lacks = func(p *peer.Peer) string {
		if t.History && p != &peer.Isosocket {
			return "has no history over NATS"
		}
		return ""
	}
	return s
}

// publications is a scenario of so many messages under each topic at once, so many times, each
// time when all have arrived at 1,000 connections.
func publications(name string, t process.Task, rounds, times int) scenario {
	t.Role, t.Size = process.Topics, 512
	s := serving(name, t, func(m *measurement, t process.Task) (report.Figures, error) {
		return m.topics(t, 1_000, rounds, times)
	})
	s.lacks = func(p *peer.Peer) string {
		if p.Topics == nil {
			return "has no topics"
		}
		return ""
	}
	return s
}

// over returns a scenario of connections that reach a server over network.
func over(name string, network wire.Network, run func(*measurement, process.Task) (report.Figures, error)) scenario {
	s := serving(name, process.Task{Size: small, Network: network}, run)
	if network == wire.HTTP2 {
		s.lacks = func(p *peer.Peer) string {
			if p.Name == own {
				return ""
			}
			return "has no WebSocket over HTTP/2"
		}
	}
	return s
}

func opens(m *measurement, t process.Task) (report.Figures, error) { return m.openings(t, 16) }

func idles(m *measurement, t process.Task) (report.Figures, error) {
	return m.idle(t, 1_000, wire.Repeat(t.Size), 1, time.Second)
}

func echoed(connections, depth int) func(*measurement, process.Task) (report.Figures, error) {
	return func(m *measurement, t process.Task) (report.Figures, error) {
		return m.echo(t, wire.Repeat(t.Size), connections, depth)
	}
}

// streams returns a scenario of one large message in pieces of 64 KiB.
func streams(name string, role process.Role) scenario {
	return serving(name, process.Task{Role: role, Size: 64 << 10}, func(m *measurement, t process.Task) (report.Figures, error) {
		return m.stream(t, 2<<30)
	})
}

// serving returns a scenario for every implementation that can do t as a server.
func serving(name string, t process.Task, run func(*measurement, process.Task) (report.Figures, error)) scenario {
	return scenario{
		name:  name,
		run:   func(m *measurement) (report.Figures, error) { return run(m, t) },
		lacks: func(p *peer.Peer) string { return p.Lacks(&t) },
	}
}

// rests returns a scenario of connections that are idle after one message.
func rests(name string, t process.Task) scenario {
	return serving(name, t, func(m *measurement, t process.Task) (report.Figures, error) {
		return m.idle(t, 10_000, wire.Repeat(t.Size), 1, time.Second)
	})
}

// silences returns a scenario of connections of a handler by message that are idle after a number
// of messages, for long enough to park.
func silences(name string, messages int) scenario {
	return serving(name, process.Task{Size: small, ByMessage: true}, func(m *measurement, t process.Task) (report.Figures, error) {
		return m.idle(t, 10_000, wire.Repeat(t.Size), messages, 3*time.Second)
	})
}

// attached limits a scenario to the only implementation with the option.
func attached(s scenario) scenario {
	s.lacks = func(p *peer.Peer) string {
		if p.Name == own {
			return ""
		}
		return "has one mode, measured above"
	}
	return s
}

func echoes(name string, t process.Task, connections, depth int) scenario {
	script := wire.Repeat(t.Size)
	return serving(name, t, func(m *measurement, t process.Task) (report.Figures, error) {
		return m.echo(t, script, connections, depth)
	})
}

func pushes(name string, connections int) scenario {
	return serving(name, process.Task{Size: small}, func(m *measurement, t process.Task) (report.Figures, error) {
		return m.push(t, connections)
	})
}

// broadcasts returns a scenario that broadcasts a number of messages at once and waits until all
// have arrived, several times.
func broadcasts(name string, c wire.Compression, rounds, times int) scenario {
	t := process.Task{Role: process.Broadcast, Size: 512, Text: true, Compression: c}
	return serving(name, t, func(m *measurement, t process.Task) (report.Figures, error) {
		return m.broadcast(t, 5_000, rounds, times)
	})
}

func deflates(name string, c wire.Compression) scenario {
	t := process.Task{Size: 1 << 10, Text: true, Compression: c}
	return serving(name, t, func(m *measurement, t process.Task) (report.Figures, error) {
		script, err := wire.JSON(c)
		if err != nil {
			return report.Figures{}, err
		}
		return m.echo(t, script, 16, 1)
	})
}

// resting returns a scenario of connections that are idle after enough messages to fill the
// compression windows of both directions.
func resting(name string, c wire.Compression) scenario {
	t := process.Task{Size: 1 << 10, Text: true, Compression: c}
	return serving(name, t, func(m *measurement, t process.Task) (report.Figures, error) {
		script, err := wire.JSON(c)
		if err != nil {
			return report.Figures{}, err
		}
		return m.idle(t, 5_000, script, len(script.Documents), 4*time.Second)
	})
}

func paces(connections int) scenario {
	name := strconv.Itoa(connections) + " connections"
	return serving(name, process.Task{Size: small}, func(m *measurement, t process.Task) (report.Figures, error) {
		return m.paced(t, connections, time.Second/5_000)
	})
}

// calls returns a scenario for every implementation's client.
func calls(name string, t process.Task) scenario {
	t.Size = small
	return scenario{
		name: name,
		run: func(m *measurement) (report.Figures, error) {
			start := load.Answer
			if t.Role == process.Drain {
				start = load.Flood
			}
			server, err := start(wire.Payload(t.Size))
			if err != nil {
				return report.Figures{}, err
			}
			return m.client(t, server)
		},
		lacks: func(p *peer.Peer) string { return p.Lacks(&t) },
	}
}
