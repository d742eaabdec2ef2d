package enginetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/ws"
)

// cases are the rules of the contract.
var cases = []testCase{
	{name: "PublishersOfAllMachinesHaveOneOrder", machines: 3, history: true, run: oneOrder},
	{name: "WhatOneGoroutinePublishesStaysInOrder", machines: 2, history: true, run: ownOrder},
	{name: "TopIsThePrevOfTheNext", machines: 2, history: true, run: topIsPrev},
	{name: "ASubscriptionDuringPublicationsMissesNothing", machines: 2, history: true, run: subscribeMeanwhile},
	{name: "SinceReturnsPages", machines: 1, history: true, run: sincePages},
	{name: "SinceAgreesWithItself", machines: 2, history: true, run: sinceAgrees},
	{name: "CountBoundsHistory", machines: 1, history: true, bounds: true, run: countBounds},
	{name: "AgeBoundsHistory", machines: 1, history: true, bounds: true, run: ageBounds},
	{name: "WithoutHistoryOnlyTopMoves", machines: 1, run: noHistory},
	{name: "AnotherEpochIsNotThisOne", machines: 1, history: true, run: anotherEpoch},
	{name: "EntriesArriveWhole", machines: 2, history: true, run: wholeEntries},
	{name: "TopicNamesAreKeptApart", machines: 2, run: namesApart},
	{name: "AnIDIsPublishedOnce", machines: 2, ids: true, run: onceByID},
	{name: "CancelEndsDelivery", machines: 1, run: cancelEnds},
	{name: "PresenceReachesAllMachines", machines: 2, run: presenceSpreads},
	{name: "PresenceLastsAsLongAsOneSaysSo", machines: 2, run: presenceLasts},
	{name: "CloseEndsEverything", machines: 1, run: closeEnds},
}

func oneOrder(b *bench) {
	const topics, each = 3, 100
	var listeners [topics][]*listener
	name := func(i int) string { return fmt.Sprintf("order.%d", i) }
	for i := range topics {
		for machine := range b.engines {
			listeners[i] = append(listeners[i], b.listen(machine, name(i)))
		}
	}
	var publishers sync.WaitGroup
	for machine, engine := range b.engines {
		publishers.Go(func() {
			for i := range each * topics {
				e := &hub.Entry{Message: ws.Text(fmt.Sprintf("%d/%d", machine, i))}
				if _, err := engine.Publish(b.ctx, name(i%topics), e, plenty); err != nil {
					b.Errorf("Publish: %v", err)
					return
				}
			}
		})
	}
	publishers.Wait()
	for i := range topics {
		all := b.settle(name(i), each*len(b.engines))
		b.chained(all[0].Prev, all)
		last := all[len(all)-1].Position
		for machine, l := range listeners[i] {
			if l.top != all[0].Prev {
				b.Errorf("machine %d: top was %v, and the first entry's Prev is %v", machine, l.top, all[0].Prev)
			}
			b.eventually(fmt.Sprintf("machine %d got the last entry of %q, or Doubt", machine, name(i)), func() bool { return l.sees(last) })
			l.check(b, all)
		}
	}
}

func ownOrder(b *bench) {
	var want []string
	for i := range 50 {
		text := fmt.Sprint(i)
		b.publish(i%2, "own", text, plenty)
		want = append(want, text)
	}
	all := b.settle("own", 50)
	if got := texts(all); got != strings.Join(want, " ") {
		b.Errorf("history has %s", got)
	}
}

func topIsPrev(b *bench) {
	before := b.listen(0, "top")
	first := b.publish(1, "top", "1", plenty)
	b.eventually("the first entry arrives, or Doubt", func() bool { return before.sees(first) })
	b.eventually("top is the first entry", func() bool { return b.listen(0, "top").top == first })
	b.publish(1, "top", "2", plenty)
	all := b.settle("top", 2)
	if all[0].Prev != before.top {
		b.Errorf("top was %v before the first entry, whose Prev is %v", before.top, all[0].Prev)
	}
	b.chained(before.top, all)
}

func subscribeMeanwhile(b *bench) {
	const n = 200
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			e := &hub.Entry{Message: ws.Text(fmt.Sprint(i))}
			if _, err := b.engines[0].Publish(b.ctx, "meanwhile", e, plenty); err != nil {
				b.Errorf("Publish: %v", err)
				return
			}
			time.Sleep(100 * time.Microsecond)
		}
	}()
	var listeners []*listener
	for range 10 {
		listeners = append(listeners, b.listen(1, "meanwhile"))
		time.Sleep(time.Millisecond)
	}
	<-done
	all := b.settle("meanwhile", n)
	last := all[n-1].Position
	for i, l := range listeners {
		b.eventually(fmt.Sprintf("listener %d got the last entry, or Doubt", i), func() bool { return l.sees(last) })
		rest, _ := b.since(1, "meanwhile", l.top, 100)
		b.chained(l.top, rest)
		l.check(b, all)
	}
}

func sincePages(b *bench) {
	if all, _ := b.since(0, "pages", hub.Position{}, 10); len(all) != 0 {
		b.Errorf("a topic without entries has %s", texts(all))
	}
	var positions []hub.Position
	for i := range 25 {
		positions = append(positions, b.publish(0, "pages", fmt.Sprint(i), plenty))
	}
	all := b.settle("pages", 25)
	for _, limit := range []int{1, 7, 25, 100} {
		for after := range 25 {
			got, top := b.since(0, "pages", positions[after], limit)
			if texts(got) != texts(all[after+1:]) || top != positions[24] {
				b.Fatalf("after entry %d with limit %d: %s, top %v", after, limit, texts(got), top)
			}
			b.chained(positions[after], got)
		}
	}
}

// sinceAgrees asks for all entries while the first one is published: no entries, but the first one
// as top, would be a loss that nobody notices.
func sinceAgrees(b *bench) {
	for i := range 50 {
		topic := fmt.Sprintf("agrees.%d", i)
		published := make(chan hub.Position, 1)
		go func() {
			p, err := b.engines[1].Publish(b.ctx, topic, &hub.Entry{Message: ws.Text("1")}, plenty)
			if err != nil {
				b.Errorf("Publish: %v", err)
			}
			published <- p
		}()
		var tops []hub.Position // of answers without entries
		b.eventually("the entry is returned", func() bool {
			all, top, err := b.engines[0].Since(b.ctx, topic, hub.Position{}, 10)
			if err != nil {
				b.Fatalf("Since %q: %v", topic, err)
			}
			if len(all) == 0 {
				tops = append(tops, top)
			}
			return len(all) > 0
		})
		if slices.Contains(tops, <-published) {
			b.Fatalf("Since %q returned no entries, and the position of one as top", topic)
		}
	}
}

func countBounds(b *bench) {
	keep := plenty
	keep.Messages = 5
	first := b.publish(0, "count", "0", keep)
	for i := 1; i < 20; i++ {
		b.publish(0, "count", fmt.Sprint(i), keep)
	}
	all := b.settle("count", 5)
	if texts(all) != "15 16 17 18 19" {
		b.Errorf("history has %s", texts(all))
	}
	after, _ := b.since(0, "count", first, 100)
	if len(after) == 0 || after[0].Prev == first {
		b.Errorf("after an entry whose successors are gone: %s, as if nothing was missing", texts(after))
	}
	whole, _ := b.since(0, "count", all[0].Position, 100)
	b.chained(all[0].Position, whole)
}

func ageBounds(b *bench) {
	keep := plenty
	keep.Age = time.Second
	first := b.publish(0, "age", "0", keep)
	last := b.publish(0, "age", "1", keep)
	b.eventually("history has expired", func() bool {
		all, _ := b.since(0, "age", hub.Position{}, 100)
		return len(all) == 0
	})
	if all, top := b.since(0, "age", last, 100); len(all) != 0 || top != last && !b.forgets {
		b.Errorf("after the last entry: %s, top is %v, want %v", texts(all), top, last)
	}
	if all, top := b.since(0, "age", first, 100); len(all) != 0 || top == first {
		b.Errorf("after an entry whose successor has expired: %s, top is %v, as if nothing was missing", texts(all), top)
	}
}

func noHistory(b *bench) {
	keep := hub.Keep{Age: time.Minute}
	l := b.listen(0, "none")
	first := b.publish(0, "none", "1", keep)
	second := b.publish(0, "none", "2", keep)
	b.eventually("both arrive, or Doubt", func() bool { return l.sees(second) })
	l.mu.Lock()
	for _, e := range l.entries {
		want := l.top
		if e.Position == second {
			want = first
		}
		if e.Prev != want && !e.Prev.IsZero() {
			b.Errorf("%q has the Prev %v, want %v", e.Message, e.Prev, want)
		}
	}
	l.mu.Unlock()
	all, top := b.since(0, "none", first, 100)
	if len(all) != 0 || top == first {
		b.Errorf("after the first entry: %s, top is %v, as if nothing was missing", texts(all), top)
	}
}

func anotherEpoch(b *bench) {
	first := b.publish(0, "epoch", "1", plenty)
	b.publish(0, "epoch", "2", plenty)
	b.settle("epoch", 2)
	for _, offset := range []uint64{0, first.Offset(), first.Offset() + 1, 1 << 60} {
		other := hub.MakePosition("another", offset)
		all, top := b.since(0, "epoch", other, 100)
		if top == other || len(all) > 0 && all[0].Prev == other {
			b.Errorf("after %v of another epoch: %s, as if nothing was missing", other, texts(all))
		}
	}
}

func wholeEntries(b *bench) {
	l := b.listen(1, "whole")
	data := bytes.Repeat([]byte{0, 255, '\n', '"'}, 16<<10)
	sent := []*hub.Entry{
		{Key: "a key é\x00", Except: "node.1", Message: ws.Binary(data)},
		{Message: ws.Binary(nil)},
		{Message: ws.Text("")},
		{ID: "an ID\r\n: x", Message: ws.Text("text é\n")},
	}
	began := time.Now()
	var positions []hub.Position
	for i, e := range sent {
		positions = append(positions, b.publishEntry(i%2, "whole", e, plenty))
	}
	stored := b.settle("whole", len(sent))
	b.eventually("the last one arrives, or Doubt", func() bool { return l.sees(stored[len(sent)-1].Position) })
	l.check(b, stored)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, e := range append(slices.Clone(stored), l.entries...) {
		var want *hub.Entry
		if at := slices.Index(positions, e.Position); at >= 0 {
			want = sent[at]
		}
		switch {
		case want == nil:
			b.Errorf("entry %d has the Position %v, which was not returned", i, e.Position)
		case e.Key != want.Key || e.Except != want.Except || e.Message.Kind != want.Message.Kind || !bytes.Equal(e.Message.Data, want.Message.Data):
			b.Errorf("entry %d has Key %q, Except %q, Kind %d and %d bytes", i, e.Key, e.Except, e.Message.Kind, len(e.Message.Data))
		case e.Time.Before(began.Add(-time.Minute)) || e.Time.After(time.Now().Add(time.Minute)):
			b.Errorf("entry %d has the Time %v", i, e.Time)
		}
	}
}

func namesApart(b *bench) {
	names := []string{
		"a", "A", "a.b", "a..b", ".a", "a.", "a/b", "a b", "a\tb", "a\nb", "*", ">", "a.*", "a.>", "$x", "a%20b", "a=b", "é", "e\u0301", "\x00",
		strings.Repeat("x", 255), strings.Repeat("x", 254) + "y", "_", "-", "\"'\\",
	}
	var listeners []*listener
	for _, name := range names {
		listeners = append(listeners, b.listen(1, name))
	}
	var last []hub.Position
	for i, name := range names {
		last = append(last, b.publish(0, name, fmt.Sprint(i), plenty))
	}
	for i, name := range names {
		b.eventually(fmt.Sprintf("the entry of %q arrives, or Doubt", name), func() bool { return listeners[i].sees(last[i]) })
		if got := listeners[i].got(); got != "" && got != fmt.Sprint(i) {
			b.Errorf("%q got %q, want %d only", name, got, i)
		}
		if all, _ := b.since(0, name, hub.Position{}, 100); b.history && texts(all) != fmt.Sprint(i) {
			b.Errorf("the history of %q has %q, want %d only", name, texts(all), i)
		}
	}
}

func onceByID(b *bench) {
	l := b.listen(0, "id")
	entry := func(text string) *hub.Entry { return &hub.Entry{ID: "same", Message: ws.Text(text)} }
	first := b.publishEntry(0, "id", entry("1"), plenty)
	if again := b.publishEntry(1, "id", entry("2"), plenty); again != first {
		b.Errorf("the repetition is at %v, the first at %v", again, first)
	}
	if other := b.publishEntry(1, "id.other", entry("3"), plenty); other == first && b.history {
		if all, _ := b.since(1, "id.other", hub.Position{}, 10); len(all) == 0 {
			b.Error("the ID of one topic counts in another")
		}
	}
	forget := plenty
	forget.IDs = 0
	for range 2 {
		b.publishEntry(0, "id.forgotten", entry("4"), forget)
	}
	last := b.publish(0, "id", "5", plenty)
	b.eventually("the last one arrives, or Doubt", func() bool { return l.sees(last) })
	if got := l.got(); strings.Contains(got, "2") {
		b.Errorf("delivered %q", got)
	}
	if b.history {
		if all := b.settle("id", 2); texts(all) != "1 5" {
			b.Errorf("history has %q", texts(all))
		}
		b.settle("id.forgotten", 2)
	}
}

func cancelEnds(b *bench) {
	l := b.listen(0, "cancel")
	stays := b.listen(0, "cancel")
	stop := make(chan struct{})
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := b.engines[0].Publish(b.ctx, "cancel", &hub.Entry{Message: ws.Text("x")}, plenty); err != nil {
					b.Errorf("Publish: %v", err)
					return
				}
			}
		}
	})
	b.eventually("something arrives", func() bool { return stays.got() != "" })
	l.sub.Cancel()
	count := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.entries)
	}
	n := count()
	time.Sleep(50 * time.Millisecond)
	close(stop)
	publisher.Wait()
	if count() != n {
		b.Errorf("%d entries came after Cancel", count()-n)
	}
	l.sub.Cancel() // a second call has no effect
	last := b.publish(0, "cancel", "last", plenty)
	b.eventually("the other subscription goes on", func() bool { return stays.sees(last) })
}

// here returns who is present, as text.
func (b *bench) here(machine int, topic string) string {
	b.Helper()
	all, err := b.engines[machine].Present(b.ctx, topic)
	if err != nil {
		b.Fatalf("Present %q: %v", topic, err)
	}
	var s []string
	for _, p := range all {
		if !p.Here {
			b.Errorf("Present %q returns %q, who is not here", topic, p.Key)
		}
		s = append(s, p.Key+"="+string(p.Info))
	}
	slices.Sort(s)
	return strings.Join(s, " ")
}

// awaitHere waits until all machines report the same presence.
func (b *bench) awaitHere(topic, want string) {
	b.Helper()
	for machine := range b.engines {
		b.eventually(fmt.Sprintf("machine %d has %q present", machine, want), func() bool { return b.here(machine, topic) == want })
	}
}

// changes returns the changes of a key that l has received.
func (l *listener) changes(key string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var s []string
	for _, p := range l.presence {
		switch {
		case p.Key != key:
		case p.Here:
			s = append(s, "+"+string(p.Info))
		default:
			s = append(s, "-")
		}
	}
	return strings.Join(s, " ")
}

func presenceSpreads(b *bench) {
	first, second := b.listen(0, "who"), b.listen(1, "who")
	elsewhere := b.listen(0, "who else")
	first.sub.Announce(hub.Presence{Key: "ann", Info: []byte("1"), Here: true})
	b.awaitHere("who", "ann=1")
	second.sub.Announce(hub.Presence{Key: "bob é.*", Here: true})
	b.awaitHere("who", "ann=1 bob é.*=")
	first.sub.Announce(hub.Presence{Key: "ann", Info: []byte("2"), Here: true})
	b.awaitHere("who", "ann=2 bob é.*=")
	first.sub.Announce(hub.Presence{Key: "ann"})
	b.awaitHere("who", "bob é.*=")
	second.sub.Cancel()
	b.eventually("Cancel withdraws", func() bool { return b.here(0, "who") == "" })
	b.eventually("changes are told", func() bool { return first.changes("ann") == "+1 +2 -" && first.changes("bob é.*") == "+ -" })
	b.eventually("changes are told to the other machine", func() bool { return second.changes("ann") == "+1 +2 -" })
	if got := elsewhere.changes("ann"); got != "" || b.here(0, "who else") != "" {
		b.Errorf("presence of one topic shows in another: %q", got)
	}
}

func presenceLasts(b *bench) {
	first, second := b.listen(0, "both"), b.listen(1, "both")
	ann := hub.Presence{Key: "ann", Info: []byte("1"), Here: true}
	first.sub.Announce(ann)
	b.awaitHere("both", "ann=1")
	second.sub.Announce(ann)
	second.sub.Announce(ann) // counts once
	// It has reached all machines when the next one has.
	second.sub.Announce(hub.Presence{Key: "bob", Here: true})
	b.awaitHere("both", "ann=1 bob=")
	b.publishEntry(1, "both", &hub.Entry{Message: ws.Text("x")}, plenty)
	first.sub.Announce(hub.Presence{Key: "ann"})
	second.sub.Announce(hub.Presence{Key: "bob"})
	b.awaitHere("both", "ann=1")
	second.sub.Announce(hub.Presence{Key: "ann"})
	b.awaitHere("both", "")
	b.eventually("one arrival and one departure are told", func() bool { return first.changes("ann") == "+1 -" })
}

func closeEnds(b *bench) {
	l := b.listen(0, "close")
	l.sub.Announce(hub.Presence{Key: "ann", Here: true})
	e := b.engines[0]
	if err := e.Close(b.ctx); err != nil {
		b.Fatalf("Close: %v", err)
	}
	_, publish := e.Publish(b.ctx, "close", &hub.Entry{Message: ws.Text("x")}, plenty)
	_, _, subscribe := e.Subscribe(b.ctx, "close", &listener{})
	_, _, since := e.Since(b.ctx, "close", hub.Position{}, 10)
	_, present := e.Present(b.ctx, "close")
	for name, err := range map[string]error{"Publish": publish, "Subscribe": subscribe, "Since": since, "Present": present} {
		if err == nil {
			b.Errorf("%s after Close: no error", name)
		}
	}
	l.sub.Announce(hub.Presence{Key: "bob", Here: true}) // neither may panic
	l.sub.Cancel()
}
