//go:build unix

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A signal ends the run and its testee, and what was graded until then is reported.
func TestSignal(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	addr, out, baseline := freeAddr(t), t.TempDir(), filepath.Join(t.TempDir(), "baseline.json")
	for _, c := range []struct{ args, exec string }{
		{"server --url ws://" + addr + "/ --cases H2.1,H2.2 --parallel 1 --time-scale 100 --agent a --out " + out + " --write-baseline " + baseline,
			"WSCONFORM_TEST_SERVE=once:" + addr + " exec " + self},
		{"client --listen " + addr, "echo testee $$; echo now; exec sleep 1000"},
	} {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "WSCONFORM_TEST_SERVE=wsconform", "WSCONFORM_TEST_ARGS="+strings.Join(append(strings.Fields(c.args), "--quiet", "--exec", c.exec), "\n"))
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		cmd.Stdout, cmd.Stderr = w, w
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		var testee atomic.Int64
		stuck := time.AfterFunc(time.Minute, func() {
			t.Errorf("%s: the run, or its testee, does not end", c.args)
			cmd.Process.Kill()
			if pid := int(testee.Load()); pid > 0 {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		})
		var log strings.Builder
		for lines := bufio.NewScanner(r); lines.Scan(); { // until both have ended
			var pid int64
			if _, err := fmt.Sscanf(lines.Text(), "testee %d", &pid); err == nil {
				testee.Store(pid)
			}
			if lines.Text() == "now" {
				cmd.Process.Signal(syscall.SIGTERM)
			}
			log.WriteString(lines.Text() + "\n")
		}
		cmd.Wait()
		stuck.Stop()
		if status := cmd.ProcessState.ExitCode(); status != exitCannot || testee.Load() == 0 {
			t.Errorf("%s: exit status %d:\n%s", c.args, status, log.String())
		}
	}
	index, err := os.ReadFile(filepath.Join(out, "index.json"))
	if !strings.Contains(string(index), "H2.1") || strings.Contains(string(index), "H2.2") {
		t.Errorf("the reports are %s, %v; want H2.1 alone", index, err)
	}
	if _, err := os.Stat(baseline); err == nil {
		t.Error("a run that was interrupted made a baseline")
	}
}
