//go:build !js

package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// TestArrivals checks what the server records of the connections of one client.
func TestArrivals(t *testing.T) {
	for _, tt := range []struct {
		name        string
		connections [][]uint64
		want        arrivals
		problem     string
	}{
		{"none", nil, arrivals{}, ""},
		{"all", [][]uint64{{0, 1, 2}}, arrivals{0, 3, nil}, ""},
		{"over two connections", [][]uint64{{0, 1}, {}, {2, 3}}, arrivals{0, 4, nil}, ""},
		{"gaps in and between connections", [][]uint64{{1, 3}, {7, 8, 10}}, arrivals{1, 11, spans{{2, 2}, {4, 6}, {9, 9}}}, ""},
		{"adjacent gaps", [][]uint64{{0, 2}, {5}}, arrivals{0, 6, spans{{1, 1}, {3, 4}}}, ""},
		{"doubled", [][]uint64{{0, 1, 1}}, arrivals{}, "message 1 arrived after 1"},
		{"reordered", [][]uint64{{0, 2, 1}}, arrivals{}, "message 1 arrived after 2"},
		{"doubled on a later connection", [][]uint64{{0, 1}, {1, 2}}, arrivals{}, "on a later connection"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var all arrivals
			var problem error
			for _, connection := range tt.connections {
				var one arrivals
				for _, n := range connection {
					if err := one.add(n); err != nil {
						problem = err
					}
				}
				if err := all.join(one); err != nil {
					problem = err
				}
			}
			if tt.problem != "" {
				if problem == nil || !strings.Contains(problem.Error(), tt.problem) {
					t.Errorf("found %v, want %q", problem, tt.problem)
				}
			} else if problem != nil || !reflect.DeepEqual(all, tt.want) {
				t.Errorf("%+v, %v, want %+v", all, problem, tt.want)
			}
		})
	}
}

// TestDeliveries feeds the judgement of clients on a faulty network.
func TestDeliveries(t *testing.T) {
	for _, tt := range []struct {
		name    string
		told    map[uint64]fate
		arrived []uint64
		want    string // problems, joined
		outcome outcome
	}{
		{"all arrived", nil, []uint64{0, 1, 2, 3}, "", outcome{Sent: 4, Arrived: 4}},
		{"lost and reported", map[uint64]fate{1: unconfirmed, 2: notSent}, []uint64{0, 3}, "", outcome{Sent: 4, Arrived: 2, NotSent: 1, Unconfirmed: 1}},
		{"reported as perhaps lost, and arrived", map[uint64]fate{3: unconfirmed}, []uint64{0, 1, 2, 3}, "", outcome{Sent: 4, Arrived: 4, Unconfirmed: 1, Both: 1}},
		{"refused", map[uint64]fate{0: refused}, []uint64{1, 2, 3}, "", outcome{Sent: 4, Arrived: 3, Refused: 1}},
		{"lost", nil, []uint64{0, 2, 3}, "message 1 was lost without a report", outcome{Sent: 4, Arrived: 3}},
		{"the first lost", nil, []uint64{1, 2, 3}, "message 0 was lost without a report", outcome{Sent: 4, Arrived: 3}},
		{"the last lost", nil, []uint64{0, 1, 2}, "message 3 was lost without a report", outcome{Sent: 4, Arrived: 3}},
		{"all lost", nil, nil, "message 0 was lost without a report; message 1 was lost without a report; message 2 was lost without a report; message 3 was lost without a report", outcome{Sent: 4}},
		{"not sent, but arrived", map[uint64]fate{2: notSent}, []uint64{0, 1, 2, 3}, "message 2 arrived, but was reported as not sent", outcome{Sent: 4, Arrived: 4, NotSent: 1}},
		{"refused, but arrived", map[uint64]fate{2: refused}, []uint64{0, 1, 2, 3}, "message 2 arrived, but was refused by Send", outcome{Sent: 4, Arrived: 4, Refused: 1}},
		{"never sent", nil, []uint64{0, 1, 2, 3, 4}, "message 4 arrived, but only 4 were sent", outcome{Sent: 4, Arrived: 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var d deliveries
			for range 4 {
				d.sending()
			}
			for n, what := range tt.told {
				if err := d.tell(n, what); err != nil {
					t.Fatal(err)
				}
			}
			var a arrivals
			for _, n := range tt.arrived {
				if err := a.add(n); err != nil {
					t.Fatal(err)
				}
			}
			o, problems := d.judge(a)
			var texts []string
			for _, err := range problems {
				texts = append(texts, err.Error())
			}
			if got := strings.Join(texts, "; "); got != tt.want || o != tt.outcome {
				t.Errorf("judged as %+v, %q, want %+v, %q", o, got, tt.outcome, tt.want)
			}
		})
	}
}

// TestToldTwice checks that a message is reported once, and only if it was sent.
func TestToldTwice(t *testing.T) {
	var d deliveries
	d.sending()
	if err := d.tell(0, unconfirmed); err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint64{0, 1} {
		if err := d.tell(n, notSent); err == nil {
			t.Errorf("no problem with message %d", n)
		} else if !strings.Contains(err.Error(), fmt.Sprintf("message %d was", n)) {
			t.Error(err)
		}
	}
}
