//go:build unix

package browser

import (
	"os/exec"
	"syscall"
)

// ownGroup makes cmd start a process group. killGroup then ends its child processes, too.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
