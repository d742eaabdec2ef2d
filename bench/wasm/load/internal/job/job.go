//go:build js

// Package job contains the load of rows n and o, which their browser clients of all libraries
// run.
package job

import (
	"fmt"
	"os"
	"strconv"
	"syscall/js"
	"time"
)

// Client is a connection of any library.
type Client struct {
	Close   func()
	Send    func([]byte) error
	Receive func() ([]byte, error) // valid until the next one
}

// Run dials, runs the load that the page's arguments describe, and reports to the page how many
// messages arrived in which time. The arguments are the address, the size of a message, the
// number in flight, whether to send in bursts, and the milliseconds to warm up and to measure.
func Run(dial func(url string) (Client, error)) {
	if err := run(dial); err != nil {
		js.Global().Call("failed", err.Error())
	}
}

func run(dial func(url string) (Client, error)) error {
	if len(os.Args) != 7 {
		return fmt.Errorf("%d arguments, not url, size, depth, burst, warmup and duration", len(os.Args)-1)
	}
	var n [5]int
	for i := range n {
		var err error
		if n[i], err = strconv.Atoi(os.Args[2+i]); err != nil {
			return err
		}
	}
	size, depth, burst := n[0], n[1], n[2] == 1
	c, err := dial(os.Args[1])
	if err != nil {
		return err
	}
	defer c.Close()
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = byte(i)
	}
	work := func(d time.Duration) (messages int, took time.Duration, err error) {
		start := time.Now()
		for took < d {
			more, err := 0, error(nil)
			if burst {
				more, err = inBurst(c, payload, depth)
			} else {
				more, err = inTurn(c, payload)
			}
			if err != nil {
				return 0, 0, err
			}
			messages += more
			took = time.Since(start)
		}
		return messages, took, nil
	}
	if !burst {
		for range depth - 1 {
			if err := c.Send(payload); err != nil {
				return err
			}
		}
	}
	if _, _, err := work(time.Duration(n[3]) * time.Millisecond); err != nil {
		return err
	}
	messages, took, err := work(time.Duration(n[4]) * time.Millisecond)
	if err != nil {
		return err
	}
	js.Global().Call("finished", messages, float64(took.Microseconds())/1e3)
	return nil
}

// inBurst sends depth messages and then receives as many.
func inBurst(c Client, payload []byte, depth int) (int, error) {
	for range depth {
		if err := c.Send(payload); err != nil {
			return 0, err
		}
	}
	for range depth {
		if err := receive(c, len(payload)); err != nil {
			return 0, err
		}
	}
	return depth, nil
}

// inTurn sends one message and receives one.
func inTurn(c Client, payload []byte) (int, error) {
	if err := c.Send(payload); err != nil {
		return 0, err
	}
	return 1, receive(c, len(payload))
}

func receive(c Client, size int) error {
	data, err := c.Receive()
	if err == nil && (len(data) != size || data[size-1] != byte(size-1)) {
		err = fmt.Errorf("received %d bytes, want %d", len(data), size)
	}
	return err
}
