//go:build unix

package group

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// Shell is a command of the shell in a group of its own, for Start. Arguments that are
// added to it are the command's, from $0 on.
func Shell(command string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", gate, "sh", command)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// gate has a command wait until it is guarded: until then, a line on descriptor 3 is
// missing. If this process is killed before, there is none, and nothing is run.
const gate = `read go <&3 || exit 1; exec 3<&-; exec /bin/sh -c "$@"`

// Start starts a command that Shell made, by start, and guards its group. The guard
// also removes some of its files or folders when it has killed the group.
func Start(cmd *exec.Cmd, start func(*exec.Cmd) error, files ...string) (*Guard, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	cmd.ExtraFiles = []*os.File{r}
	err = start(cmd)
	r.Close()
	if err != nil {
		return nil, err
	}
	g, err := newGuard(cmd.Process.Pid, files)
	if err != nil {
		w.Close() // so it ends
		cmd.Wait()
		return nil, err
	}
	w.WriteString("go\n") // one that has ended already says so when it is waited for
	return g, nil
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

func newGuard(pid int, files []string) (*Guard, error) {
	g := &Guard{cmd: exec.Command("/bin/sh", "-c", fmt.Sprintf(`read x; kill -KILL -%d; rm -rf -- "$@"`, pid), "sh")}
	g.cmd.Args = append(g.cmd.Args, files...)
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
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
