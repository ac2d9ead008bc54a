package server

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// children are what the test binary is instead when the variable is set: it is
// given its value.
var children = map[string]func(string) error{crowdVariable: crowd}

// crowdVariable makes it a crowd of clients: "address count".
const crowdVariable = "HAWSER_TEST_CROWD"

func TestMain(m *testing.M) {
	for variable, child := range children {
		if s := os.Getenv(variable); s != "" {
			if err := child(s); err != nil {
				fmt.Println("error:", err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// crowd opens n connections, says so, and closes them when its input ends. It
// is a process of its own because of the descriptors.
func crowd(args string) error {
	var addr string
	var n int
	fmt.Sscan(args, &addr, &n)
	conns := make([]net.Conn, 0, n)
	for i := range n {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		nc.SetDeadline(time.Now().Add(patience))
		fmt.Fprint(nc, upgradeRequest("/", ""))
		head, err := bufio.NewReaderSize(nc, 256).ReadString('\n')
		if err != nil || !strings.Contains(head, " 101 ") {
			return fmt.Errorf("connection %d: %q, %v", i, head, err)
		}
		conns = append(conns, nc)
	}
	fmt.Println("open")
	os.Stdin.Read(make([]byte, 1))
	for _, nc := range conns {
		nc.Close()
	}
	return nil
}

// 10,000 idle connections take no goroutine and no timer.
func TestIdleGoroutines(t *testing.T) {
	if onGoroutines() {
		t.Skip("on goroutines each has one")
	}
	const n = 10_000
	ts := start(t, Config{Handler: funcs{}, MaxConnsPerAddress: Off})
	one := ts.dial(t, "/")
	one.frame(0x89, "")
	one.expect(`pong ""`)
	before := runtime.NumGoroutine()

	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", crowdVariable, ts.addr, n))
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "open\n" {
		t.Fatalf("the clients say %q", line)
	}
	waitFor(t, func() bool { return ts.Stats().Open == n+1 })
	// net/http's goroutines end a moment after they handed over.
	waitFor(t, func() bool { return runtime.NumGoroutine() <= before })
	t.Logf("%d goroutines for 1 connection, %d for %d", before, runtime.NumGoroutine(), n+1)
	in.Close()
	cmd.Wait()
	waitFor(t, func() bool { return ts.Stats().Open == 1 })
}

// waitFor lets others run until f holds.
func waitFor(t *testing.T, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !f(); {
		if time.Now().After(deadline) {
			t.Fatal("it never came to that")
		}
		runtime.Gosched()
	}
}
