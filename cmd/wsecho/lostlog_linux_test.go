package main

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/hawser-ws/hawser/frame"
)

// B01, B03: neither the end of what reads its log nor a signal that does not ask for
// an end ends the server.
func TestLostLogAndSignals(t *testing.T) {
	out, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--listen", "127.0.0.1:0")
	cmd.Stdout, cmd.Stderr = stdout, stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	stdout.Close()
	line, _ := bufio.NewReader(out).ReadString('\n')
	out.Close()
	_, rest, _ := strings.Cut(line, "echo on ws://")
	addr, _, _ := strings.Cut(rest, "/,")
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGUSR1, syscall.SIGXFSZ, syscall.SIGTTOU} {
		cmd.Process.Signal(s)
	}
	for range 5 {
		resp, err := http.Get("http://" + addr + "/") // a line in the log
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	c := dial(t, "ws://"+addr+"/", nil)
	say(t, c, frame.Text, "still here")
	hear(t, c, frame.Text, "still here")
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end: %v", err)
	}
}
