package server

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// crowd opens a number of connections to an address, says so, and closes them when
// its input ends. It is a process of its own because of the descriptors.
func crowd(args []string) error {
	addr := args[0]
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
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

	clients := spawn(t, "crowd", ts.addr, n)
	if line := clients.line(t); line != "open" {
		t.Fatalf("the clients say %q", line)
	}
	waitFor(t, func() bool { return ts.Stats().Open == n+1 })
	// net/http's goroutines end a moment after they handed over.
	waitFor(t, func() bool { return runtime.NumGoroutine() <= before })
	t.Logf("%d goroutines for 1 connection, %d for %d", before, runtime.NumGoroutine(), n+1)
	clients.end()
	waitFor(t, func() bool { return ts.Stats().Open == 1 })
}

// waitFor lets others run until f holds.
func waitFor(t testing.TB, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !f(); {
		if time.Now().After(deadline) {
			t.Fatal("it never came to that")
		}
		runtime.Gosched()
	}
}
