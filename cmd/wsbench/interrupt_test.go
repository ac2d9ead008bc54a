package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/interrupt"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/trial"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/server"
)

// watch is a writer that calls f once, when a text has gone through.
type watch struct {
	text string
	f    func()

	mu  sync.Mutex
	buf bytes.Buffer
	hit bool
}

func (w *watch) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(p)
	if w.text != "" && !w.hit && strings.Contains(w.buf.String(), w.text) {
		w.hit = true
		w.f()
	}
	return len(p), nil
}

func (w *watch) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// interruptible is a context and what interrupts it by SIGINT.
func interruptible(t *testing.T) (context.Context, func()) {
	ctx, end := context.WithCancelCause(t.Context())
	t.Cleanup(func() { end(nil) })
	return ctx, func() { end(&interrupt.Error{Signal: syscall.SIGINT}) }
}

var afterSeconds = regexp.MustCompile(` after [0-9]+\.[0-9] s of 1h0m0s$`)

// In whatever phase a run is interrupted, it reports what it has, in each format,
// says how far it came, and ends at once: all of these would go on for an hour. How many
// seconds it had measured depends on the machine.
func TestInterrupted(t *testing.T) {
	for _, c := range []struct {
		name  string
		args  string
		at    string // of the progress: the moment to interrupt,
		after int64  // but not before the server has this many messages
		want  string // how far it came
		sent  bool   // something was measured
	}{
		{"connecting", "idle --conns 600 --hold 1h", "holding", 0, "interrupted by SIGINT while connecting, 100 of 600 connections", false},
		{"warming up", "echo --conns 5 --rate 200 --warmup 1h", "", 20, "interrupted by SIGINT while warming up: nothing was measured", false},
		{"open loop", "echo --conns 5 --rate 200 --warmup 0s --duration 1h", "", 50, "interrupted by SIGINT after ", true},
		{"closed loop", "echo --conns 5 --inflight 4 --warmup 0s --duration 1h --interval 100ms", "0% 100ms", 1, "interrupted by SIGINT after ", true},
		{"processes", "echo --conns 5 --inflight 4 --warmup 0s --duration 1h --interval 100ms --processes 2", "0% 100ms", 1, "interrupted by SIGINT after ", true},
		{"churn", "churn --conns 5 --warmup 0s --duration 1h --interval 100ms", "0% 100ms", 1, "interrupted by SIGINT after ", true},
		{"last answers", "echo --conns 5 --rate 200 --warmup 0s --duration 200ms --timeout 1h", "waiting for the last", 0, "interrupted by SIGINT while waiting for the last answers: all of 200ms was measured", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cut := interruptible(t)
			var seen, came atomic.Int64
			cutIfDue := func() {
				if seen.Load() >= c.after && (c.at == "" || came.Load() > 0) {
					cut()
				}
			}
			_, url := serve(t, func(conn server.LoopConn, op frame.Opcode, p []byte) {
				n := seen.Add(1)
				cutIfDue()
				if c.name != "last answers" || n < 20 {
					conn.Send(op, p)
				}
			})
			dir := t.TempDir()
			file := func(name string) string { return filepath.Join(dir, name) }
			var out bytes.Buffer
			progress := &watch{text: c.at, f: func() { came.Add(1); cutIfDue() }}
			args := append(strings.Fields(c.args), "--url", url+"/", "--json", file("r.json"), "--csv", file("r.csv"), "--html", file("r.html"))
			status := program(ctx, args, &out, progress)
			if status != 130 || !strings.Contains(out.String(), "  PARTIAL: "+c.want) || !strings.HasSuffix(progress.String(), "wsbench: "+context.Cause(ctx).Error()+"\n") {
				t.Errorf("status %d\n%s%s", status, &out, progress)
			}
			r, err := result.Load(file("r.json"))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(r.Partial, c.want) || r.Total.Sent > 0 != c.sent || r.Seconds > 0 != c.sent || r.Seconds > 100 {
				t.Errorf("%q, %d sent in %v s", r.Partial, r.Total.Sent, r.Seconds)
			}
			if strings.HasSuffix(c.want, "after ") && !afterSeconds.MatchString(r.Partial) {
				t.Errorf("it does not say after how long: %q", r.Partial)
			}
			if n := r.Faults.Total(); n > 0 {
				t.Errorf("%d faults: %v", n, r.Faults.Examples)
			}
			if c.name == "last answers" && r.Unanswered != r.Total.Sent-19 {
				t.Errorf("%d of %d are unanswered; 19 were answered", r.Unanswered, r.Total.Sent)
			}
			f, err := os.Open(file("r.csv"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			rows, err := csv.NewReader(f).ReadAll()
			if last := len(rows) - 1; err != nil || last < 1 || rows[last][len(rows[0])-1] != r.Partial {
				t.Errorf("%q, %v", rows, err)
			}
			if page, err := os.ReadFile(file("r.html")); err != nil || !strings.Contains(string(page), "Partial: interrupted by SIGINT") || strings.Contains(string(page), "NaN") {
				t.Errorf("the page does not say that it is partial: %v", err)
			}
			if status, out, errs := wsbench(t, "report", file("r.json")); status != exitGood || !strings.Contains(out, "PARTIAL: "+c.want) {
				t.Errorf("report: status %d\n%s%s", status, out, errs)
			}
			if status, out, errs := wsbench(t, "diff", file("r.json"), file("r.json")); status != exitGood || !strings.Contains(out, "B is not a whole run: ") {
				t.Errorf("diff: status %d\n%s%s", status, out, errs)
			}
		})
	}
}

// A run that has not begun leaves no file, and one that was there as it was.
func TestNothingBegun(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cut := interruptible(t)
	go func() {
		nc, err := ln.Accept() // and no answer
		if err == nil {
			defer nc.Close()
			cut()
			io.Copy(io.Discard, nc)
		}
	}()
	const nobody = "127.0.0.1:1" // no port that the system hands out
	for _, addr := range []string{ln.Addr().String(), nobody} {
		url, want := "ws://"+addr, 130
		if addr == nobody {
			ctx, want = t.Context(), exitNoRun
		}
		dir := t.TempDir()
		old := filepath.Join(dir, "old.html")
		os.WriteFile(old, []byte("an earlier run"), 0o644)
		var out, errs bytes.Buffer
		status := program(ctx, []string{"echo", "--url", url, "--rate", "10", "--quiet", "--json", filepath.Join(dir, "r.json"), "--csv", filepath.Join(dir, "r.csv"), "--html", old}, &out, &errs)
		files, _ := os.ReadDir(dir)
		if b, _ := os.ReadFile(old); status != want || len(files) != 1 || string(b) != "an earlier run" || out.Len() > 0 {
			t.Errorf("status %d, files %v, %q\n%s%s", status, files, b, &out, &errs)
		}
		if want == exitNoRun && !strings.Contains(errs.String(), "refused") {
			t.Errorf("%s", &errs)
		}
	}
}

// Messages lost before the interrupt are lost; those on their way are not.
func TestInterruptedAmidLoss(t *testing.T) {
	ctx, cut := interruptible(t)
	n := 0
	_, url := serve(t, func(c server.LoopConn, op frame.Opcode, p []byte) {
		switch n++; {
		case n == 200:
			cut()
		case n == 50, n > 100: // from 101 on the server hangs
		default:
			c.Send(op, p)
		}
	})
	path := filepath.Join(t.TempDir(), "r.json")
	var out bytes.Buffer
	status := program(ctx, []string{"echo", "--url", url, "--conns", "1", "--rate", "1000", "--warmup", "0s", "--duration", "1h", "--quiet", "--json", path}, &out, io.Discard)
	r, err := result.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if status != 130 || r.Faults.Count[load.Lost] != 1 || r.Unanswered != r.Total.Sent-100 || !strings.Contains(out.String(), "messages were not answered yet; they are not counted as lost") {
		t.Errorf("status %d, lost %d, unanswered %d of %d\n%s", status, r.Faults.Count[load.Lost], r.Unanswered, r.Total.Sent, &out)
	}
}

// An agent that ends in the middle of a run ends the run: the controller says so, and reports what
// the others measured.
func TestAgentEnds(t *testing.T) {
	dir := t.TempDir()
	var seen atomic.Int64
	_, url := serve(t, func(c server.LoopConn, op frame.Opcode, p []byte) {
		if seen.Add(1) == 300 {
			b, err := os.ReadFile(filepath.Join(dir, "leaves"))
			pid, err2 := strconv.Atoi(strings.TrimSpace(string(b)))
			if err := errors.Join(err, err2); err != nil {
				t.Error(err)
				return
			}
			syscall.Kill(pid, syscall.SIGKILL)
		}
		c.Send(op, p)
	})
	path := filepath.Join(t.TempDir(), "r.json")
	how := agents(t)
	how[1] = "echo $$ > " + dir + "/{host}; " + how[1]
	status, out, errs := wsbench(t, append([]string{"echo", "--url", url, "--conns", "10", "--rate", "1000", "--warmup", "0s", "--duration", "1h", "--interval", "100ms", "--quiet", "--json", path,
		"--agent", "stays,leaves"}, how...)...)
	want := "agent leaves is gone: it ended, was interrupted, or its connection broke"
	if status != exitNoRun || !strings.Contains(out, "PARTIAL: "+want+" after ") || !strings.Contains(errs, want) {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	r, err := result.Load(path)
	if err != nil || r.Total.Received < 100 || len(r.Workers) != 2 || r.Faults.Total() > 0 || !afterSeconds.MatchString(r.Partial) {
		t.Errorf("%+v, %v", r, err)
	}
}

// A search that is interrupted keeps the best run that it had.
func TestFindInterrupted(t *testing.T) {
	_, url := serve(t, nil)
	ctx, cut := interruptible(t)
	out := &watch{text: "conns 20: holds", f: cut}
	path := filepath.Join(t.TempDir(), "r.json")
	var errs bytes.Buffer
	status := program(ctx, []string{"find", "idle", "--url", url, "--threshold", "broken=0", "--from", "10", "--hold", "1ms", "--warmup", "0s", "--duration", "100ms", "--quiet", "--json", path}, out, &errs)
	if status != 130 || !strings.HasSuffix(out.String(), "conns for broken=0: 20 holds; more was not tried\n") {
		t.Errorf("status %d\n%s%s", status, out, &errs)
	}
	if r, err := result.Load(path); err != nil || r.Plan.Conns != 20 || !strings.HasPrefix(r.Partial, "interrupted by SIGINT: the run is whole") {
		t.Errorf("%+v, %v", r, err)
	}
}

// A comparison that is interrupted has its whole rounds, or what the first one has,
// and no server of it goes on.
func TestCompareInterrupted(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{"round 1 of 9: one": "", "round 1 of 9: two": "interrupted by SIGINT in round 1 of 9", "round 2 of 9: two": "interrupted by SIGINT in round 2 of 9"} {
		dir := t.TempDir()
		json, html := filepath.Join(dir, "c.json"), filepath.Join(dir, "c.html")
		ctx, cut := interruptible(t)
		errs := &watch{text: at, f: cut}
		var out bytes.Buffer
		command := "=echo $$ >>" + dir + "/pids; exec " + self + " serve-for-test {port}"
		status := program(ctx, []string{"compare", "connect", "--conns", "5", "--warmup", "0s", "--duration", "200ms", "--rounds", "9", "--a", "one" + command, "--b", "two" + command, "--json", json, "--html", html}, &out, errs)
		if status != 130 || strings.Contains(out.String(), "PARTIAL: "+want+"\n") != (want != "") {
			t.Errorf("%s: status %d\n%s%s", at, status, &out, errs)
		}
		pids, _ := os.ReadFile(filepath.Join(dir, "pids"))
		os.Remove(filepath.Join(dir, "pids"))
		for pid := range strings.FieldsSeq(string(pids)) {
			if _, err := os.Stat("/proc/" + pid); err == nil {
				t.Errorf("%s: server %s goes on", at, pid)
			}
		}
		if want == "" {
			if files, _ := os.ReadDir(dir); len(files) > 0 {
				t.Errorf("%s: there are files: %v", at, files)
			}
			continue
		}
		c, err := trial.LoadComparison(json)
		if err != nil {
			t.Fatal(err)
		}
		one, two := len(c.Servers[0].Values["handshakes/s"]), len(c.Servers[1].Values["handshakes/s"])
		if c.Partial != want || c.Rounds != 1 || one != 1 || two != strings.Count(at, "round 2") {
			t.Errorf("%s: %q, %d rounds, %d and %d values", at, c.Partial, c.Rounds, one, two)
		}
		md := filepath.Join(dir, "c.md")
		status, _, said := wsbench(t, "report", "--markdown", md, "--svg", filepath.Join(dir, "svg"), json)
		table, _ := os.ReadFile(md)
		page, _ := os.ReadFile(html)
		svg, _ := os.ReadFile(filepath.Join(dir, "svg", "connect-5-1.svg"))
		for name, b := range map[string][]byte{"table": table, "page": page, "picture": svg} {
			if !strings.Contains(strings.ToLower(string(b)), "partial") {
				t.Errorf("%s: the %s does not say that it is partial: %d %s", at, name, status, said)
			}
		}
	}
}

// The signals themselves are answered with a report; a reader that goes away is told by the status alone, and costs no file.
func TestSignals(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	start := func(t *testing.T, stdout io.Writer, args ...string) *exec.Cmd {
		cmd := exec.Command(self, args...)
		cmd.Env = append(os.Environ(), "WSBENCH_TEST_MAIN=1")
		cmd.Stdout = stdout
		stuck := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
		t.Cleanup(func() { stuck.Stop() })
		return cmd
	}
	for sig, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
		t.Run(sig.String(), func(t *testing.T) {
			var seen atomic.Int64
			enough := make(chan struct{})
			_, url := serve(t, func(c server.LoopConn, op frame.Opcode, p []byte) {
				if c.Send(op, p); seen.Add(1) == 50 {
					close(enough)
				}
			})
			path := filepath.Join(t.TempDir(), "r.json")
			var out bytes.Buffer
			cmd := start(t, &out, "echo", "--url", url, "--conns", "2", "--rate", "200", "--warmup", "0s", "--duration", "1h", "--quiet", "--json", path)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-enough
			cmd.Process.Signal(sig)
			cmd.Wait()
			if _, err := result.Load(path); err != nil || cmd.ProcessState.ExitCode() != want || !strings.Contains(out.String(), "PARTIAL: interrupted by SIG") {
				t.Errorf("%v, %v\n%s", err, cmd.ProcessState, &out)
			}
		})
	}
	t.Run("reader", func(t *testing.T) {
		_, url := serve(t, nil)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		dir := t.TempDir()
		json, html := filepath.Join(dir, "r.json"), filepath.Join(dir, "r.html")
		cmd := start(t, w, "echo", "--url", url, "--conns", "2", "--rate", "200", "--warmup", "0s", "--duration", "100ms", "--quiet", "--json", json, "--html", html)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		cmd.Run()
		w.Close()
		if _, err := os.Stat(html); err != nil || cmd.ProcessState.ExitCode() != 128+int(syscall.SIGPIPE) || errs.Len() > 0 {
			t.Errorf("%v, %v, %q", err, cmd.ProcessState, &errs)
		}
		if r, err := result.Load(json); err != nil || r.Partial != "" {
			t.Errorf("%+v, %v", r, err)
		}
		// find prints as it goes, and ends with its reader.
		w2r, w2, _ := os.Pipe()
		w2r.Close()
		cmd = start(t, w2, "find", "idle", "--url", url, "--threshold", "broken=0", "--from", "10", "--hold", "1ms", "--warmup", "0s", "--duration", "100ms", "--quiet", "--json", json)
		cmd.Run()
		w2.Close()
		if r, err := result.Load(json); err != nil || r.Plan.Conns != 10 || r.Partial == "" || cmd.ProcessState.ExitCode() != 128+int(syscall.SIGPIPE) {
			t.Errorf("find: %+v, %v, %v", r, err, cmd.ProcessState)
		}
	})
}
