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

// own and limit are the implementations that the bars compare and compare with.
const (
	own   = "isosocket"
	limit = "tcp"
)

// row is one row of the table: loads, and what should come of them.
type row struct {
	id    string
	title string
	short string   // for the chart
	unit  string   // what is counted
	about string   // the figure it is foremost about, see report.Result
	peers []string // that it runs, nil for all
	cases []scenario
	bars  func(*report.Result) []report.Check
}

// scenario is one load.
type scenario struct {
	name string
	run  func(*measurement) (report.Figures, error)

	// lacks says what an implementation cannot do of it, "" if it can all.
	lacks func(*peer.Peer) string
}

// measurement is one run of one scenario by one implementation.
type measurement struct {
	*plan
	peer    *peer.Peer
	profile string // file, "" for none
}

// measure runs all rounds of r: every implementation once, then again.
func (p *plan) measure(r *row, interrupted <-chan os.Signal) (*report.Result, error) {
	result := &report.Result{ID: r.id, Title: r.title, Short: r.short, Unit: r.unit, Foremost: r.about}
	for _, s := range r.cases {
		c := report.Case{Name: s.name}
		for _, name := range p.peers {
			if r.peers == nil || slices.Contains(r.peers, name) {
				c.Peers = append(c.Peers, report.Entry{Peer: name})
			}
		}
		for round := range p.rounds {
			fmt.Fprintf(p.log, "\r\033[K%s %s: round %d of %d", r.id, s.name, round+1, p.rounds)
			for i := range c.Peers {
				e := &c.Peers[i]
				implementation, err := peer.Find(e.Peer)
				if err != nil {
					return nil, err
				}
				if e.Lacks = s.lacks(implementation); e.Lacks != "" || e.Error != "" {
					continue
				}
				m := &measurement{plan: p, peer: implementation}
				if p.profiles != "" {
					name := r.id + "-" + strings.Map(fileName, s.name) + "-" + e.Peer + ".pprof"
					m.profile = filepath.Join(p.profiles, name)
				}
				figures, err := s.run(m)
				if err != nil {
					// The others can still be compared; the row says what failed.
					e.Error, e.Rounds = err.Error(), nil
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

func fileName(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '_'
}
