package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/logtest"
	"github.com/hawser-ws/hawser/cmd/internal/terminal/terminaltest"
)

// What a hostile client sends does not act on a terminal.
func TestHostileClient(t *testing.T) {
	cmd := exec.Command(program, "--listen", "127.0.0.1:0", "--proxy-protocol", "--trusted-proxies", "192.0.2.1")
	var log logtest.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lines := bufio.NewReader(out)
	line, _ := lines.ReadString('\n')
	_, rest, _ := strings.Cut(line, "ws://")
	addr, _, _ := strings.Cut(rest, "/")
	terminaltest.Attack(t, addr)
	cmd.Process.Signal(os.Interrupt)
	more, _ := io.ReadAll(lines)
	cmd.Wait()
	terminaltest.Check(t, "stdout", line+string(more))
	terminaltest.Check(t, "stderr", log.String())
}
