package isosocket

import (
	"context"
	"iter"
	"strconv"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/presence"
	"github.com/isosocket/isosocket/internal/wsurl"
	"github.com/isosocket/isosocket/ws"
)

// The defaults of ReconnectOptions.
const (
	// DefaultBaseDelay is 4 seconds, a wait of 2 on average. With less, clients that
	// lose their server at the same time would reconnect in too short a time.
	DefaultBaseDelay = 4 * time.Second
	// DefaultMaxDelay is 30 seconds.
	DefaultMaxDelay = 30 * time.Second
	// DefaultStableAfter is 10 seconds.
	DefaultStableAfter = 10 * time.Second
)

// ReconnectOptions configure [Connections] and [Client]. A nil pointer and the zero
// value select the defaults.
type ReconnectOptions struct {
	// Dial are the options of each attempt; nil selects the defaults.
	Dial *DialOptions

	// Prepare, if not nil, is called before each attempt and may change its URL and its
	// Options, such as Header and Subprotocols. Use it to fetch a new token. ctx ends
	// when the loop's context ends or HandshakeTimeout has passed.
	//
	// An error of Prepare counts as a failed attempt. If it is not a
	// [*errors.ConnectionError], it counts as an attempt without a status, which
	// [DefaultRetry] tries again.
	Prepare func(ctx context.Context, attempt *Attempt) error

	// Retry decides, from the error that ended the last connection or attempt,
	// whether to try again. nil means [DefaultRetry].
	Retry func(err error) bool

	// BaseDelay is the upper bound of the wait before the first new attempt, and
	// MaxDelay is that of the wait before any attempt. The bound doubles with each
	// attempt, from BaseDelay to MaxDelay, and the wait is a random time from 0 up to
	// the bound, so that clients that lost their server at the same time do not
	// reconnect at the same time. 0 means 4 seconds for BaseDelay and 30 seconds for
	// MaxDelay, or the value of the other one if BaseDelay would be longer than
	// MaxDelay. If both are set, BaseDelay must not be longer.
	//
	// After a planned restart, when the server closed with [errors.GoingAway] or
	// [errors.ServiceRestart], the wait is at most a second, because another server
	// is available or soon will be. That bound, too, doubles with each planned
	// restart, until a connection is stable.
	BaseDelay, MaxDelay time.Duration

	// Delay, if not nil, decides how long to wait before the next attempt: it gets
	// the error and the random wait, and returns the wait to use; a negative one
	// counts as 0. The wait begins after the time that a server asked for in
	// Retry-After. If a server advises a delay in its close message, the application
	// can use it here.
	Delay func(err error, wait time.Duration) time.Duration

	// StableAfter is how long a connection must last before the count of attempts,
	// and with it the wait, starts again. So a server that accepts connections and
	// drops them at once is not dialed at short intervals forever. 0 means 10
	// seconds.
	StableAfter time.Duration

	// MaxAttempts limits the attempts in a row without a stable connection, including
	// the first. 0 means no limit.
	MaxAttempts int

	// OnAttempt, if not nil, is called before each attempt, after Prepare.
	OnAttempt func(Attempt)

	// OnDown, if not nil, is called when an attempt has failed or a connection
	// has ended and another attempt will follow. It gets the error and the wait, for
	// example to show a countdown to the user.
	OnDown func(Down)
}

// Attempt is one try to connect.
type Attempt struct {
	// Number counts from 1, and starts again after each stable connection.
	Number int
	// URL is the URL to dial.
	URL string
	// Options are the options of this attempt: a copy, which shares only the values
	// that its fields refer to.
	Options DialOptions
}

// Down is the time between a connection, or an attempt, and the next attempt.
type Down struct {
	// Err says why the last attempt failed or the last connection ended.
	Err error
	// Attempts is the number of attempts since the last stable connection.
	Attempts int
	// Wait is the time until the next attempt. In a browser the next attempt may come
	// sooner, when the machine is online again or the user comes back to the page, or
	// later, while the machine is offline and the page hidden.
	Wait time.Duration
}

// Connections returns an iterator over live connections to url, one after the
// other, which dials again whenever the last one is gone:
//
//	for conn, err := range isosocket.Connections(ctx, url, nil) {
//		if err != nil {
//			return err // trying again makes no sense
//		}
//		for m, err := range conn.Messages(ctx) {
//			if err != nil {
//				break // continue with the next connection
//			}
//			use(m)
//		}
//	}
//
// The loop's body owns the connection until it ends. Then the connection is closed if
// it is still open, with [errors.NormalClosure], or [errors.GoingAway] if ctx has
// ended. There are never two open connections at a time. Closing may take
// DialOptions.CloseTimeout.
//
// If a connection was still open when the body ended, another connection follows.
// Otherwise Retry decides by the error that ended the connection or the attempt. If
// Retry returns false, or MaxAttempts is reached, the loop ends by yielding a nil
// connection and the error. It ends without an error when ctx ends or the body
// breaks.
//
// The first attempt is made at once. Each later attempt follows a wait. BaseDelay and
// MaxDelay determine it, and it is at least as long as the server asked for in a
// Retry-After field that can be read, up to an hour. In a browser the rest of the wait
// is skipped when the machine comes online, or the page becomes visible or returns from
// the back/forward cache, also if this happened up to 5 seconds before the wait began;
// and no attempt is made while the machine is offline and the page hidden.
//
// Everything runs on the goroutine of the loop, including the functions of opts.
// The iterator may be used again, and by many goroutines at the same time: each use
// is a separate loop.
func Connections(ctx context.Context, url string, opts *ReconnectOptions) iter.Seq2[*ws.Conn, error] {
	return newRedialer(url, opts).connections(ctx)
}

// redialer holds the options and functions that a use of Connections needs.
type redialer struct {
	ReconnectOptions
	url      string
	dial     func(context.Context, string, *DialOptions) (*ws.Conn, error)
	presence func() watcher
	random   func() float64
}

func newRedialer(url string, opts *ReconnectOptions) *redialer {
	r := &redialer{url: url, dial: Dial, presence: func() watcher { return presence.Watch() }}
	if opts != nil {
		r.ReconnectOptions = *opts
	}
	return r
}

// withDefaults returns o with its zero fields filled in, or an error that names
// a field that cannot be used.
func (o ReconnectOptions) withDefaults() (ReconnectOptions, error) {
	if o.Dial == nil {
		o.Dial = &DialOptions{}
	}
	if o.Retry == nil {
		o.Retry = DefaultRetry
	}
	baseDelay, maxDelay := o.BaseDelay, o.MaxDelay
	for _, d := range []struct {
		field string
		value *time.Duration
		zero  time.Duration
	}{
		{"BaseDelay", &o.BaseDelay, DefaultBaseDelay},
		{"MaxDelay", &o.MaxDelay, DefaultMaxDelay},
		{"StableAfter", &o.StableAfter, DefaultStableAfter},
	} {
		switch {
		case *d.value < 0:
			return o, &optionError{"ReconnectOptions." + d.field, "is negative: " + d.value.String()}
		case *d.value == 0:
			*d.value = d.zero
		}
	}
	if o.BaseDelay > o.MaxDelay {
		switch {
		case maxDelay == 0:
			o.MaxDelay = o.BaseDelay
		case baseDelay == 0:
			o.BaseDelay = o.MaxDelay
		default:
			return o, &optionError{"ReconnectOptions.BaseDelay", "is " + baseDelay.String() + ", longer than MaxDelay, which is " + maxDelay.String()}
		}
	}
	if o.MaxAttempts < 0 {
		return o, &optionError{"ReconnectOptions.MaxAttempts", "is negative: " + strconv.Itoa(o.MaxAttempts)}
	}
	return o, nil
}

func (r *redialer) connections(ctx context.Context) iter.Seq2[*ws.Conn, error] {
	return func(yield func(*ws.Conn, error) bool) {
		o, err := r.withDefaults()
		if err != nil {
			yield(nil, err)
			return
		}
		if err := mayWait("Connections", "run the loop on another goroutine"); err != nil {
			yield(nil, err)
			return
		}
		usual := backoff{base: o.BaseDelay, limit: o.MaxDelay, random: r.random}
		planned := backoff{base: min(restartDelay, o.BaseDelay), limit: o.MaxDelay, random: r.random}
		// Connections that have ended, but are still being closed: at most one,
		// because the next attempt waits.
		var closing sync.WaitGroup
		defer closing.Wait()
		p := r.presence()
		defer p.Stop()
		if !r.wait(ctx, p, 0, 0) {
			return
		}
		waits, restarts := 0, 0 // since the last stable connection
		for attempts := 1; ; attempts++ {
			closing.Wait()
			conn, err := r.attempt(ctx, &o, attempts)
			again := false
			if err == nil {
				var lived time.Duration
				if lived, again, err = lend(ctx, conn, yield, &closing); err == nil {
					return
				}
				if lived >= o.StableAfter {
					attempts, waits, restarts = 0, 0, 0
				}
			}
			switch {
			case ctx.Err() != nil:
				return
			case !again && !o.Retry(err):
				yield(nil, err)
				return
			case o.MaxAttempts > 0 && attempts >= o.MaxAttempts:
				yield(nil, &attemptsError{attempts, err})
				return
			}
			asked, wait := retryAfter(err), time.Duration(0)
			if restarting(err) {
				wait = planned.wait(restarts)
				restarts++
			} else {
				wait = usual.wait(waits)
				waits++
			}
			if o.Delay != nil {
				wait = max(o.Delay(err, wait), 0)
			}
			if o.OnDown != nil {
				o.OnDown(Down{Err: err, Attempts: attempts, Wait: asked + wait})
			}
			if !r.wait(ctx, p, asked, wait) {
				return
			}
		}
	}
}

// attempt dials once.
func (r *redialer) attempt(ctx context.Context, o *ReconnectOptions, number int) (*ws.Conn, error) {
	a := Attempt{Number: number, URL: r.url, Options: *o.Dial}
	if o.Prepare != nil {
		if err := prepare(ctx, o.Prepare, &a); err != nil {
			if _, ok := errors.AsType[*errors.ConnectionError](err); !ok {
				err = &errors.ConnectionError{URL: wsurl.Redact(a.URL), Err: err}
			}
			return nil, err
		}
	}
	if o.OnAttempt != nil {
		o.OnAttempt(a)
	}
	return r.dial(ctx, a.URL, &a.Options)
}

func prepare(ctx context.Context, f func(context.Context, *Attempt) error, a *Attempt) error {
	ctx, cancel := a.Options.withHandshakeTimeout(ctx)
	defer cancel()
	return f(ctx, a)
}

// lend passes conn to the body of the loop and closes it afterwards. lived is how
// long the body used it, and wasOpen reports whether conn was still open then. err is
// the error that ended conn, nil if the body left the loop.
func lend(ctx context.Context, conn *ws.Conn, yield func(*ws.Conn, error) bool, closing *sync.WaitGroup) (lived time.Duration, wasOpen bool, err error) {
	began, returned := time.Now(), false
	defer func() {
		if !returned { // the body panicked, or ended its goroutine
			conn.Close(errors.InternalError, "")
		}
	}()
	stays := yield(conn, nil)
	returned = true
	lived, wasOpen = time.Since(began), conn.Err() == nil
	reason := errors.NormalClosure
	if ctx.Err() != nil {
		reason = errors.GoingAway
	}
	if wasOpen {
		conn.Close(reason, "")
	} else {
		// A peer that is gone does not answer, and this wait for it may continue
		// during the wait for the next attempt.
		closing.Go(func() { conn.Close(reason, "") })
	}
	if !stays {
		return lived, wasOpen, nil
	}
	return lived, wasOpen, conn.Err()
}

// wait waits until the next attempt may be made, and returns false if ctx ended
// first. The time that the server asked for is never shortened. The wait after it is
// cut short when the user comes back, or came back just before: Chromium delivers the
// close event of a connection only after the page has returned from the back/forward
// cache. Each return cuts one wait.
func (r *redialer) wait(ctx context.Context, p watcher, asked, wait time.Duration) bool {
	returned := false
	select {
	case at := <-p.Returned():
		returned = time.Since(at) <= returnWindow
	default:
	}
	timer := time.NewTimer(asked)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	}
	if !returned {
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return false
		case <-p.Returned():
		case <-timer.C:
		}
	}
	for p.Away() {
		select {
		case <-ctx.Done():
			return false
		case <-p.Returned():
		}
	}
	return ctx.Err() == nil
}

// returnWindow is the maximum time between the return of the user and the start of a
// wait that the return cuts short.
const returnWindow = 5 * time.Second

// watcher reports whether an attempt makes sense now, as far as a browser knows. It
// is a [presence.Watcher], except in tests.
type watcher interface {
	// Returned delivers the time when the machine came online or the user came back,
	// and holds the last one.
	Returned() <-chan time.Time
	// Away reports whether the machine is offline and the page hidden.
	Away() bool
	// Stop releases all resources.
	Stop()
}

type attemptsError struct {
	attempts int
	err      error
}

func (e *attemptsError) Error() string {
	return "websocket: gave up after " + strconv.Itoa(e.attempts) + " attempts: " + e.err.Error()
}

func (e *attemptsError) Unwrap() error { return e.err }

func (e *attemptsError) Is(target error) bool { return target == errors.ErrWebSocket }

type optionError struct{ field, why string }

func (e *optionError) Error() string { return "websocket: invalid option: " + e.field + " " + e.why }

func (e *optionError) Is(target error) bool { return target == errors.ErrWebSocket }
