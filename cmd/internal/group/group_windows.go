package group

import (
	"os/exec"
	"strconv"
)

// Shell is a command of the shell, for Start.
func Shell(command string) *exec.Cmd { return exec.Command("cmd", "/C", command) }

// End kills a command that was started, and what it started.
func End(cmd *exec.Cmd, _ bool) {
	exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(cmd.Process.Pid)).Run()
}

// Alive is false: taskkill waits.
func Alive(*exec.Cmd) bool { return false }

// Guard does nothing here: started processes go on when this process is killed.
type Guard struct{}

// Start starts a command that Shell made, by start.
func Start(cmd *exec.Cmd, start func(*exec.Cmd) error, _ ...string) (*Guard, error) {
	return nil, start(cmd)
}

// Stop does nothing.
func (*Guard) Stop() {}
