package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/logtest"
)

// patience is how long a test waits for what must come. Nothing is measured by
// it.
const patience = 60 * time.Second

// program is the path of the real binary, built once.
var program string

func TestMain(m *testing.M) {
	for _, pair := range os.Environ() { // no setting of this machine's is a test's
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "HAWSER_") || strings.HasPrefix(name, "LISTEN_") {
			os.Unsetenv(name)
		}
	}
	dir, err := os.MkdirTemp("", "hawser-test")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "hawser")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		fmt.Printf("go build: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// service is a running "hawser serve".
type service struct {
	t    testing.TB
	url  string // http://… or https://…, without a slash at its end
	http *http.Client
	cmd  *exec.Cmd
	log  *logtest.Buffer
	dead chan struct{} // closed when the process has ended
}

// launch starts the program on the given data and waits until it listens.
func launch(t testing.TB, data, listen string, args ...string) *service {
	t.Helper()
	return launchCommand(t, exec.Command(program, append([]string{"serve", "--listen", listen, "--data", data}, args...)...))
}

func launchCommand(t testing.TB, cmd *exec.Cmd) *service {
	t.Helper()
	s := &service{t: t, http: http.DefaultClient, cmd: cmd, log: &logtest.Buffer{}, dead: make(chan struct{})}
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	lines := bufio.NewReader(out)
	first, _ := lines.ReadString('\n')
	go func() {
		io.Copy(s.log, lines)
		s.cmd.Wait()
		close(s.dead)
	}()
	_, rest, ok := strings.Cut(first, "chat at ")
	if !ok {
		<-s.dead
		t.Fatalf("the server says %q\n%s", first, s.log)
	}
	s.url, _, _ = strings.Cut(rest, "/ ")
	return s
}

// kill ends the process with SIGKILL.
func (s *service) kill() {
	s.cmd.Process.Kill()
	<-s.dead
}

// stop ends it as Ctrl-C does and returns its exit status.
func (s *service) stop() int {
	s.t.Helper()
	s.cmd.Process.Signal(os.Interrupt)
	select {
	case <-s.dead:
	case <-time.After(patience):
		s.t.Fatalf("the server does not stop\n%s", s.log)
	}
	return s.cmd.ProcessState.ExitCode()
}

func (s *service) ws(path string) string { return "ws" + strings.TrimPrefix(s.url, "http") + path }

// guest makes a user.
func (s *service) guest(name string) (token, id string) {
	s.t.Helper()
	body, _ := json.Marshal(map[string]string{"name": name})
	resp, err := s.http.Post(s.url+"/api/guest", "application/json", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Token  string `json:"token"`
		UserID string `json:"user_id"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Token == "" {
		s.t.Fatalf("POST /api/guest: %s %v", resp.Status, err)
	}
	return answer.Token, answer.UserID
}
