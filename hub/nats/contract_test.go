package nats

import (
	"context"
	"testing"
	"time"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/hub/enginetest"
)

// quick are options for tests.
var quick = Options{InMemory: true, Messages: 10_000, Lease: time.Second, Check: 200 * time.Millisecond}

func TestContract(t *testing.T) {
	s := startServer(t, true)
	enginetest.Run(t, enginetest.Target{Open: openEngines(s.ClientURL(), quick), KeepsMore: true, Forgets: true})
}

// core is an Engine with Options.NoHistory, for which no topic has history.
type core struct{ hub.Engine }

func (c core) Publish(ctx context.Context, topic string, e *hub.Entry, keep hub.Keep) (hub.Position, error) {
	keep.Messages = 0
	return c.Engine.Publish(ctx, topic, e, keep)
}

func TestContractWithoutJetStream(t *testing.T) {
	s := startServer(t, false)
	o := quick
	o.NoHistory = true
	enginetest.Run(t, enginetest.Target{NoHistory: true, NoIDs: true, Open: func(t testing.TB, n int) []hub.Engine {
		engines := openEngines(s.ClientURL(), o)(t, n)
		for i := range engines {
			engines[i] = core{engines[i]}
		}
		return engines
	}})
}
