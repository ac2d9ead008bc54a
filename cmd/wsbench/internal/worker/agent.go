package worker

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// AgentCommand is how an agent is started on another host, by default. It says who may,
// hides what the two say to each other, and ends the agent when the controller ends.
const AgentCommand = "ssh -o BatchMode=yes {host} wsbench agent"

// StartAgent starts a worker on another host, by a command of the shell in which {host}
// stands for the host. The worker is called over the command's standard input and output.
func StartAgent(ctx context.Context, host, command string) (Worker, error) {
	if host == "" || strings.HasPrefix(host, "-") { // ssh would take it for an option
		return nil, fmt.Errorf("agent %q: that is no host", host)
	}
	name := "agent " + host
	quoted := "'" + strings.ReplaceAll(host, "'", `'\''`) + "'"
	cmd := exec.Command("sh", "-c", strings.ReplaceAll(command, "{host}", quoted))
	// The terminal's interrupt is for the controller, which ends its agents.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	said := &tail{}
	cmd.Stderr = said
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	r := newRemote(name, pipes{out, in}, said.String, func() error { return await(cmd, callTimeout) })
	if err := r.hello(ctx); err != nil {
		r.Close() // after which all that it said is known
		if lost, ok := errors.AsType[*LostError](err); ok {
			lost.Said = said.String()
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return r, nil
}

// tail keeps the end of what was written to it.
type tail struct {
	mu sync.Mutex
	b  []byte // Guarded by mu.
}

// maxTail is how much of it, in bytes.
const maxTail = 300

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-maxTail):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}
