package server

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// children are what the test binary can be instead of a test: processes of their
// own because of what they use up, or because of what happens to them. args are
// what the test gave. A child ends when its input does.
var children = map[string]func(args []string) error{
	"crowd":  crowd,
	"broken": broken,
}

// childVariable makes the test binary a child: its name and its arguments.
const childVariable = "HAWSER_TEST_CHILD"

func TestMain(m *testing.M) {
	words := strings.Fields(os.Getenv(childVariable))
	if len(words) == 0 {
		os.Exit(m.Run())
	}
	if err := children[words[0]](words[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child is such a process.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	err *os.File // what it wrote to standard error; a file takes no goroutine
}

// spawn starts a child, which ends with the test at the latest.
func spawn(t testing.TB, name string, args ...any) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), childVariable+"="+name+" "+strings.TrimSuffix(fmt.Sprintln(args...), "\n"))
	var err error
	if c.err, err = os.Create(filepath.Join(t.TempDir(), "stderr")); err != nil {
		t.Fatal(err)
	}
	c.cmd.Stderr = c.err
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.end(); c.err.Close() })
	return c
}

// log returns what the child has written to standard error.
func (c *child) log() string {
	b, err := os.ReadFile(c.err.Name())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// line returns what the child says next.
func (c *child) line(t testing.TB) string {
	t.Helper()
	s, err := c.out.ReadString('\n')
	if err != nil {
		c.end()
		t.Fatalf("%s: %v, and its log:\n%s", c.cmd.Env[len(c.cmd.Env)-1], err, c.log())
	}
	return strings.TrimSuffix(s, "\n")
}

// end lets the child end, and returns how it did.
func (c *child) end() error {
	c.in.Close()
	return c.cmd.Wait()
}
