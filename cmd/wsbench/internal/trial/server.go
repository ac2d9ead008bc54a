package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/group"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/pin"
)

// Candidate is a server to be compared.
type Candidate struct {
	Name    string
	Command string // of the shell; {port} stands for a free port
	URL     string // with {port}
}

// ParseCandidate reads NAME=COMMAND.
func ParseCandidate(s, url string) (c Candidate, err error) {
	name, command, ok := strings.Cut(s, "=")
	if !ok || name == "" || strings.ContainsAny(name, " /") {
		return c, fmt.Errorf("%q is not of the form NAME=COMMAND", s)
	}
	if !strings.Contains(command, "{port}") {
		return c, fmt.Errorf("the command of %s has no {port}: each run gets a free one", name)
	}
	return Candidate{name, command, url}, nil
}

// started is a server that runs.
type started struct {
	cmd   *exec.Cmd // its shell, which leads its group of processes
	url   string
	out   *tail
	done  chan struct{} // closed when the shell has ended
	guard *group.Guard
}

// startTimeout is how long a server may take until it listens.
const startTimeout = 15 * time.Second

// start runs a candidate on some cores and waits until it listens.
func (c Candidate) start(ctx context.Context, cpus []int) (*started, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	fill := func(s string) string { return strings.ReplaceAll(s, "{port}", strconv.Itoa(port)) }
	s := &started{url: fill(c.URL), out: &tail{}, done: make(chan struct{})}
	s.cmd = group.Shell(fill(c.Command))
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	// A process that has left the group may keep the pipe to out open.
	s.cmd.WaitDelay = time.Second
	if s.guard, err = group.Start(s.cmd, func(cmd *exec.Cmd) error { return pin.Start(cmd, cpus) }); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name, err)
	}
	go func() {
		s.cmd.Wait()
		close(s.done)
	}()
	deadline := time.Now().Add(startTimeout)
	for {
		nc, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(port), time.Second)
		if err == nil {
			nc.Close()
			return s, nil
		}
		select {
		case <-s.done:
			s.stop()
			return nil, fmt.Errorf("%s ended at once: %s", c.Name, s.out)
		case <-ctx.Done():
			s.stop()
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.stop()
			return nil, fmt.Errorf("%s does not listen on port %d after %v: %s", c.Name, port, startTimeout, s.out)
		}
	}
}

func (s *started) pid() int { return s.cmd.Process.Pid }

// stop ends the server and everything in its group, and waits for it.
func (s *started) stop() {
	group.End(s.cmd, false)
	select {
	case <-s.done:
	case <-time.After(2 * time.Second):
	}
	group.End(s.cmd, true)
	<-s.done
	s.guard.Stop()
}

// processes returns the processes of the server's group: the shell may have started
// another process, and that one more.
func (s *started) processes() ([]int, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// After the name in parentheses: state, parent, group.
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && len(f) > 2 && f[0] != "Z" && f[2] == strconv.Itoa(s.pid()) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// alive returns an error with the server's output if it no longer runs.
func (s *started) alive() error {
	select {
	case <-s.done:
		return errors.New("the server ended meanwhile: " + s.out.String())
	default:
		return nil
	}
}

func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte // Guarded by mu.
}

const tailSize = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > tailSize {
		t.b = bytes.Clone(t.b[len(t.b)-tailSize:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := strings.TrimSpace(string(t.b)); s != "" {
		return s
	}
	return "it said nothing"
}
