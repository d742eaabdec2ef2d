package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// block is a range of statements that are reached together.
type block struct {
	file                                    string // import path of the package, slash, name of the file
	startLine, startColumn, endLine, endCol int
}

// reach is what is known of a block.
type reach struct {
	statements int
	by         uint // a bit for each run that reached it
}

// profile is the sum of the runs.
type profile struct {
	blocks map[block]reach
}

// add reads the text form of a coverage profile. run is the number of the run, below 32.
func (p *profile) add(run int, text io.Reader) error {
	if p.blocks == nil {
		p.blocks = make(map[block]reach)
	}
	lines := bufio.NewScanner(text)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if strings.HasPrefix(line, "mode: ") {
			continue
		}
		b, statements, count, err := parseLine(line)
		if err != nil {
			return fmt.Errorf("line %d of the profile: %w", number, err)
		}
		r := p.blocks[b]
		if r.statements != 0 && r.statements != statements {
			return fmt.Errorf("line %d of the profile: %s has %d statements here and %d in another run: the runs are not of the same source", number, b.file, statements, r.statements)
		}
		r.statements = statements
		if count > 0 {
			r.by |= 1 << run
		}
		p.blocks[b] = r
	}
	return lines.Err()
}

// parseLine parses "file:line.column,line.column statements count".
func parseLine(line string) (b block, statements int, count uint64, err error) {
	wrong := fmt.Errorf("%q is not of the form file:line.column,line.column statements count", line)
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return b, 0, 0, wrong
	}
	colon := strings.LastIndexByte(fields[0], ':')
	if colon < 0 {
		return b, 0, 0, wrong
	}
	b.file = fields[0][:colon]
	var numbers [4]int
	parts := strings.FieldsFunc(fields[0][colon+1:], func(r rune) bool { return r == '.' || r == ',' })
	if len(parts) != len(numbers) {
		return b, 0, 0, wrong
	}
	for i, part := range parts {
		if numbers[i], err = strconv.Atoi(part); err != nil {
			return b, 0, 0, wrong
		}
	}
	b.startLine, b.startColumn, b.endLine, b.endCol = numbers[0], numbers[1], numbers[2], numbers[3]
	if statements, err = strconv.Atoi(fields[1]); err != nil {
		return b, 0, 0, wrong
	}
	if count, err = strconv.ParseUint(fields[2], 10, 64); err != nil {
		return b, 0, 0, wrong
	}
	return b, statements, count, nil
}

// share is how many statements there are, and how many were reached.
type share struct {
	statements, reached int
	by                  []int // reached by each run
}

func (s share) percent() float64 {
	if s.statements == 0 {
		return 100
	}
	return 100 * float64(s.reached) / float64(s.statements)
}

// packages returns the share of each package by its import path.
func (p *profile) packages(runs int) map[string]*share {
	all := make(map[string]*share)
	for b, r := range p.blocks {
		s := all[path.Dir(b.file)]
		if s == nil {
			s = &share{by: make([]int, runs)}
			all[path.Dir(b.file)] = s
		}
		s.statements += r.statements
		if r.by != 0 {
			s.reached += r.statements
		}
		for run := range runs {
			if r.by&(1<<run) != 0 {
				s.by[run] += r.statements
			}
		}
	}
	return all
}

// unreached returns the blocks of a package that no run reached, in their order in the source.
func (p *profile) unreached(pkg string) []block {
	var all []block
	for b, r := range p.blocks {
		if r.by == 0 && r.statements > 0 && path.Dir(b.file) == pkg {
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(a, b block) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.startLine, b.startLine), cmp.Compare(a.startColumn, b.startColumn))
	})
	return all
}
