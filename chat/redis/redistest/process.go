//go:build unix

package redistest

import (
	"bytes"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is how long to wait for what must come.
const patience = 30 * time.Second

// pause is the time between two looks at a state that Redis does not announce.
const pause = 5 * time.Millisecond

// chosen is read when the program starts, because tests of settings clear such variables.
var chosen = os.Getenv("HAWSER_REDIS_SERVER")

// binary returns the path of the server's program.
func binary(t testing.TB) string {
	t.Helper()
	names := []string{"redis-server", "valkey-server"}
	if chosen != "" {
		names = []string{chosen}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("no %s here: \"make tools\" installs redis-server", strings.Join(names, " and no "))
	return ""
}

// process is a running server. It ends with the test's process, however that ends.
type process struct {
	cmd  *exec.Cmd
	dead chan struct{} // closed when it has ended
}

// spawn starts a program that writes to the file of this name.
func spawn(log string, name string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{cmd: exec.Command(name, args...), dead: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = endWithParent
	started := make(chan error)
	go func() {
		// Linux ends the process with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.cmd.Wait()
			close(p.dead)
		}
	}()
	return p, <-started
}

func (p *process) signal(sig os.Signal) { p.cmd.Process.Signal(sig) }

func (p *process) ended() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

func (p *process) kill() {
	p.signal(os.Kill)
	<-p.dead
}

// freePort returns a port on which nothing listens.
func freePort() int {
	for {
		port := 12000 + rand.IntN(20000)
		l, err := net.Listen("tcp", loopback(port))
		if err == nil {
			l.Close()
			return port
		}
	}
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// await waits until try has no error.
func await(t testing.TB, what string, servers []*Server, try func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s: %v; see %s", patience, what, err, logs(servers))
		}
		time.Sleep(pause)
	}
}

// logs names the servers' logs, the ends of which a test that fails prints.
func logs(servers []*Server) string {
	var names []string
	for _, s := range servers {
		names = append(names, s.Log)
	}
	return strings.Join(names, ", ")
}

func tail(file string, lines int) []byte {
	b, err := os.ReadFile(file)
	if err != nil {
		return []byte(err.Error())
	}
	all := bytes.Split(bytes.TrimRight(b, "\n"), []byte("\n"))
	return bytes.Join(all[max(0, len(all)-lines):], []byte("\n"))
}
