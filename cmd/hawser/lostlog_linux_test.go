package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// outlet is where a server's stdout or stderr leads.
type outlet struct {
	file *os.File
	lose func() // what happens to it while the server runs
}

// outlets are the ways in which a log is lost.
var outlets = map[string]func(t *testing.T) outlet{
	"its reader goes away": func(t *testing.T) outlet {
		r, w := pipe(t)
		return outlet{w, func() { r.Close() }}
	},
	"its socket is shut": func(t *testing.T) outlet {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		r, w := os.NewFile(uintptr(fds[0]), "reader"), os.NewFile(uintptr(fds[1]), "writer")
		t.Cleanup(func() { w.Close() })
		return outlet{w, func() { r.Close() }}
	},
	"nobody reads": func(t *testing.T) outlet {
		_, w := pipe(t)
		return outlet{w, func() { fill(t, w) }}
	},
	"the disk is full": func(t *testing.T) outlet {
		f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return outlet{f, func() {}}
	},
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// fill leaves no room in a pipe.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	fd := int(w.Fd()) // and from now on it blocks, as a program's stderr does
	unix.SetNonblock(fd, true)
	for _, n := range []int{4096, 1} {
		for {
			if _, err := unix.Write(fd, make([]byte, n)); err == unix.EAGAIN {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	unix.SetNonblock(fd, false)
}

// startOn starts the server with the two files as its outputs, on a port of its
// own, and waits until it answers.
func startOn(t *testing.T, stdout, stderr *os.File, args ...string) *service {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	s := &service{t: t, url: "http://localhost", http: unixClient(socket), dead: make(chan struct{})}
	s.cmd = exec.Command(program, append([]string{"serve", "--listen", "unix:" + socket, "--data", t.TempDir(), "--log-level", "debug"}, args...)...)
	if stdout != nil { // a nil *os.File is not a nil io.Writer
		s.cmd.Stdout = stdout
	}
	if stderr != nil {
		s.cmd.Stderr = stderr
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.await()
	return s
}

// await waits until a server that was started answers.
func (s *service) await() {
	s.t.Helper()
	go func() {
		s.cmd.Wait()
		close(s.dead)
	}()
	s.t.Cleanup(s.kill)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if resp, err := s.http.Get(s.url + "/healthz"); err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatal("the server does not answer")
		}
	}
}

// unixClient asks the server on a Unix socket.
func unixClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: onSocket(path)}}
}

// complain has the server write a line to its log.
func (s *service) complain() {
	s.t.Helper()
	resp, err := s.http.Get(s.url + "/ws")
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		s.t.Fatalf("GET /ws: %s", resp.Status)
	}
}

// B01: whatever becomes of the log, and of what is printed, the server serves, and
// stops in order.
func TestLostLog(t *testing.T) {
	for name, open := range outlets {
		for _, which := range []string{"stdout", "stderr", "both"} {
			t.Run(which+": "+name, func(t *testing.T) {
				t.Parallel()
				o := open(t)
				var s *service
				switch which {
				case "stdout":
					s = startOn(t, o.file, nil)
				case "stderr":
					s = startOn(t, nil, o.file)
				default:
					s = startOn(t, o.file, o.file)
				}
				o.lose()
				for range 20 {
					s.complain()
				}
				if status := s.stop(); status != 0 {
					t.Errorf("exit status %d; want 0: %v", status, s.cmd.ProcessState)
				}
			})
		}
	}
}

// A reader of the log that stops and goes on finds whole lines.
func TestLateReader(t *testing.T) {
	r, w := pipe(t)
	s := startOn(t, nil, w)
	fill(t, w)
	for range 50 {
		s.complain()
	}
	w.Close()
	text := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(r)
		text <- string(b)
	}()
	if status := s.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	got := strings.ReplaceAll(<-text, "\x00", "")
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	complaints := 0
	for _, l := range lines {
		if !strings.HasPrefix(l, "time=") {
			t.Errorf("not a whole line: %q", l)
		}
		if strings.Contains(l, "missing Upgrade header") {
			complaints++
		}
	}
	if complaints == 0 {
		t.Errorf("no complaint in\n%s", got)
	}
}

// A log that has reached the limit on a file's size is one more that is full.
func TestLogAtTheLimitOfAFile(t *testing.T) {
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := startOn(t, nil, f)
	const limit = 64 << 20 // the store stays below it
	if err := f.Truncate(limit - 10); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: limit}, nil); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		s.complain()
	}
	if status := s.stop(); status != 0 {
		t.Errorf("exit status %d: %v", status, s.cmd.ProcessState)
	}
}

// B03: no signal ends the server but those that ask for that. SIGUSR2 asks for an upgrade: see TestUpgrade.
func TestHangup(t *testing.T) {
	s := launch(t, t.TempDir(), "127.0.0.1:0")
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGUSR1, syscall.SIGXFSZ, syscall.SIGTTOU} {
		s.cmd.Process.Signal(sig)
	}
	waitForLog(t, s, "SIGHUP: there is nothing to reload")
	if status, _ := get(t, s.url+"/healthz"); status != 200 {
		t.Errorf("GET /healthz: %d", status)
	}
	if status := s.stop(); status != 0 {
		t.Errorf("exit status %d: %v", status, s.cmd.ProcessState)
	}
}

// Both outputs closed, as some supervisors start a program: what it opens must not
// be taken for them.
func TestClosedOutputs(t *testing.T) {
	cmd := exec.Command("sh", "-c", `exec "$@" >&- 2>&-`, "sh", program, "version")
	if err := cmd.Run(); err != nil {
		t.Errorf("version: %v", err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	data := t.TempDir()
	s := &service{t: t, url: "http://localhost", http: unixClient(socket), dead: make(chan struct{})}
	s.cmd = exec.Command("sh", "-c", `exec "$@" >&- 2>&-`, "sh", program, "serve", "--listen", "unix:"+socket, "--data", data)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.await()
	s.complain()
	if status := s.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if b, err := os.ReadFile(filepath.Join(data, "chat.db")); err != nil || bytes.Contains(b, []byte("level=")) {
		t.Errorf("the log stands in the store: %v", err)
	}
}

// A tool ends when nobody reads what it prints, as others do.
func TestToolsEndWithTheirReader(t *testing.T) {
	r, w := pipe(t)
	r.Close()
	cmd := exec.Command(program, "config")
	cmd.Stdout = w
	err := cmd.Run()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGPIPE {
		t.Errorf("hawser config | true: %v", err)
	}
}

// What is wrong at the start is said, whole, before the end.
func TestErrorsAtStartAppear(t *testing.T) {
	r, w := pipe(t)
	cmd := exec.Command(program, "serve", "--listen", "nonsense")
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	text, _ := io.ReadAll(bufio.NewReader(r))
	cmd.Wait()
	if !strings.Contains(string(text), `"nonsense" is not allowed`) || !strings.HasSuffix(string(text), "\n") {
		t.Errorf("%q", text)
	}
}
