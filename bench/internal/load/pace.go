package load

import (
	"runtime"
	"syscall"
	"time"

	"github.com/isosocket/isosocket/bench/internal/wire"
)

// Pace sends messages of script at a fixed rate, on the connections in turn, and counts the
// replies. The rate does not depend on them.
func (c *Clients) Pace(script *wire.Script, every time.Duration, buffer int) {
	c.Read(buffer)
	frame := script.Frame(0)
	c.done.Go(func() {
		// A locked thread with its own sleeps is exact: the runtime's timers are a millisecond
		// late when the process is idle.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		const prSetTimerSlack = 29
		_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetTimerSlack, 1, 0)
		next := time.Now()
		for i := 0; !c.closing.Load(); i++ {
			if d := time.Until(next); d > 0 {
				t := syscall.NsecToTimespec(int64(d))
				_ = syscall.Nanosleep(&t, nil)
			}
			if _, err := c.conns[i%len(c.conns)].conn.Write(frame); err != nil {
				c.fail(err)
				return
			}
			next = next.Add(every)
			if late := time.Since(next); late > 100*time.Millisecond {
				next = time.Now() // missed messages are not sent in a burst
			}
		}
	})
}
