//go:build linux

package faults

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// program is the path of the real binary, built once. buildDir is where it is.
var program, buildDir string

func TestMain(m *testing.M) {
	for _, pair := range os.Environ() { // settings of this machine must not affect a test
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "HAWSER_") || strings.HasPrefix(name, "LISTEN_") {
			os.Unsetenv(name)
		}
	}
	dir, err := os.MkdirTemp("", "hawser-faults")
	if err != nil {
		panic(err)
	}
	buildDir, program = dir, filepath.Join(dir, "hawser")
	code := 1
	if out, err := exec.Command("go", "build", "-o", program, "github.com/hawser-ws/hawser/cmd/hawser").CombinedOutput(); err != nil {
		fmt.Printf("go build: %v\n%s", err, out)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// noLimits let the clients of a run, which all have one address, be as fast as they like.
var noLimits = []string{"--limits.messages-per-second=0", "--limits.burst=0", "--limits.connections-per-address=0", "--limits.guests-per-minute=0",
	"--limits.errors-per-minute=0"}

// node is a hawser process behind a relay. Its methods may be called from any goroutine, but
// only one may start and end it.
type node struct {
	name  string
	args  []string         // the program comes first
	log   string           // a file
	skew  int64            // seconds by which its clock is wrong, from the next start on; see skewedProgram
	relay *redistest.Relay // between the clients and the node
	redis *redistest.Relay // between the node and Redis; nil: it has none

	mu   sync.Mutex
	cmd  *exec.Cmd     // Guarded by mu. nil while it does not run
	dead chan struct{} // Guarded by mu.
}

// newNode prepares a node that does not run yet.
func newNode(t *testing.T, binary, name, data string, redis *redistest.Relay, args ...string) *node {
	t.Helper()
	listen := freeAddress(t)
	n := &node{
		name: name, log: filepath.Join(t.TempDir(), name+".log"), relay: redistest.StartRelay(t, listen), redis: redis,
		args: append(append([]string{binary, "serve", "--listen", listen, "--data", data}, noLimits...), args...),
	}
	t.Cleanup(func() {
		n.kill()
		if b, err := os.ReadFile(n.log); err == nil && t.Failed() {
			t.Logf("the end of the log of %s:\n%s", name, b[max(0, len(b)-4096):])
		}
	})
	return n
}

// freeAddress returns an address that nothing listens on, below the ports that the system
// assigns to clients.
func freeAddress(t *testing.T) string {
	t.Helper()
	for {
		address := fmt.Sprintf("127.0.0.1:%d", 12000+rand.IntN(20000))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
}

// start starts the node, as often as it takes, and returns when it listens.
func (n *node) start(ctx context.Context) error {
	for {
		err := n.tryStart(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// tryStart starts the process. The system ends it with the thread that started it, and so
// with this process.
func (n *node) tryStart(ctx context.Context) error {
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(n.args[0], n.args[1:]...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", skewVariable, n.skew))
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	started, listens, dead := make(chan error), make(chan bool, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), "chat at ") {
				listens <- true
			}
		}
		cmd.Wait()
		close(dead)
	}()
	if err := <-started; err != nil {
		return err
	}
	n.mu.Lock()
	n.cmd, n.dead = cmd, dead
	n.mu.Unlock()
	select {
	case <-listens:
		return nil
	case <-dead:
		return fmt.Errorf("%s ended at its start: see %s", n.name, n.log)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (n *node) signal(s syscall.Signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		n.cmd.Process.Signal(s)
	}
}

// end sends a signal that ends the process, and waits for that.
func (n *node) end(s syscall.Signal) {
	n.signal(s)
	n.mu.Lock()
	dead := n.dead
	n.mu.Unlock()
	if dead == nil {
		return
	}
	select {
	case <-dead:
	case <-time.After(time.Minute): // it has 10 s for that, and the operations that it waits for have 5
		n.signal(syscall.SIGQUIT)
		<-dead
	}
}

func (n *node) kill() { n.end(syscall.SIGKILL) }

// once makes a connection for each request: the relay may have cut the last one.
var once = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// account is a guest.
type account struct {
	Token string `json:"token"`
	ID    string `json:"user_id"`
}

// guest makes a user.
func (n *node) guest(ctx context.Context, name string) (a account, err error) {
	asking, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	body, _ := json.Marshal(map[string]string{"name": name})
	req, err := http.NewRequestWithContext(asking, "POST", "http://"+n.relay.Addr+"/api/guest", bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	resp, err := once.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || a.Token == "" {
		return a, fmt.Errorf("POST /api/guest: %s %v", resp.Status, err)
	}
	return a, nil
}
