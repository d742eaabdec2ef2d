//go:build !js

package topicserver

import (
	"fmt"
	"math"

	"golang.org/x/time/rate"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/internal/topicwire"
	"github.com/isosocket/isosocket/server"
)

// The defaults of [Options].
const (
	// DefaultPublishRate is 50 a second.
	DefaultPublishRate = 50
	// DefaultSubscribeRate is 20 a second.
	DefaultSubscribeRate = 20
)

// Options configure an [Endpoint]. A nil pointer and the zero value select the defaults.
// The limits of a connection are also those of the Hub: see [hub.Limits].
type Options struct {
	// Server are the options of the connections. Subprotocols, ChooseSubprotocol and
	// Authorize must not be set: the Endpoint sets them. MaxMessageSize is by default 1
	// MiB and 4 KiB more, so that a message of the Hub's default size fits with its header.
	// nil selects the defaults.
	Server *server.Options
	// PublishRate is how many messages one connection may publish in a second, and twice
	// as many at once. More are refused, and a client of package topic then waits. 0 means
	// [DefaultPublishRate], a negative number no limit.
	PublishRate int
	// SubscribeRate is how many subscriptions, and requests to watch presence, one
	// connection may begin in a second. So that it can return with all its topics, as many
	// at once are allowed as the larger of twice this number and 256. 0 means
	// [DefaultSubscribeRate], a negative number no limit.
	SubscribeRate int
}

// subscribeBurst is twice the default of hub.Limits.Topics: each with a watch.
const subscribeBurst = 2 * hub.DefaultTopics

// withDefaults returns o with its defaults, and a copy of Server.
func (o *Options) withDefaults() (Options, error) {
	var d Options
	if o != nil {
		d = *o
	}
	var s server.Options
	if d.Server != nil {
		s = *d.Server
	}
	for _, taken := range []struct {
		name string
		set  bool
	}{
		{"Subprotocols", s.Subprotocols != nil},
		{"ChooseSubprotocol", s.ChooseSubprotocol != nil},
		{"Authorize: use Access.Connect", s.Authorize != nil},
	} {
		if taken.set {
			return d, &optionError{fmt.Sprintf("Options.Server must not have %s", taken.name)}
		}
	}
	s.Subprotocols = []string{topicwire.Subprotocol}
	if s.MaxMessageSize == 0 {
		s.MaxMessageSize = hub.DefaultMessageSize + topicwire.MaxHeader
	}
	d.Server = &s
	if d.PublishRate == 0 {
		d.PublishRate = DefaultPublishRate
	}
	if d.SubscribeRate == 0 {
		d.SubscribeRate = DefaultSubscribeRate
	}
	return d, nil
}

// limiter returns a limiter of a rate, nil for no limit.
func limiter(perSecond, burst int) *rate.Limiter {
	if perSecond < 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(burst, min(perSecond, math.MaxInt/2)*2))
}

type optionError struct{ what string }

func (e *optionError) Error() string { return "topicserver: invalid option: " + e.what }

func (e *optionError) Is(target error) bool { return target == errors.ErrWebSocket }
