package nats

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	natsio "github.com/nats-io/nats.go"

	"github.com/isosocket/isosocket/hub"
)

const (
	// maxChanges and maxChangeBytes bound one message of presence.
	maxChanges     = 500
	maxChangeBytes = 64 << 10
	// settle is how long a new engine waits for other machines to answer.
	settle = 250 * time.Millisecond
	// patient bounds that wait, and the wait for the answer to a ping.
	patient = 2 * time.Second
)

// presence holds the keys of all machines. Each machine numbers its changes, and sends them to
// all others. Three times per lease it sends the number alone. A machine that misses a number asks
// the one that sent it for all its keys.
type presence struct {
	engine *Engine
	queue  chan *natsio.Msg
	work   chan struct{} // there is something to send; one element
	ready  chan struct{} // closed when the machines that were there at first are known

	mu       sync.Mutex
	topics   map[string]map[string]*person // by topic and key
	here     map[place]*announced
	machines map[string]*machine // the others
	version  uint64              // of the last change
	pending  []change            // not sent yet
	greeting bool                // ask all others to say their versions
	asked    []string            // machines that ask for all keys here
	answers  []string            // machines that ask for the version
	left     bool
	opened   time.Time
	isReady  bool
}

// place is a key in a topic.
type place struct{ topic, key string }

// person is who is present in a topic.
type person struct {
	info []byte
	by   map[string][]byte // by machine
}

// announced is a key that subscriptions here announce.
type announced struct {
	info []byte
	by   []*subscription
}

// machine is another machine.
type machine struct {
	heard   time.Time // by the clock of this machine
	version uint64    // of the last change that was applied
	keys    map[place]struct{}
	known   bool      // keys and version are complete
	asked   time.Time // for all keys
	parts   []change  // of an answer that is not complete
	part    int
}

// change says that a key is, or is no longer, present.
type change struct {
	Topic string `json:"t"`
	Key   string `json:"k"`
	Info  []byte `json:"i,omitempty"`
	Gone  bool   `json:"g,omitempty"`
}

// notice is a message of one machine to all, or to one.
type notice struct {
	From string `json:"from"`
	// Version is that of the last of Changes, or of the last one before the notice.
	Version uint64   `json:"v"`
	Changes []change `json:"c,omitempty"`
	// All says that Changes are all keys of the machine; Part counts the notices of that, and
	// More says that there is another.
	All  bool `json:"all,omitempty"`
	Part int  `json:"p,omitempty"`
	More bool `json:"more,omitempty"`
	// Greets asks for the version, Asks for all keys, and Leaves says that the machine ends.
	Greets bool `json:"greets,omitempty"`
	Asks   bool `json:"asks,omitempty"`
	Leaves bool `json:"leaves,omitempty"`
}

func (p *presence) init(e *Engine) {
	p.engine = e
	p.queue = make(chan *natsio.Msg, 8192)
	p.work = make(chan struct{}, 1)
	p.ready = make(chan struct{})
	p.topics = make(map[string]map[string]*person)
	p.here = make(map[place]*announced)
	p.machines = make(map[string]*machine)
}

func (p *presence) subject(machine string) string {
	s := p.engine.options.Prefix + whoPart
	if machine != "" {
		s += "." + machine
	}
	return s
}

// open begins to listen and to send.
func (p *presence) open() error {
	e := p.engine
	for _, to := range []string{"", e.name} {
		if _, err := e.nc.ChanSubscribe(p.subject(to), p.queue); err != nil {
			return e.linkError("subscribe", err)
		}
	}
	p.mu.Lock()
	p.opened = p.now()
	p.greeting = true
	p.mu.Unlock()
	p.wake()
	e.work.Go(p.run)
	return nil
}

func (p *presence) wake() {
	select {
	case p.work <- struct{}{}:
	default:
	}
}

// greet asks all others for their versions, after a connection was lost.
func (p *presence) greet() {
	p.mu.Lock()
	p.greeting = true
	p.mu.Unlock()
	p.wake()
}

// run receives, sends and looks for machines that are gone.
func (p *presence) run() {
	e := p.engine
	lease := e.options.Lease
	beat := time.NewTicker(lease / 3)
	defer beat.Stop()
	look := time.NewTicker(min(lease/6, settle/2))
	defer look.Stop()
	for {
		alone := false
		select {
		case m := <-p.queue:
			p.receive(m)
		case <-p.work:
		case <-beat.C:
			alone = true
		case <-look.C:
			p.expire()
		case <-e.ended:
			return
		}
		p.send(alone)
	}
}

// send sends what is pending; alone also sends the version if there is nothing else.
func (p *presence) send(alone bool) {
	for {
		p.mu.Lock()
		if p.left {
			p.mu.Unlock()
			return
		}
		n, bytes := 0, 0
		for n < len(p.pending) && n < maxChanges && bytes < maxChangeBytes {
			bytes += p.pending[n].size()
			n++
		}
		news := notice{From: p.engine.name, Changes: slices.Clone(p.pending[:n]), Greets: p.greeting}
		p.pending = p.pending[n:]
		if len(p.pending) == 0 {
			p.pending = nil
		}
		news.Version = p.version - uint64(len(p.pending))
		p.greeting = false
		asked, answers := p.asked, p.answers
		if len(p.pending) > 0 {
			asked, answers = nil, nil // after the changes
		} else {
			p.asked, p.answers = nil, nil
		}
		var all []change
		if len(asked) > 0 {
			for at, known := range p.here {
				all = append(all, change{Topic: at.topic, Key: at.key, Info: known.info})
			}
		}
		version := p.version
		p.mu.Unlock()
		if n > 0 || news.Greets || alone {
			p.publish("", &news)
		}
		alone = false
		for _, to := range asked {
			p.sendAll(to, version, all)
		}
		for _, to := range answers {
			p.publish(to, &notice{From: p.engine.name, Version: version})
		}
		if n == 0 && len(asked) == 0 && len(answers) == 0 {
			return
		}
	}
}

func (c *change) size() int { return 40 + len(c.Topic) + len(c.Key) + 4*len(c.Info)/3 }

// sendAll sends all keys to a machine.
func (p *presence) sendAll(to string, version uint64, all []change) {
	for part := 0; ; part++ {
		n, bytes := 0, 0
		for n < len(all) && n < maxChanges && bytes < maxChangeBytes {
			bytes += all[n].size()
			n++
		}
		p.publish(to, &notice{From: p.engine.name, Version: version, Changes: all[:n], All: true, Part: part, More: n < len(all)})
		if all = all[n:]; len(all) == 0 {
			return
		}
	}
}

// publish sends a notice to a machine, "" for all. One that cannot be sent is missed by the others, and
// they notice that from the next one.
func (p *presence) publish(to string, n *notice) {
	data, err := json.Marshal(n)
	if err == nil {
		err = p.engine.nc.Publish(p.subject(to), data)
	}
	if err != nil && p.engine.nc.IsConnected() {
		p.engine.report(failed("publish presence", err))
	}
}

// receive applies a notice of another machine.
func (p *presence) receive(m *natsio.Msg) {
	var n notice
	if err := json.Unmarshal(m.Data, &n); err != nil || n.From == "" {
		p.engine.report(failed("receive presence", errPacket))
		return
	}
	if n.From == p.engine.name {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n.Leaves {
		p.drop(n.From)
		return
	}
	other := p.machines[n.From]
	if other == nil {
		other = &machine{keys: make(map[place]struct{})}
		p.machines[n.From] = other
		p.told(n.From, true)
	}
	other.heard = p.now()
	if n.Greets {
		p.answers = append(p.answers, n.From)
	}
	switch first := n.Version - uint64(len(n.Changes)); {
	case n.Asks:
		p.asked = append(p.asked, n.From)
		return
	case n.All:
		p.takeAll(n.From, other, &n)
		return
	case !other.known && n.Version == 0: // it has had no keys
		other.known = true
	case other.known && n.Version <= other.version:
		// Again, or out of order.
	case other.known && first <= other.version:
		for _, c := range n.Changes[other.version-first:] {
			p.apply(n.From, other, c)
		}
		other.version = n.Version
	default:
		p.ask(n.From, other)
	}
}

// ask asks a machine for all its keys. mu is held.
func (p *presence) ask(name string, other *machine) {
	if p.now().Sub(other.asked) < settle {
		return // its next notice shows whether the answer was lost
	}
	other.asked, other.parts, other.part = p.now(), nil, 0
	p.publish(name, &notice{From: p.engine.name, Version: p.version, Asks: true})
}

// takeAll takes a part of the keys of a machine. mu is held.
func (p *presence) takeAll(name string, other *machine, n *notice) {
	if n.Part == 0 {
		other.parts, other.part = nil, 0
	}
	if n.Part != other.part { // a part was lost
		other.asked = time.Time{}
		p.ask(name, other)
		return
	}
	other.part++
	other.parts = append(other.parts, n.Changes...)
	if n.More {
		return
	}
	all := make(map[place]struct{}, len(other.parts))
	for _, c := range other.parts {
		all[place{c.Topic, c.Key}] = struct{}{}
	}
	for at := range other.keys {
		if _, ok := all[at]; !ok {
			p.apply(name, other, change{Topic: at.topic, Key: at.key, Gone: true})
		}
	}
	for _, c := range other.parts {
		p.apply(name, other, c)
	}
	other.parts, other.part = nil, 0
	other.version, other.known = n.Version, true
}

// apply applies a change of another machine. mu is held.
func (p *presence) apply(name string, other *machine, c change) {
	at := place{c.Topic, c.Key}
	if c.Gone {
		delete(other.keys, at)
	} else {
		other.keys[at] = struct{}{}
	}
	p.set(name, at, c.Info, !c.Gone)
}

// set changes who is present, and tells the subscribers here. mu is held.
func (p *presence) set(machine string, at place, info []byte, here bool) {
	who := p.topics[at.topic][at.key]
	if here {
		isNew := who == nil
		if isNew {
			who = &person{by: make(map[string][]byte, 1)}
			if p.topics[at.topic] == nil {
				p.topics[at.topic] = make(map[string]*person)
			}
			p.topics[at.topic][at.key] = who
		}
		who.by[machine] = info
		if isNew || string(who.info) != string(info) {
			who.info = info
			p.tell(at, info, true)
		}
		return
	}
	if who == nil {
		return
	}
	delete(who.by, machine)
	if len(who.by) == 0 {
		delete(p.topics[at.topic], at.key)
		if len(p.topics[at.topic]) == 0 {
			delete(p.topics, at.topic)
		}
		p.tell(at, who.info, false)
		return
	}
	// All machines choose the same of those that remain, if the one that is gone had the info.
	first := slices.Min(slices.Collect(maps.Keys(who.by)))
	for _, other := range who.by {
		if string(other) == string(who.info) {
			return
		}
	}
	who.info = who.by[first]
	p.tell(at, who.info, true)
}

// tell tells the subscribers of a topic here. mu is held.
func (p *presence) tell(at place, info []byte, here bool) {
	e := p.engine
	e.mu.RLock()
	t := e.topics[token(at.topic)]
	e.mu.RUnlock()
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.subs {
		s.subscriber.Present(hub.Presence{Key: at.key, Info: info, Here: here})
	}
}

// told reports another machine. mu is held.
func (p *presence) told(name string, here bool) {
	if f := p.engine.options.Trace.Machine; f != nil {
		f(name, here)
	}
}

// drop forgets a machine with its keys. mu is held.
func (p *presence) drop(name string) {
	other := p.machines[name]
	if other == nil {
		return
	}
	delete(p.machines, name)
	for at := range other.keys {
		p.set(name, at, nil, false)
	}
	p.told(name, false)
}

// expire drops the machines that have not been heard for a lease, while this one was connected.
func (p *presence) expire() {
	if !p.look(false) {
		return
	}
	// The answer to a ping proves that the connection works, and comes after all earlier notices.
	if p.engine.nc.FlushTimeout(patient) != nil {
		return
	}
	for {
		select {
		case m := <-p.queue:
			p.receive(m)
			continue
		default:
		}
		break
	}
	p.look(true)
}

// look reports whether there are machines that have not been heard for a lease, and drops them if
// drop is set.
func (p *presence) look(drop bool) (some bool) {
	connected, since := p.engine.link.up()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !connected {
		return false
	}
	pending := false
	now := p.now()
	for name, other := range p.machines {
		switch {
		case now.Sub(other.heard) > p.engine.options.Lease && time.Since(since) > p.engine.options.Lease:
			some = true
			if drop {
				p.drop(name)
			}
		case !other.known:
			pending = true
		}
	}
	if age := now.Sub(p.opened); !p.isReady && (age >= settle && !pending || age >= patient) {
		p.isReady = true
		close(p.ready)
	}
	return some
}

func (p *presence) now() time.Time { return p.engine.options.now() }

// announce announces a key by a subscription here.
func (p *presence) announce(s *subscription, who hub.Presence) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := place{s.topic.name, who.Key}
	if !who.Here {
		p.withdraw(s, at)
		return
	}
	s.topic.mu.Lock()
	listens := slices.Contains(s.topic.subs, s)
	s.topic.mu.Unlock()
	if !listens || p.left {
		return
	}
	known := p.here[at]
	if known == nil {
		known = &announced{}
		p.here[at] = known
	} else if string(known.info) == string(who.Info) {
		known.add(s, who.Key)
		return
	}
	known.add(s, who.Key)
	known.info = who.Info
	p.change(change{Topic: at.topic, Key: at.key, Info: who.Info})
}

func (a *announced) add(s *subscription, key string) {
	if _, ok := s.keys[key]; ok {
		return
	}
	if s.keys == nil {
		s.keys = make(map[string]struct{})
	}
	s.keys[key] = struct{}{}
	a.by = append(a.by, s)
}

// withdraw withdraws the announcement of a key by a subscription. mu is held.
func (p *presence) withdraw(s *subscription, at place) {
	if _, ok := s.keys[at.key]; !ok {
		return
	}
	delete(s.keys, at.key)
	known := p.here[at]
	known.by = slices.DeleteFunc(known.by, func(other *subscription) bool { return other == s })
	if len(known.by) == 0 {
		delete(p.here, at)
		p.change(change{Topic: at.topic, Key: at.key, Gone: true})
	}
}

// withdrawAll withdraws the announcements of a subscription.
func (p *presence) withdrawAll(s *subscription) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range maps.Clone(s.keys) {
		p.withdraw(s, place{s.topic.name, key})
	}
}

// change applies a change of this machine, and sends it. mu is held.
func (p *presence) change(c change) {
	p.set(p.engine.name, place{c.Topic, c.Key}, c.Info, !c.Gone)
	if p.left {
		return
	}
	p.version++
	p.pending = append(p.pending, c)
	p.wake()
}

// in returns who is present in a topic.
func (p *presence) in(ctx context.Context, topic string) ([]hub.Presence, error) {
	select {
	case <-p.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.engine.ended:
		return nil, errClosed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]hub.Presence, 0, len(p.topics[topic]))
	for key, who := range p.topics[topic] {
		all = append(all, hub.Presence{Key: key, Info: who.info, Here: true})
	}
	return all, nil
}

// others returns the names of the other machines.
func (p *presence) others() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.machines))
}

// leave tells the others that this machine ends.
func (p *presence) leave() {
	p.mu.Lock()
	p.left = true
	p.mu.Unlock()
	p.publish("", &notice{From: p.engine.name, Leaves: true})
}
