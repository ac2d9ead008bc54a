package browser

import (
	"os"
	"os/exec"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/group"
)

// process is a program in a process group of its own, with all that it starts. The
// group and its files also go when the test is killed.
type process struct {
	cmd   *exec.Cmd
	guard *group.Guard
	dead  chan struct{} // closed when the program has ended
}

// start starts a program whose files are in dir. environment is added to the test's
// own.
func start(dir string, out *log, environment []string, path string, args ...string) (*process, error) {
	p := &process{cmd: group.Shell(`exec "$0" "$@"`), dead: make(chan struct{})}
	p.cmd.Args = append(append(p.cmd.Args, path), args...)
	p.cmd.Env = append(os.Environ(), environment...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.WaitDelay = time.Second // others of the group may hold stderr open
	var err error
	if p.guard, err = group.Start(p.cmd, (*exec.Cmd).Start, dir); err != nil {
		return nil, err
	}
	go func() {
		p.cmd.Wait()
		close(p.dead)
	}()
	return p, nil
}

// kill ends the group.
func (p *process) kill() {
	group.End(p.cmd, true)
	<-p.dead
	p.guard.Stop()
}
