//go:build !js

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// serverVariable is the environment variable that makes this program the server process.
const serverVariable = "ISOSOCKET_SOAK_SERVER"

// answerLimit is how long the server process may take for an answer.
const answerLimit = time.Minute

// child is the server process.
type child struct {
	command   *exec.Cmd
	questions io.WriteCloser
	answers   chan answer // closed when the process writes no more
	ended     chan error
	first     answer
}

// startChild starts this program again, as the server.
func startChild() (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{command: exec.Command(self), answers: make(chan answer), ended: make(chan error, 1)}
	c.command.Env = append(os.Environ(), serverVariable+"=yes")
	c.command.Stderr = os.Stderr
	if c.questions, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("starting the server process: %w", err)
	}
	go func() {
		decoder := json.NewDecoder(output)
		for {
			var a answer
			if err := decoder.Decode(&a); err != nil {
				close(c.answers)
				c.ended <- c.command.Wait()
				return
			}
			c.answers <- a
		}
	}()
	if c.first, err = c.receive(context.Background()); err != nil {
		c.kill()
		return nil, err
	}
	return c, nil
}

// ask asks the server process one question.
func (c *child) ask(ctx context.Context, q question) (answer, error) {
	if err := json.NewEncoder(c.questions).Encode(q); err != nil {
		return answer{}, fmt.Errorf("asking the server process: %w", err)
	}
	return c.receive(ctx)
}

func (c *child) receive(ctx context.Context) (answer, error) {
	select {
	case a, ok := <-c.answers:
		if !ok {
			return a, errors.New("the server process has ended")
		}
		if a.Err != "" {
			return a, errors.New(a.Err)
		}
		return a, nil
	case <-ctx.Done():
		return answer{}, ctx.Err()
	case <-time.After(answerLimit):
		return answer{}, fmt.Errorf("the server process has not answered for %v", answerLimit)
	}
}

// stop ends the process, and returns an error if it did not end well.
func (c *child) stop() error {
	c.questions.Close()
	select {
	case err := <-c.ended:
		c.ended <- err // for another stop
		if err != nil {
			return fmt.Errorf("the server process: %w", err)
		}
		return nil
	case <-time.After(answerLimit):
		c.kill()
		return fmt.Errorf("the server process had not ended after %v", answerLimit)
	}
}

// kill ends the process at once.
func (c *child) kill() {
	c.command.Process.Kill()
	for range c.answers {
	}
	err := <-c.ended
	c.ended <- err
}
