//go:build !js

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// outcome is what a report has for a case.
type outcome struct {
	Behavior      string `json:"behavior"`
	BehaviorClose string `json:"behaviorClose"`
}

// expected is docs/autobahn.json: the result of each case in each role.
type expected map[string]map[string]string // by case, then by role

// result returns an outcome as a word: that of the case, with that of the close if it differs.
func (o outcome) result() string {
	if o.BehaviorClose == o.Behavior {
		return o.Behavior
	}
	return o.Behavior + ", close " + o.BehaviorClose
}

// readReport returns the outcomes in the index of a report, which has one agent.
func readReport(name string) (map[string]outcome, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var agents map[string]map[string]outcome
	if err := json.Unmarshal(text, &agents); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(agents) != 1 {
		return nil, fmt.Errorf("%s has the agents %q, want one", name, slices.Sorted(maps.Keys(agents)))
	}
	for _, cases := range agents {
		return cases, nil
	}
	return nil, nil
}

// compare compares reports, each as ROLE=FILE, with the expected results, and returns an error that
// names every difference. Cases that a report lacks are none if it has only a part of them. With write,
// it writes the results of the reports instead.
func compare(name string, reports []string, write, part bool) error {
	want := expected{}
	text, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(text, &want)
	} else if write && os.IsNotExist(err) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var differences []string
	for _, report := range reports {
		role, file, ok := strings.Cut(report, "=")
		if !ok || role != "client" && role != "server" {
			return fmt.Errorf("the report %q is not client=FILE or server=FILE", report)
		}
		got, err := readReport(file)
		if err != nil {
			return err
		}
		counts := map[string]int{}
		for id, o := range got {
			r := o.result()
			counts[r]++
			if write {
				if want[id] == nil {
					want[id] = map[string]string{}
				}
				want[id][role] = r
			} else if want[id][role] != r {
				differences = append(differences, fmt.Sprintf("%s as %s: %s, expected %s", id, role, r, orNone(want[id][role])))
			}
		}
		for id, roles := range want {
			if _, ok := got[id]; !ok && roles[role] != "" && !part {
				differences = append(differences, fmt.Sprintf("%s as %s: not run, expected %s", id, role, roles[role]))
			}
		}
		fmt.Printf("as %s: %d cases", role, len(got))
		for _, r := range slices.Sorted(maps.Keys(counts)) {
			fmt.Printf(", %d %s", counts[r], r)
		}
		fmt.Println()
	}
	if write {
		return os.WriteFile(name, want.format(), 0o644)
	}
	if len(differences) > 0 {
		slices.SortFunc(differences, compareIDs)
		return fmt.Errorf("%d results differ from %s:\n%s", len(differences), name, strings.Join(differences, "\n"))
	}
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// format returns e as JSON, a case a line, in the order of their numbers.
func (e expected) format() []byte {
	var b strings.Builder
	b.WriteString("{\n")
	for i, id := range slices.SortedFunc(maps.Keys(e), compareIDs) {
		if i > 0 {
			b.WriteString(",\n")
		}
		roles, err := json.Marshal(e[id]) // with sorted keys
		if err != nil {
			panic(err) // it has strings only
		}
		fmt.Fprintf(&b, "  %q: %s", id, roles)
	}
	b.WriteString("\n}\n")
	return []byte(b.String())
}

// compareIDs orders texts that begin with the number of a case: 1.1.2 before 1.1.10.
func compareIDs(a, b string) int {
	return slices.Compare(parts(a), parts(b))
}

func parts(id string) (n []int) {
	number, _, _ := strings.Cut(id, " ")
	for part := range strings.SplitSeq(number, ".") {
		i, _ := strconv.Atoi(part) // 0 for what is no number
		n = append(n, i)
	}
	return n
}
