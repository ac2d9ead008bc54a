package peers

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// wsbench speaks other protocols with servers of other projects: nothing is lost
// and everything is understood, through pings of the protocol's own.
func TestDialects(t *testing.T) {
	dir := t.TempDir()
	build := func(name, from, pkg string) string {
		out := filepath.Join(dir, name)
		cmd := exec.CommandContext(t.Context(), "go", "build", "-o", out, pkg)
		cmd.Dir = from
		if b, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		return out
	}
	wsbench := build("wsbench", "..", ".")
	t.Run("centrifugo", func(t *testing.T) {
		addr := start(t, exec.CommandContext(t.Context(), build("centrifugo", ".", "./centrifugo"), "-addr"), "")
		speak(t, wsbench, "centrifugo", "ws://"+addr+"/connection/websocket")
	})
	t.Run("socketio", func(t *testing.T) {
		if _, err := os.Stat("node/node_modules/socket.io"); err != nil {
			t.Skip("npm's package socket.io is not installed; make test installs it where it can")
		}
		addr := start(t, exec.CommandContext(t.Context(), "node", "node/socketio.mjs", "--port"), "port")
		speak(t, wsbench, "socketio", "ws://"+addr+"/socket.io/?EIO=4&transport=websocket")
	})
}

// start starts a server whose last argument is an address, or a port of one, and
// waits until it listens.
func start(t *testing.T, cmd *exec.Cmd, last string) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = ln.Addr().String()
	ln.Close()
	arg := addr
	if last == "port" {
		_, arg, _ = net.SplitHostPort(addr)
	}
	cmd.Args = append(cmd.Args, arg)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for range 500 {
		if nc, err := net.Dial("tcp", addr); err == nil {
			nc.Close()
			return addr
		}
		time.Sleep(20 * time.Millisecond) // it does not listen yet
	}
	t.Fatalf("%s does not listen", cmd.Path)
	return ""
}

func speak(t *testing.T, wsbench, dialect, url string) {
	for _, how := range [][]string{
		{"fanout", "--conns", "20", "--rate", "100"},
		{"fanout", "--conns", "5", "--publishers", "2", "--inflight", "2"},
		{"chat", "--conns", "12", "--room-size", "4", "--rate", "100"},
	} {
		args := append(how, "--scenario", dialect, "--url", url, "--warmup", "100ms", "--duration", "1500ms", "--quiet", "--threshold", "rate>=100,login.p50>0")
		out, err := exec.CommandContext(t.Context(), wsbench, args...).CombinedOutput()
		if err != nil || !regexp.MustCompile(`checked +nothing lost`).Match(out) {
			t.Errorf("%v: %v\n%s", how, err, out)
		}
		t.Logf("%s", out)
	}
}
