package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/isosocket/isosocket/bench/internal/peer"
	"github.com/isosocket/isosocket/bench/internal/report"
)

// own is the implementation that the bars check; limit is bare TCP, which some bars compare it
// with.
const (
	own   = "isosocket"
	limit = "tcp"
)

// row is one row of the table: loads, and the bars for their figures.
type row struct {
	id    string
	title string
	short string   // for the chart
	unit  string   // what is counted
	about string   // its main figure, see report.Result
	peers []string // that it measures, nil for all

	baselines []string // the peers that are not libraries
	once      bool     // one round is enough
	cases     []scenario
	bars      func(*report.Result) []report.Check
}

// scenario is one load.
type scenario struct {
	name string
	run  func(*measurement) (report.Figures, error)

	// lacks says which part of the load an implementation cannot do, or returns "". It is nil if
	// the row does not run implementations of package peer.
	lacks func(*peer.Peer) string
}

// measurement is one run of one scenario by one implementation.
type measurement struct {
	*plan
	name    string
	peer    *peer.Peer // nil in the browser rows
	profile string     // file, or "" for none
}

// measure runs all rounds of r. Each round measures every implementation once.
func (p *plan) measure(r *row, interrupted <-chan os.Signal) (*report.Result, error) {
	result := &report.Result{ID: r.id, Title: r.title, Short: r.short, Unit: r.unit, Foremost: r.about}
	for _, s := range r.cases {
		c := report.Case{Name: s.name}
		for _, name := range p.entries(r) {
			c.Peers = append(c.Peers, report.Entry{Peer: name})
		}
		rounds := p.rounds
		if r.once {
			rounds = 1
		}
		for round := range rounds {
			fmt.Fprintf(p.log, "\r\033[K%s %s: round %d of %d", r.id, s.name, round+1, rounds)
			for i := range c.Peers {
				e := &c.Peers[i]
				m := &measurement{plan: p, name: e.Peer}
				if s.lacks != nil {
					implementation, err := peer.Find(e.Peer)
					if err != nil {
						return nil, err
					}
					if e.Lacks = s.lacks(implementation); e.Lacks != "" {
						continue
					}
					m.peer = implementation
				}
				if p.profiles != "" {
					name := r.id + "-" + strings.Map(fileName, s.name) + "-" + e.Peer + ".pprof"
					m.profile = filepath.Join(p.profiles, name)
				}
				figures, err := s.run(m)
				if err != nil {
					// The others can still be compared; the row reports the failure.
					e.Error = err.Error()
					e.Failed++
				} else {
					e.Rounds = append(e.Rounds, figures)
				}
				select {
				case <-interrupted:
					fmt.Fprintln(p.log)
					return nil, errors.New("interrupted")
				default:
				}
			}
		}
		fmt.Fprint(p.log, "\r\033[K")
		for i := range c.Peers {
			if e := &c.Peers[i]; len(e.Rounds) > 0 {
				e.Median = report.Median(e.Rounds)
			}
		}
		result.Cases = append(result.Cases, c)
	}
	if r.bars != nil {
		result.Bars = r.bars(result)
	}
	return result, nil
}

// entries returns the names of the implementations that r measures, limited to the requested
// ones.
func (p *plan) entries(r *row) []string {
	var names []string
	if r.peers == nil {
		for _, name := range p.peers {
			if implementation, err := peer.Find(name); err == nil && !implementation.OnlyTopics() {
				names = append(names, name)
			}
		}
		return names
	}
	for _, name := range r.peers {
		if slices.Contains(p.peers, name) || slices.Contains(r.baselines, name) {
			names = append(names, name)
		}
	}
	return names
}

func fileName(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '_'
}
