package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Flag is the name of the flag that gives this program its [Task], as JSON.
const Flag = "task"

// patience bounds the time for a process to start or to answer.
const patience = 60 * time.Second

// Process controls a measured process. One goroutine at a time may use it.
type Process struct {
	// Address is the address on which it listens, or "" for a client.
	Address string

	cmd *exec.Cmd
	in  io.WriteCloser
	out io.ReadCloser
	enc *json.Encoder
	dec *json.Decoder
}

// Start runs another instance of this program for t, and waits until it is ready. The caller
// must call Stop.
func Start(t *Task) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	task, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.Command(self, "-"+Flag, string(task))}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.enc, p.dec = json.NewEncoder(p.in), json.NewDecoder(p.out)
	var r ready
	if err := p.read(&r); err != nil {
		p.Stop()
		return nil, fmt.Errorf("%s did not start: %w", t.Peer, err)
	}
	if r.Error != "" {
		p.Stop()
		return nil, fmt.Errorf("%s did not start: %s", t.Peer, r.Error)
	}
	p.Address = r.Address
	return p, nil
}

// Begin samples the process at the start of a measured window.
func (p *Process) Begin() (Sample, error) { return p.ask(request{Op: "begin"}) }

// End samples the process at the end of a measured window.
func (p *Process) End() (Sample, error) { return p.ask(request{Op: "end"}) }

// Collect makes the process free memory, and samples it.
func (p *Process) Collect() (Sample, error) { return p.ask(request{Op: "collect"}) }

// Broadcast makes the process send to all its connections, rounds times.
func (p *Process) Broadcast(rounds int) error {
	_, err := p.ask(request{Op: "broadcast", Rounds: rounds})
	return err
}

func (p *Process) ask(r request) (s Sample, err error) {
	if err := p.enc.Encode(r); err != nil {
		return s, err
	}
	if err := p.read(&s); err != nil {
		return s, fmt.Errorf("%s: %w", r.Op, err)
	}
	if s.Error != "" {
		return s, errors.New(s.Error)
	}
	return s, nil
}

func (p *Process) read(v any) error {
	// This pipe has no deadline, so a timer ends a process that hangs.
	timer := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	return p.dec.Decode(v)
}

// Stop ends the process and waits for it.
func (p *Process) Stop() {
	p.in.Close()
	timer := time.AfterFunc(2*time.Second, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	p.cmd.Wait()
}
