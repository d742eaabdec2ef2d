// Package child starts a command of this module again, as a process of its own that answers lines on
// its standard output. The process begins with a line of its own accord, such as its address.
package child

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// Process is such a process. One goroutine at a time may ask it.
type Process struct {
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Scanner
}

// Start runs the program of this process again, with args. The caller must call Stop.
func Start(args ...string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.Command(self, args...)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewScanner(out)
	return p, p.cmd.Start()
}

// Send writes a line to the process.
func (p *Process) Send(line string) { fmt.Fprintln(p.in, line) }

// Line returns the next line of the process.
func (p *Process) Line() (string, error) {
	if !p.out.Scan() {
		return "", errors.New("the process has ended")
	}
	return p.out.Text(), nil
}

// Ask sends a line, and returns the next one of the process.
func (p *Process) Ask(line string) (string, error) {
	p.Send(line)
	return p.Line()
}

// Stop kills the process.
func (p *Process) Stop() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}
