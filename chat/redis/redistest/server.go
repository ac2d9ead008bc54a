//go:build unix

package redistest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Option is an option of a server, or of all servers of a group.
type Option func(*options)

type options struct {
	lines     []string // of redis.conf
	password  string
	replicas  int
	downAfter time.Duration
	cluster   bool
}

// AOF makes a server keep what it stores in an append-only file. fsync is always, everysec or
// no. Without this option, a server that ends forgets everything.
func AOF(fsync string) Option { return Config("appendonly yes", "appendfsync "+fsync) }

// Password makes a server refuse clients that do not know the password. User is for more.
func Password(password string) Option {
	return func(o *options) {
		o.password = password
		o.lines = append(o.lines, "requirepass "+password, "masterauth "+password)
	}
}

// User adds a user with a password and with rules as those of ACL SETUSER, like "~* &* +@all".
func User(name, password, rules string) Option {
	return Config(fmt.Sprintf("user %s on >%s %s", name, password, rules))
}

// Config adds lines to redis.conf, like "maxmemory 100mb".
func Config(lines ...string) Option {
	return func(o *options) { o.lines = append(o.lines, lines...) }
}

// DownAfter sets for how long a master of StartSentinel must not answer until it is replaced, and
// how long a step of that may take. Otherwise that is a second, which a busy machine may need for
// an answer: then another server becomes the master without a reason.
func DownAfter(d time.Duration) Option { return func(o *options) { o.downAfter = d } }

// Replicas sets how many replicas the master of StartSentinel has. Otherwise it has two.
func Replicas(n int) Option { return func(o *options) { o.replicas = n } }

// Server is a Redis process. Its methods are for the goroutine of the test, except Try.
type Server struct {
	Addr string // the address, like 127.0.0.1:12345
	Port int
	Dir  string // the directory with its data
	Log  string // the file with its log

	t        testing.TB
	bus      int // the port for other servers of a cluster
	password string
	args     []string
	process  atomic.Pointer[process]
	paused   atomic.Bool
}

// defaults are the first lines of each redis.conf. Tests fill, stall and flush servers.
const defaults = `bind 127.0.0.1
protected-mode no
save ""
appendonly no
enable-debug-command local
repl-diskless-sync-delay 0
repl-timeout 5
repl-ping-replica-period 1
`

// Start starts a server, and returns when it answers.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	o := collect(opts)
	return start(t, o, "redis.conf", defaults+strings.Join(o.lines, "\n")+"\n")
}

func collect(opts []Option) *options {
	o := &options{replicas: 2, downAfter: time.Second}
	for _, opt := range opts {
		opt(o)
	}
	return o
}

// start starts a server with this configuration on a free port.
func start(t testing.TB, o *options, file, conf string, args ...string) *Server {
	t.Helper()
	s := &Server{Dir: t.TempDir(), t: t, password: o.password}
	s.Log = filepath.Join(s.Dir, "log")
	s.args = append([]string{filepath.Join(s.Dir, file)}, args...)
	t.Cleanup(func() {
		if p := s.process.Load(); p != nil {
			p.kill()
		}
		if t.Failed() {
			t.Logf("%s, %s:\n%s", s.Addr, s.Log, tail(s.Log, 40))
		}
	})
	for {
		s.Port, s.bus = freePort(), freePort()
		s.Addr = loopback(s.Port)
		own := fmt.Sprintf("port %d\ndir %s\n", s.Port, s.Dir)
		if o.cluster {
			own += fmt.Sprintf("cluster-port %d\n", s.bus)
		}
		if err := os.WriteFile(s.args[0], []byte(conf+own), 0o600); err != nil {
			t.Fatal(err)
		}
		s.run()
		if s.ready() {
			return s
		}
		// Another program may have taken the port since it was free.
		if log, _ := os.ReadFile(s.Log); !strings.Contains(string(log), "Address already in use") {
			s.fatalEnded()
		}
		os.Remove(s.Log)
	}
}

func (s *Server) run() {
	s.t.Helper()
	p, err := spawn(s.Log, binary(s.t), s.args...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.process.Store(p)
	s.paused.Store(false)
}

// ready waits until the server answers as one that has read all its data does. It returns false
// if the process has ended.
func (s *Server) ready() (ok bool) {
	s.t.Helper()
	await(s.t, "the server", []*Server{s}, func() error {
		if s.process.Load().ended() {
			return nil
		}
		v, err := s.Try("INFO", "server")
		if err != nil {
			return err
		}
		if pid := fields(v.(string))["process_id"]; pid != strconv.Itoa(s.Pid()) {
			return fmt.Errorf("the answer is that of another process, %s", pid)
		}
		if _, err := s.Try("PING"); err != nil {
			return err // it is loading
		}
		ok = true
		return nil
	})
	return ok
}

func (s *Server) fatalEnded() {
	s.t.Helper()
	s.t.Fatalf("%s ended: %v; see %s", binary(s.t), s.process.Load().cmd.ProcessState, s.Log)
}

// Kill ends the process with SIGKILL, as a crash does.
func (s *Server) Kill() { s.process.Load().kill() }

// Shutdown ends the process with SIGTERM, and returns when it has ended.
func (s *Server) Shutdown() {
	s.t.Helper()
	s.process.Load().signal(syscall.SIGTERM)
	select {
	case <-s.process.Load().dead:
	case <-time.After(patience):
		s.t.Fatalf("the server does not end; see %s", s.Log)
	}
}

// Restart starts the server again, with the same port and data. A process that is still running
// is killed first. It returns when the server answers.
func (s *Server) Restart() {
	s.t.Helper()
	s.process.Load().kill()
	s.run()
	if !s.ready() {
		s.fatalEnded()
	}
}

// Pause stops the process with SIGSTOP: its connections stay, and nothing is answered.
func (s *Server) Pause() {
	s.paused.Store(true)
	s.process.Load().signal(syscall.SIGSTOP)
}

// Resume lets a paused process go on.
func (s *Server) Resume() {
	s.process.Load().signal(syscall.SIGCONT)
	s.paused.Store(false)
}

// up reports whether the process runs, and is not paused.
func (s *Server) up() bool { return !s.paused.Load() && !s.process.Load().ended() }

// Pid returns the process id.
func (s *Server) Pid() int { return s.process.Load().cmd.Process.Pid }

// Do sends a command on a connection of its own and returns the answer: a string, int64, nil or
// []any. An error ends the test.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	v, err := s.Try(args...)
	if err != nil {
		s.t.Fatalf("%s: %v: %v; see %s", s.Addr, args, err, s.Log)
	}
	return v
}

// Try is Do for any goroutine. What Redis refuses is an Error.
func (s *Server) Try(args ...any) (any, error) {
	c, err := dial(s.Addr)
	if err != nil {
		return nil, err
	}
	defer c.nc.Close()
	if s.password != "" {
		if _, err := c.do(time.Second, "AUTH", s.password); err != nil {
			return nil, err
		}
	}
	v, err := c.do(patience, args...)
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return nil, fmt.Errorf("no answer within %v", patience)
	}
	return v, err
}

// Info returns the fields of a section of INFO. The section "everything" is all of them.
func (s *Server) Info(section string) map[string]string {
	s.t.Helper()
	return fields(s.Do("INFO", section).(string))
}

// Role returns master or slave.
func (s *Server) Role() (string, error) {
	v, err := s.Try("ROLE")
	if err != nil {
		return "", err
	}
	return v.([]any)[0].(string), nil
}

// fields parses lines like "name:value".
func fields(text string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			m[name] = value
		}
	}
	return m
}
