package wstest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Observation is a key and the value that a case saw for it.
type Observation struct {
	// Key is the key of an Expectation.
	Key string
	// Value is the observed value, in the format of [Describe] and [DescribeMessage].
	Value string
}

// notRun begins the value of an observation that could not be made; the reason
// follows.
const notRun = "not run: "

// Result is the result of one case on one target.
type Result struct {
	// ID is the case's.
	ID string
	// Target, Class and Engine are the target's Name, Class and Engine.
	Target string
	Class  Class
	Engine string `json:",omitempty"`
	// Observations are in the order in which they were made.
	Observations []Observation
	// Skipped is the reason why the case did not run, "" if it did.
	Skipped string `json:",omitempty"`
	// Failed reports that the test of the case failed, because of an observation
	// or for another reason.
	Failed bool `json:",omitempty"`
}

// Mistakes compares r with the observations that c expects of its target, and returns a sentence
// for each that is missing, unexpected or different.
func (r Result) Mistakes(c Case) []string {
	var mistakes []string
	for i, want := range c.Want {
		value := want.Value(r.Class)
		anything := false
		if q, ok := quirkOf(r.Engine, c.ID, want.Key); ok {
			value = q.value(c.ID, want.Key)
			anything = value == ""
		}
		switch {
		case i >= len(r.Observations):
			mistakes = append(mistakes, fmt.Sprintf("%s: nothing observed, want %s", want.Key, value))
		case r.Observations[i].Key != want.Key:
			return append(mistakes, fmt.Sprintf("observed %q in place of %q", r.Observations[i].Key, want.Key))
		case !anything && r.Observations[i].Value != value && !strings.HasPrefix(r.Observations[i].Value, notRun):
			mistakes = append(mistakes, fmt.Sprintf("%s: observed %s, want %s", want.Key, r.Observations[i].Value, value))
		}
	}
	for _, extra := range r.Observations[min(len(c.Want), len(r.Observations)):] {
		mistakes = append(mistakes, fmt.Sprintf("%s: observed %s, expected nothing", extra.Key, extra.Value))
	}
	return mistakes
}

// marker precedes a result in a test's log.
const marker = "wstest-result: "

// String returns r as the line that Run writes to a test's log.
func (r Result) String() string {
	text, err := json.Marshal(r)
	if err != nil { // strings and slices of them always encode
		panic(err)
	}
	return marker + string(text)
}

// ParseResults returns the results in log, the output of go test -v, in order.
// Lines without one are ignored.
func ParseResults(log io.Reader) ([]Result, error) {
	var results []Result
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		if _, text, ok := strings.Cut(line, marker); ok {
			var r Result
			if err := json.Unmarshal([]byte(strings.TrimSpace(text)), &r); err != nil {
				return results, fmt.Errorf("wstest: a result cannot be read: %w: %.200s", err, text)
			}
			results = append(results, r)
		}
		if err == io.EOF {
			return results, nil
		}
		if err != nil {
			return results, fmt.Errorf("wstest: reading results: %w", err)
		}
	}
}
