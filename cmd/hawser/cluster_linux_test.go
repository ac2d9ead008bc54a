package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/logtest"
	"github.com/hawser-ws/hawser/handshake"
)

// oneMachine is "make cluster".
type oneMachine struct {
	cmd   *exec.Cmd
	url   string // through nginx
	nodes []string
	pids  []int // of the nodes, then of Redis
	log   *logtest.Buffer
}

func makeCluster(t *testing.T) *oneMachine {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience) // it may have to build
	t.Cleanup(cancel)
	m := &oneMachine{cmd: exec.CommandContext(ctx, "make", "--no-print-directory", "cluster"), log: &logtest.Buffer{}}
	m.cmd.Dir = "../.."
	for _, pair := range os.Environ() { // this may run in a make itself
		if !strings.HasPrefix(pair, "MAKE") && !strings.HasPrefix(pair, "MFLAGS") {
			m.cmd.Env = append(m.cmd.Env, pair)
		}
	}
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as a shell does
	m.cmd.Cancel = func() error { return syscall.Kill(-m.cmd.Process.Pid, syscall.SIGKILL) }
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	m.cmd.Stdout, m.cmd.Stderr = w, w
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.cmd.Cancel() })
	m.read(t, bufio.NewReader(io.TeeReader(r, m.log)))
	return m
}

// read reads what it prints, up to where everything runs.
func (m *oneMachine) read(t *testing.T, lines *bufio.Reader) {
	t.Helper()
	front := regexp.MustCompile(`the chat, through nginx: +(http://\S+)/`)
	node := regexp.MustCompile(`node \d by itself: +(http://\S+)/ +\(process (\d+)\)`)
	redis := regexp.MustCompile(`Redis: +redis-cli -p \d+ +\(process (\d+)\)`)
	for len(m.pids) < 4 {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("make cluster: %v\n%s", err, m.log)
		}
		if s := front.FindStringSubmatch(line); s != nil {
			m.url = s[1]
		}
		s := node.FindStringSubmatch(line)
		if s != nil {
			m.nodes = append(m.nodes, s[1])
		} else {
			s = redis.FindStringSubmatch(line)
		}
		if s != nil {
			pid, _ := strconv.Atoi(s[len(s)-1])
			m.pids = append(m.pids, pid)
		}
	}
	go io.Copy(io.Discard, lines)
}

// enter connects somebody through nginx, and says to which node they came.
func (m *oneMachine) enter(t *testing.T, token string) (c *chatClient, node string) {
	t.Helper()
	c, result, err := dialChatResult("ws"+strings.TrimPrefix(m.url, "http")+"/ws", &handshake.DialOptions{Header: http.Header{"Origin": {m.url}}}) // as the page does
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.nc.Close() })
	c.send(object{"type": "auth", "token": token, "features": []string{"ack"}})
	if _, err := c.until("auth_ok"); err != nil {
		t.Fatal(err)
	}
	c.send(object{"type": "join", "receiver_id": "lobby", "ref": "j"})
	if _, err := c.until("ack"); err != nil {
		t.Fatal(err)
	}
	return c, result.Header.Get("X-Node")
}

// "make cluster" is three nodes behind one address: two people come to different ones, and hear
// each other, also when one node has been killed. Ctrl-C ends everything.
func TestMakeCluster(t *testing.T) {
	t.Parallel()
	m := makeCluster(t)
	front := &service{t: t, url: m.url, http: http.DefaultClient}
	if status, page := get(t, m.url+"/"); status != 200 || !strings.Contains(page, "<html") {
		t.Fatalf("the page: %d %.200q", status, page)
	}
	token, _ := front.guest("Ada")
	other, _ := front.guest("Bob")
	ada, first := m.enter(t, token)
	bob, second := m.enter(t, other)
	for range 20 {
		if second != first {
			break
		}
		bob, second = m.enter(t, other)
	}
	if first == second || first == "" {
		t.Fatalf("both came to %q", first)
	}
	hear := func(from, to *chatClient, what string) {
		t.Helper()
		from.send(object{"type": "group", "receiver_id": "lobby", "content": what, "ref": what})
		if _, err := from.until("ack"); err != nil {
			t.Fatal(err)
		}
		for {
			m, err := to.until("group")
			if err != nil {
				t.Fatal(err)
			}
			if m.text("content") == what {
				return
			}
		}
	}
	hear(ada, bob, "from Ada")
	hear(bob, ada, "from Bob")

	for i, node := range m.nodes {
		if node == "http://"+second {
			syscall.Kill(m.pids[i], syscall.SIGKILL)
		}
	}
	for {
		if _, err := bob.next(); err != nil {
			break
		}
	}
	bob, third := m.enter(t, other)
	if third == second {
		t.Fatalf("nginx still leads to the node that was killed: %s", third)
	}
	hear(ada, bob, "after the death of a node")

	syscall.Kill(-m.cmd.Process.Pid, syscall.SIGINT)
	m.cmd.Wait() // make's own status says that it was interrupted
	for _, pid := range m.pids {
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("process %d is left: %v\n%s", pid, err, m.log)
		}
	}
	if resp, err := http.Get(m.url); err == nil {
		resp.Body.Close()
		t.Error("nginx is left")
	}
}
