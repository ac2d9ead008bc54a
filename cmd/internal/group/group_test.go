//go:build unix

package group

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// start starts a command that starts another one, and returns its output, which ends
// when both have ended.
func start(t *testing.T, command string, files ...string) (*exec.Cmd, *Guard, *bufio.Reader) {
	t.Helper()
	cmd := Shell(command)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	g, err := Start(cmd, (*exec.Cmd).Start, files...)
	if err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(30*time.Second, func() {
		t.Error("the group goes on")
		End(cmd, true)
	})
	t.Cleanup(func() { stuck.Stop() })
	lines := bufio.NewReader(out)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return cmd, g, lines
}

// All that a command started ends with it; by force what does not want to.
func TestEnd(t *testing.T) {
	for name, c := range map[string]struct {
		command string
		force   bool
	}{"kindly": {"sleep 60 & echo ready; wait", false}, "by force": {"trap '' TERM; sleep 60 & echo ready; wait", true}} {
		cmd, g, out := start(t, c.command)
		if !Alive(cmd) {
			t.Errorf("%s: nothing runs", name)
		}
		End(cmd, c.force)
		io.Copy(io.Discard, out)
		cmd.Wait()
		g.Stop()
		for deadline := time.Now().Add(30 * time.Second); Alive(cmd); time.Sleep(time.Millisecond) { // until the system has noticed
			if time.Now().After(deadline) {
				t.Fatalf("%s: something goes on", name)
			}
		}
	}
}

// However this process ends, the group ends with it: then the guard's input does.
func TestGuard(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "of its own")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd, g, out := start(t, "sleep 60 & echo ready; wait", folder)
	g.in.Close()
	io.Copy(io.Discard, out)
	cmd.Wait()
	g.cmd.Wait()
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("its folder is there: %v", err)
	}
	g.Stop()
	(*Guard)(nil).Stop()
}

// Nothing is run that is not guarded: then the gate stays closed.
func TestGate(t *testing.T) {
	cmd := Shell("echo run")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	defer r.Close()
	cmd.ExtraFiles = []*os.File{r}
	if out, err := cmd.Output(); len(out) > 0 || err == nil {
		t.Errorf("%q, %v", out, err)
	}
}
