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
	// DefaultBaseDelay is 4 seconds: two on average. With less, clients that
	// lose their server together would come back in too narrow a window.
	DefaultBaseDelay = 4 * time.Second
	// DefaultMaxDelay is 30 seconds.
	DefaultMaxDelay = 30 * time.Second
	// DefaultStableAfter is 10 seconds.
	DefaultStableAfter = 10 * time.Second
)

// ReconnectOptions configure [Connections] and [Client]. A nil pointer and the zero
// value mean every default.
type ReconnectOptions struct {
	// Dial is what each attempt is dialed with; nil means every default.
	Dial *DialOptions

	// Prepare, if not nil, is called before each attempt and may change its URL
	// and its Options, such as Header and Subprotocols: the place to fetch a
	// fresh token. ctx ends with the loop's, and with HandshakeTimeout.
	//
	// An error of Prepare's is an attempt that failed: one that is not a
	// [*errors.ConnectionError] counts as one without a status, which
	// [DefaultRetry] tries again.
	Prepare func(ctx context.Context, attempt *Attempt) error

	// Retry decides, from the error that ended the last connection or attempt,
	// whether to try again. nil means [DefaultRetry].
	Retry func(err error) bool

	// BaseDelay bounds the wait before the first new attempt, MaxDelay that
	// before any. The bound doubles with each attempt from the one to the other,
	// and the wait is a random time from 0 up to it, so that clients that lost
	// their server together do not come back together. 0 means 4 seconds, and 30.
	//
	// After a planned restart the wait is at most a second: the server closed
	// with [errors.GoingAway] or [errors.ServiceRestart], so another one is there
	// or will be soon. That bound doubles with each planned restart, too, until
	// a connection is stable.
	BaseDelay, MaxDelay time.Duration

	// Delay, if not nil, decides how long to wait before the next attempt: from
	// the error and the wait that was drawn, it returns the wait; a negative
	// one counts as 0. What a server asked for in Retry-After is waited out before it. An
	// application whose server advises a delay in its close message reads it here.
	Delay func(err error, wait time.Duration) time.Duration

	// StableAfter is how long a connection must have lived for the count of
	// attempts, and with it the wait, to begin anew. A server that accepts and
	// drops at once is thus not dialed at short intervals forever. 0 means 10
	// seconds.
	StableAfter time.Duration

	// MaxAttempts is how many attempts there may be in a row without a stable
	// connection, the first one included. 0 means any number.
	MaxAttempts int

	// OnAttempt, if not nil, is called before each attempt, after Prepare.
	OnAttempt func(Attempt)

	// OnDown, if not nil, is called when an attempt has failed or a connection
	// has ended and another attempt will follow: with the error and the wait, so
	// that a user can be shown a countdown.
	OnDown func(Down)
}

// Attempt is one try to connect.
type Attempt struct {
	// Number counts from 1, and anew after each stable connection.
	Number int
	// URL is what will be dialed.
	URL string
	// Options are what it will be dialed with: this attempt's own copy, but for
	// what its fields refer to.
	Options DialOptions
}

// Down is the time between a connection, or an attempt, and the next attempt.
type Down struct {
	// Err says why the last attempt failed or the last connection ended.
	Err error
	// Attempts is how many attempts there were since the last stable connection.
	Attempts int
	// Wait is how long it will be until the next one. In a browser the next one
	// may come sooner, when the machine is online again or the user comes back
	// to the page, or later, while the machine is offline and the page hidden.
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
//				break // the next connection, please
//			}
//			use(m)
//		}
//	}
//
// The loop's body owns the connection until it ends. Then the connection is
// closed if it is still open, with [errors.NormalClosure], or
// [errors.GoingAway] if ctx has ended, so that there are never two at a time;
// this may take DialOptions.CloseTimeout.
//
// A connection that was still open when the body ended is followed by another
// one. Otherwise Retry decides by the error that ended it, or the attempt. If it
// says no, or MaxAttempts is reached, the loop ends by yielding a nil
// connection and the error. It ends without an error when ctx ends or the body
// breaks.
//
// The first attempt is made at once. Each later one waits first, as BaseDelay
// and MaxDelay say, and at least as long as the server asked for in a
// Retry-After field that can be read, up to an hour. In a browser the rest of
// the wait is skipped when the machine comes online, or the page becomes
// visible or returns from the back/forward cache, also if it did so up to 5
// seconds before the wait began; and no attempt is made while
// the machine is offline and the page hidden.
//
// Everything happens on the goroutine of the loop, the functions of opts
// included. The iterator may be used again, and by many goroutines at the same
// time: each use is a loop of its own.
func Connections(ctx context.Context, url string, opts *ReconnectOptions) iter.Seq2[*ws.Conn, error] {
	return newRedialer(url, opts).connections(ctx)
}

// redialer is what a use of Connections needs.
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
		// Connections that have ended, but of which something may be left: at
		// most one, because the next attempt waits.
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
	timeout := a.Options.HandshakeTimeout
	if timeout == 0 {
		timeout = defaultHandshakeTimeout
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	return f(ctx, a)
}

// lend gives conn to the body of the loop and closes it afterwards. lived is how
// long the body had it, and wasOpen says that the body did not wait for an end.
// err is what ended conn, nil if the body left the loop.
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
		// A peer that is gone does not answer, and the wait for it can go on
		// beside the one for the next attempt.
		closing.Go(func() { conn.Close(reason, "") })
	}
	if !stays {
		return lived, wasOpen, nil
	}
	return lived, wasOpen, conn.Err()
}

// wait waits until the next attempt may be made, and reports false when ctx
// ended first. What the server asked for is waited out; the wait after it is
// cut short by a user who comes back, or has come back just before: Chromium
// delivers the close event of a connection only after the page has returned from
// the back/forward cache. Each return cuts one wait.
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

// returnWindow is how long before a wait the user may have come back to cut it.
const returnWindow = 5 * time.Second

// watcher says whether an attempt makes sense now, as far as a browser knows. It
// is a [presence.Watcher], or a test's.
type watcher interface {
	// Returned delivers the time when the machine came online or the user came back,
	// and holds the last one.
	Returned() <-chan time.Time
	// Away reports whether the machine is offline and the page hidden.
	Away() bool
	// Stop releases everything.
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
