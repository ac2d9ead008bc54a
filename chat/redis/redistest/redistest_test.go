//go:build unix

package redistest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestServerKeepsWhatItStored(t *testing.T) {
	s := Start(t, AOF("always"))
	s.Do("SET", "k", "v")
	s.Kill()
	if _, err := s.Try("PING"); err == nil {
		t.Fatal("a killed server answers")
	}
	s.Restart()
	if v := s.Do("GET", "k"); v != "v" {
		t.Fatalf("after a crash: %v", v)
	}
	s.Shutdown()
	s.Restart()
	if v := s.Do("GET", "k"); v != "v" {
		t.Fatalf("after the end: %v", v)
	}
}

func TestServerForgets(t *testing.T) {
	s := Start(t)
	s.Do("SET", "k", "v")
	s.Restart()
	if v := s.Do("GET", "k"); v != nil {
		t.Fatalf("a server without a file remembers %v", v)
	}
}

// A port that is taken in the last moment is not waited for.
func TestTakenPort(t *testing.T) {
	first := Start(t)
	again := &Server{Addr: first.Addr, Port: first.Port, Dir: t.TempDir(), t: t}
	again.Log = again.Dir + "/log"
	again.args = []string{"--port", fmt.Sprint(first.Port), "--bind", "127.0.0.1"}
	again.run()
	if again.ready() {
		t.Fatal("another server's answer was taken for its own")
	}
}

func TestPaused(t *testing.T) {
	s := Start(t)
	s.Pause()
	c, err := dial(s.Addr) // the kernel accepts
	if err != nil {
		t.Fatal(err)
	}
	defer c.nc.Close()
	var timeout net.Error
	if _, err := c.do(50*time.Millisecond, "PING"); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatalf("a paused server: %v", err)
	}
	s.Resume()
	s.Do("PING")
	s.Pause()
	s.Restart()
}

func TestAccess(t *testing.T) {
	s := Start(t, Password("secret"), User("reader", "other", "~* +get +auth"))
	s.Do("SET", "k", "v") // with the password
	c, err := dial(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.nc.Close()
	var refused Error
	if _, err := c.do(patience, "GET", "k"); !errors.As(err, &refused) || !strings.HasPrefix(string(refused), "NOAUTH") {
		t.Fatalf("without the password: %v", err)
	}
	if _, err := c.do(patience, "AUTH", "reader", "other"); err != nil {
		t.Fatal(err)
	}
	if v, err := c.do(patience, "GET", "k"); v != "v" {
		t.Fatalf("%v, %v", v, err)
	}
	if _, err := c.do(patience, "SET", "k", "w"); !errors.As(err, &refused) || !strings.HasPrefix(string(refused), "NOPERM") {
		t.Fatalf("a reader writes: %v", err)
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	g := StartSentinel(t, Replicas(1), Password("secret"))
	first := g.Master()
	c, err := dial(first.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.nc.Close()
	// From Redis 7.2 on, WAIT waits for what was written by the same connection.
	for _, args := range [][]any{{"AUTH", "secret"}, {"SET", "k", "v"}, {"WAIT", 1, 5000}} {
		if v, err := c.do(patience, args...); err != nil || args[0] == "WAIT" && v != int64(1) {
			t.Fatalf("%v: %v, %v", args[0], v, err)
		}
	}
	second := g.Failover()
	if v := second.Do("GET", "k"); second == first || v != "v" {
		t.Fatalf("%v, then %v: %v", first.Addr, second.Addr, v)
	}
	second.Kill()
	if third := g.AwaitFailover(second); third != first {
		t.Fatalf("the master is %v", third.Addr)
	}
	if v := first.Do("GET", "k"); v != "v" {
		t.Fatalf("after the second failover: %v", v)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, Password("secret"))
	slot := c.Slot("{tag}0")
	from := c.Owner(slot)
	for i := range 250 {
		from.Do("SET", fmt.Sprintf("{tag}%d", i), i)
	}
	to := c.Masters()[0]
	if to == from {
		to = c.Masters()[1]
	}

	m := c.BeginMigration(slot, to)
	if n := m.MoveKeys(100); n != 100 {
		t.Fatalf("moved %d keys", n)
	}
	var refused Error
	if _, err := from.Try("GET", "{tag}none"); !errors.As(err, &refused) || !strings.HasPrefix(string(refused), "ASK") {
		t.Fatalf("in the middle of a migration: %v", err)
	}
	for m.MoveKeys(100) > 0 {
	}
	m.Finish()
	if _, err := from.Try("GET", "{tag}1"); !errors.As(err, &refused) || !strings.HasPrefix(string(refused), "MOVED") {
		t.Fatalf("after a migration: %v", err)
	}
	if v := to.Do("GET", "{tag}249"); v != "249" {
		t.Fatalf("the new master has %v", v)
	}
	c.Migrate(slot, min(slot+3, Slots-1), from)
	if c.Owner(slot) != from || from.Do("GET", "{tag}249") != "249" {
		t.Fatal("the slot did not come back")
	}
	c.AwaitOK()

	next := c.Failover(from)
	if c.Owner(slot) != next || next.Do("GET", "{tag}249") != "249" {
		t.Fatal("the replica did not take over")
	}
	next.Kill()
	c.AwaitFailover(next)
	if c.Owner(slot) != from {
		t.Fatal("the first master did not take over again")
	}
}

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				io.Copy(nc, nc)
			}()
		}
	}()
	return l.Addr().String()
}

func connect(t *testing.T, r *Relay) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", r.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}

// says sends text and reports what comes back within the time.
func says(nc net.Conn, text string, within time.Duration) (string, error) {
	nc.SetDeadline(time.Now().Add(within))
	if _, err := io.WriteString(nc, text); err != nil {
		return "", err
	}
	b := make([]byte, len(text))
	n, err := io.ReadFull(nc, b)
	return string(b[:n]), err
}

func TestRelay(t *testing.T) {
	r := StartRelay(t, echo(t))
	nc := connect(t, r)
	if got, err := says(nc, "hello", patience); got != "hello" {
		t.Fatalf("%q %v", got, err)
	}

	r.Stall()
	var timeout net.Error
	if got, err := says(nc, "later", 50*time.Millisecond); got != "" || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatalf("stalled: %q %v", got, err)
	}
	fresh := connect(t, r)
	r.Open()
	if got, err := says(nc, "", patience); err != nil {
		t.Fatalf("%q %v", got, err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(nc, b); string(b) != "later" {
		t.Fatalf("after the stall: %q %v", b, err)
	}
	if got, err := says(fresh, "fresh", patience); got != "fresh" {
		t.Fatalf("a connection of the stall: %q %v", got, err)
	}

	r.Blackhole()
	if got, err := says(nc, "lost", 50*time.Millisecond); got != "" || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatalf("blackholed: %q %v", got, err)
	}
	accepted := connect(t, r)
	if got, err := says(accepted, "lost", 50*time.Millisecond); got != "" || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatalf("accepted and blackholed: %q %v", got, err)
	}
	r.Open()
	if got, err := says(nc, "hello", patience); err == nil {
		t.Fatalf("a connection that lost something goes on: %q", got)
	}
	if got, err := says(fresh, "hello", patience); got != "hello" {
		t.Fatalf("one that lost nothing: %q %v", got, err)
	}

	r.Cut()
	if got, err := says(fresh, "hello", patience); err == nil {
		t.Fatalf("cut: %q", got)
	}
	if _, err := net.Dial("tcp", r.Addr); err == nil {
		t.Fatal("a cut relay accepts")
	}
	r.Open()
	nc = connect(t, r)
	if got, err := says(nc, "again", patience); got != "again" {
		t.Fatalf("reopened: %q %v", got, err)
	}
	r.Reset()
	if got, err := says(nc, "hello", patience); err == nil {
		t.Fatalf("reset: %q", got)
	}
	connect(t, r)

	r.Delay(20 * time.Millisecond)
	nc = connect(t, r)
	before := time.Now()
	if got, err := says(nc, "slow", patience); got != "slow" || time.Since(before) < 40*time.Millisecond {
		t.Fatalf("delayed: %q %v after %v", got, err, time.Since(before))
	}
}
