//go:build unix

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/interrupt"
)

// interrupted runs wsconform until its testee says "now", or itself that all cases are
// done, sends it a signal, and returns
// what all of them said and how wsconform ended, once all have. A testee says who it is.
func interrupted(t *testing.T, sig syscall.Signal, args ...string) (out string, state *os.ProcessState) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "WSCONFORM_TEST_SERVE=wsconform", "WSCONFORM_TEST_ARGS="+strings.Join(args, "\n"))
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
		t.Errorf("%q: the run, or its testee, does not end", args)
		cmd.Process.Kill()
		if pid := int(testee.Load()); pid > 0 {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	defer stuck.Stop()
	var log strings.Builder
	for lines := bufio.NewScanner(r); lines.Scan(); { // until both have ended
		var pid int64
		if _, err := fmt.Sscanf(lines.Text(), "testee %d", &pid); err == nil {
			testee.Store(pid)
		}
		if lines.Text() == "now" || strings.Contains(lines.Text(), "16 of 16 cases") {
			cmd.Process.Signal(sig)
		}
		log.WriteString(lines.Text() + "\n")
	}
	cmd.Wait()
	if testee.Load() == 0 {
		t.Errorf("%q: there was no testee:\n%s", args, log.String())
	}
	return log.String(), cmd.ProcessState
}

// A signal ends the run and its testee, and what was graded until then is reported,
// marked as partial in every format; a baseline is not made of it.
func TestSignal(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for sig, status := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
		t.Run(sig.String(), func(t *testing.T) {
			addr, out, dir := freeAddr(t), t.TempDir(), t.TempDir()
			baseline, junit := filepath.Join(dir, "baseline.json"), filepath.Join(dir, "junit.xml")
			os.WriteFile(baseline, []byte("{}"), 0o644)
			log, state := interrupted(t, sig, "server", "--url", "ws://"+addr+"/", "--cases", "H2.1,H2.2", "--parallel", "1", "--anyway", "--time-scale", "100", "--agent", "a", "--quiet",
				"--out", out, "--junit", junit, "--write-baseline", baseline, "--exec", "WSCONFORM_TEST_SERVE=once:"+addr+" exec "+self)
			want := fmt.Sprintf("%v after 1 of 2 cases", &interrupt.Error{Signal: sig})
			if state.ExitCode() != status || !strings.Contains(log, "\nPARTIAL: "+want+"\n") || !strings.Contains(log, "\nwsconform: interrupted by SIG") {
				t.Errorf("%v:\n%s", state, log)
			}
			index, err := os.ReadFile(filepath.Join(out, "index.json"))
			if !strings.Contains(string(index), "H2.1") || strings.Contains(string(index), "H2.2") {
				t.Errorf("the reports are %s, %v; want H2.1 alone", index, err)
			}
			for _, file := range []string{"index.json", "index.html", "a.html"} {
				if b, err := os.ReadFile(filepath.Join(out, file)); err != nil || !strings.Contains(string(b), want) {
					t.Errorf("%s does not say that it is partial: %v", file, err)
				}
			}
			if b, err := os.ReadFile(junit); err != nil || !strings.Contains(string(b), `<error message="`+want) {
				t.Errorf("JUnit: %v, %s", err, b)
			}
			if b, err := os.ReadFile(baseline); err != nil || string(b) != "{}" {
				t.Errorf("a run that was interrupted changed the baseline: %s, %v", b, err)
			}
		})
	}
}

// A tester of clients that is interrupted before a client has played reports nothing,
// and ends what it started.
func TestSignalBeforeAnything(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	log, state := interrupted(t, syscall.SIGINT, "client", "--listen", freeAddr(t), "--quiet", "--out", out, "--exec", "echo testee $$; echo now; exec sleep 1000")
	if _, err := os.Stat(out); state.ExitCode() != 130 || !strings.Contains(log, "wsconform: interrupted by SIGINT") || err == nil {
		t.Errorf("%v, %v:\n%s", state, err, log)
	}
}

// A testee ends with wsconform even if that is killed.
func TestKilled(t *testing.T) {
	_, state := interrupted(t, syscall.SIGKILL, "client", "--listen", freeAddr(t), "--quiet", "--exec", "trap '' TERM; sleep 1000 & echo testee $$; echo now; wait")
	if status := state.Sys().(syscall.WaitStatus); !status.Signaled() {
		t.Errorf("%v", state)
	}
}

// A signal is the ordinary way to end a tester whose clients have played all cases.
func TestSignalAfterAll(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	player := "echo testee $$; WSCONFORM_TEST_SERVE= WSCONFORM_TEST_PLAY=" + addr + " " + self + ";"
	log, state := interrupted(t, syscall.SIGINT, "client", "--listen", addr, "--cases", "1.*", "--exec", player+"exec sleep 1000")
	if state.ExitCode() != exitPassed || strings.Contains(log, "PARTIAL") {
		t.Errorf("%v:\n%s", state, log)
	}
	log, state = interrupted(t, syscall.SIGINT, "client", "--listen", addr, "--cases", "1.*,2.1,2.2", "--quiet", "--exec", player+"echo now; exec sleep 1000")
	if state.ExitCode() != 130 || !regexp.MustCompile("PARTIAL: interrupted by SIGINT after 1[56] of 18 cases").MatchString(log) {
		t.Errorf("two cases were left out: %v:\n%s", state, log)
	}
}
