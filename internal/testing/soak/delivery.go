//go:build !js

package main

import "fmt"

// span is the numbers from the first to the second, included.
type span [2]uint64

// spans are numbers in ascending order.
type spans []span

// add adds a span of numbers, which must be greater than all others.
func (s *spans) add(more span) {
	if last := len(*s) - 1; last >= 0 && (*s)[last][1]+1 == more[0] {
		(*s)[last][1] = more[1]
		return
	}
	*s = append(*s, more)
}

// arrivals are the messages of one client that arrived at the server.
type arrivals struct {
	// First is the first number, and Next one more than the last. Both are 0 before.
	First, Next uint64
	// Missing are the numbers between them that did not arrive.
	Missing spans
}

// add adds the next message that arrived.
func (a *arrivals) add(n uint64) error {
	switch {
	case a.Next == 0:
		a.First = n
	case n < a.Next:
		return fmt.Errorf("message %d arrived after %d: it was doubled or reordered", n, a.Next-1)
	case n > a.Next:
		a.Missing.add(span{a.Next, n - 1})
	}
	a.Next = n + 1
	return nil
}

// join adds the arrivals of the client's next connection.
func (a *arrivals) join(b arrivals) error {
	switch {
	case b.Next == 0:
		return nil
	case a.Next == 0:
		*a = b
		return nil
	case b.First < a.Next:
		return fmt.Errorf("message %d arrived after %d, on a later connection: it was doubled or reordered", b.First, a.Next-1)
	case b.First > a.Next:
		a.Missing.add(span{a.Next, b.First - 1})
	}
	for _, one := range b.Missing {
		a.Missing.add(one)
	}
	a.Next = b.Next
	return nil
}

// fate is what a client was told about a message.
type fate uint8

const (
	accepted    fate = iota // Send returned nil, and nothing was said afterwards
	refused                 // Send returned an error: the message is not sent
	notSent                 // OnLost said that the message was not sent
	unconfirmed             // OnLost, or Send, said that the message may not have arrived
)

var fates = [...]string{"accepted", "refused by Send", "reported as not sent", "reported as perhaps lost"}

// deliveries are the messages of one client, as the client knows them.
type deliveries struct {
	told []fate // of each message, by number
}

// sending adds the next message and returns its number.
func (d *deliveries) sending() uint64 {
	d.told = append(d.told, accepted)
	return uint64(len(d.told) - 1)
}

// tell records what the client was told about message n.
func (d *deliveries) tell(n uint64, what fate) error {
	switch {
	case n >= uint64(len(d.told)):
		return fmt.Errorf("message %d was %s, but not sent", n, fates[what])
	case d.told[n] != accepted:
		return fmt.Errorf("message %d was %s and then %s", n, fates[d.told[n]], fates[what])
	}
	d.told[n] = what
	return nil
}

// outcome counts messages.
type outcome struct {
	Sent, Arrived, Refused, NotSent, Unconfirmed uint64
	// Both is how many arrived of those that were reported as perhaps lost.
	Both uint64
}

func (o *outcome) add(p outcome) {
	o.Sent += p.Sent
	o.Arrived += p.Arrived
	o.Refused += p.Refused
	o.NotSent += p.NotSent
	o.Unconfirmed += p.Unconfirmed
	o.Both += p.Both
}

// judge compares what a client was told with what arrived.
func (d *deliveries) judge(a arrivals) (o outcome, problems []error) {
	o.Sent = uint64(len(d.told))
	if a.Next > o.Sent {
		problems = append(problems, fmt.Errorf("message %d arrived, but only %d were sent", a.Next-1, o.Sent))
	}
	missing := a.Missing
	for i, told := range d.told {
		n := uint64(i)
		for len(missing) > 0 && missing[0][1] < n {
			missing = missing[1:]
		}
		arrived := a.First <= n && n < a.Next && (len(missing) == 0 || n < missing[0][0])
		if arrived {
			o.Arrived++
		}
		switch told {
		case accepted:
			if !arrived {
				problems = append(problems, fmt.Errorf("message %d was lost without a report", n))
			}
		case refused:
			o.Refused++
		case notSent:
			o.NotSent++
		case unconfirmed:
			o.Unconfirmed++
			if arrived {
				o.Both++
			}
		}
		if arrived && (told == refused || told == notSent) {
			problems = append(problems, fmt.Errorf("message %d arrived, but was %s", n, fates[told]))
		}
	}
	return o, problems
}
