//go:build unix

package group

import (
	"fmt"
	"io"
	"os/exec"
	"syscall"
)

// Shell is a command of the shell in a group of its own, which the caller starts.
func Shell(command string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// End asks the group of a command that was started to end, or kills it.
func End(cmd *exec.Cmd, force bool) {
	sig := syscall.SIGTERM
	if force {
		sig = syscall.SIGKILL
	}
	syscall.Kill(-cmd.Process.Pid, sig)
}

// Alive reports whether anything of the group still runs.
func Alive(cmd *exec.Cmd) bool { return syscall.Kill(-cmd.Process.Pid, 0) == nil }

// Guard is a process that kills a group when its input ends. That happens however
// this process ends.
type Guard struct {
	cmd *exec.Cmd
	in  io.Closer
}

// NewGuard guards the group of a command that was started, and removes some of its
// files or folders when it has killed the group.
func NewGuard(cmd *exec.Cmd, files ...string) (*Guard, error) {
	g := &Guard{cmd: Shell(fmt.Sprintf(`read x; kill -KILL -%d; rm -rf -- "$@"`, cmd.Process.Pid))}
	g.cmd.Args = append(g.cmd.Args, "sh")
	g.cmd.Args = append(g.cmd.Args, files...)
	in, err := g.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	g.in = in
	return g, g.cmd.Start()
}

// Stop ends the guard alone: the group has ended. A nil guard is none.
func (g *Guard) Stop() {
	if g != nil {
		g.cmd.Process.Kill()
		g.cmd.Wait()
	}
}
