//go:build unix

package interrupt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/interrupt/interrupttest"
)

// The test program is also the one that gets the signals.
func TestMain(m *testing.M) {
	switch os.Getenv("INTERRUPT_TEST") {
	case "hang":
		ctx, _, _ := Context(context.Background(), func() { fmt.Println("last") })
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println(context.Cause(ctx))
		select {}
	case "head":
		ctx, end, stop := Context(context.Background(), nil)
		w := NewStdout(os.Stdout, end)
		for ctx.Err() == nil {
			fmt.Fprintln(w, "line")
		}
		fmt.Fprintln(os.Stderr, context.Cause(ctx))
		stop()
		status, _ := w.Status(0, 3)
		os.Exit(status)
	case "full":
		_, end, _ := Context(context.Background(), nil)
		w := NewStdout(os.Stdout, end)
		fmt.Fprintln(w, "line")
		good, err := w.Status(0, 3)
		bad, _ := w.Status(1, 3)
		fmt.Fprintln(os.Stderr, good, bad, err)
		os.Exit(0)
	}
	interrupttest.HeedHangup()
	os.Exit(m.Run())
}

// program starts this program in a role.
func program(t *testing.T, role string, prefix ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(prefix, self)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "INTERRUPT_TEST="+role)
	stuck := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	t.Cleanup(func() { stuck.Stop() })
	return cmd
}

// The first signal ends the context and says which it was; the second one has its
// usual effect, after the last words.
func TestSignals(t *testing.T) {
	for sig, name := range names {
		cmd := program(t, "hang")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var said []string
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said = append(said, lines.Text())
			if lines.Text() != "last" {
				cmd.Process.Signal(sig) // after "ready", and after the cause
			}
		}
		cmd.Wait()
		if got := strings.Join(said, "; "); got != "ready; interrupted by "+name+"; last" {
			t.Errorf("%v: %q", sig, got)
		}
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != sig {
			t.Errorf("%v: %v", sig, cmd.ProcessState)
		}
	}
}

// nohup's SIGHUP stays without effect.
func TestNohup(t *testing.T) {
	cmd := program(t, "hang", "sh", "-c", `trap "" HUP; exec "$0"`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	lines.ReadString('\n')
	cmd.Process.Signal(syscall.SIGHUP)
	cmd.Process.Signal(syscall.SIGTERM)
	if line, err := lines.ReadString('\n'); line != "interrupted by SIGTERM\n" {
		t.Errorf("%q, %v", line, err)
	}
	cmd.Process.Kill()
	io.Copy(io.Discard, lines)
	cmd.Wait()
}

// A reader that goes away interrupts the run, which goes on to its end; it alone knows
// the status.
func TestStdout(t *testing.T) {
	cmd := program(t, "head")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	bufio.NewReader(out).ReadString('\n')
	out.Close()
	cmd.Wait()
	if cmd.ProcessState.ExitCode() != 128+int(syscall.SIGPIPE) || errs.String() != "interrupted: the output is no longer read\n" {
		t.Errorf("%v, %q", cmd.ProcessState, errs.String())
	}
	if signal.Ignored(syscall.SIGPIPE) {
		t.Error("children would ignore SIGPIPE")
	}
}

func TestError(t *testing.T) {
	err := fmt.Errorf("round 3: %w", &Error{syscall.SIGTERM})
	if Of(err) == nil || Of(err).Status() != 143 || !errors.Is(err, context.Canceled) || Of(errors.New("other")) != nil {
		t.Errorf("%v", err)
	}
}
