package web

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// service is the real binary with data of its own, on a port that it keeps when it
// is started again.
type service struct {
	t      *testing.T
	binary string
	data   string
	listen string
	url    string
	flags  []string
	cmd    *exec.Cmd
}

// built is the binary, which the tests share.
var built struct {
	once sync.Once
	dir  string
	err  error
}

func build() {
	if built.dir, built.err = os.MkdirTemp("", "hawser"); built.err != nil {
		return
	}
	build := exec.Command("go", "build", "-o", built.dir, "github.com/hawser-ws/hawser/cmd/hawser")
	if out, err := build.CombinedOutput(); err != nil {
		built.err = fmt.Errorf("%v: %w\n%s", build, err, out)
	}
}

// newService starts it, perhaps with further flags.
func newService(t *testing.T, flags ...string) *service {
	t.Helper()
	if built.once.Do(build); built.err != nil {
		t.Fatal(built.err)
	}
	s := &service{t: t, binary: filepath.Join(built.dir, "hawser"), data: filepath.Join(t.TempDir(), "data"), listen: "127.0.0.1:0", flags: flags}
	s.start()
	t.Cleanup(s.kill)
	return s
}

// start starts it and returns when it says where it listens.
func (s *service) start() {
	s.t.Helper()
	args := []string{"serve", "--listen", s.listen, "--data", s.data, "--limits.messages-per-second", "0"}
	s.cmd = exec.Command(s.binary, append(args, s.flags...)...)
	s.cmd.Env = slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "HAWSER_") })
	var log strings.Builder
	s.cmd.Stderr = &log
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if _, after, ok := strings.Cut(lines.Text(), "http://"); ok {
			s.listen, _, _ = strings.Cut(after, "/")
			s.url = "http://" + s.listen + "/"
			return
		}
	}
	s.kill()
	s.t.Fatalf("hawser does not start:\n%s", log.String())
}

// kill ends it without a chance to tidy up.
func (s *service) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}
