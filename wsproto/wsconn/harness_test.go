package wsconn_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	. "github.com/hawser-ws/hawser/wsproto/wsconn"
	"github.com/hawser-ws/hawser/wsproto/wstest"
)

// patience is how long a test waits for what must happen. No measurement depends on
// it.
const patience = 20 * time.Second

// bounded is a context for what must not wait forever.
func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// receive waits for a value.
func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// started runs f in a goroutine and returns where its result comes.
func started[T any](f func() T) <-chan T {
	ch := make(chan T, 1)
	go func() { ch <- f() }()
	return ch
}

// pairFunc makes a connection and its peer, on a pipe that holds nothing: what is
// written waits until it is read.
type pairFunc func(t testing.TB, o *Options) (*Conn, *wstest.Peer)

// inBothRoles runs f with connections of clients and with connections of servers.
func inBothRoles(t *testing.T, f func(t *testing.T, pair pairFunc)) {
	for name, pair := range map[string]pairFunc{"client": wstest.Client, "server": wstest.Server} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, pair) })
		})
	}
}

// headerSize is the size of a short frame's header that c sends.
func headerSize(c *Conn) int {
	if c.Role() == wsproto.Client {
		return 2 + 4
	}
	return 2
}

// readText reads a message in words.
func readText(t testing.TB, c *Conn) string {
	t.Helper()
	op, p, err := c.Read(bounded(t))
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%v %q", op, p)
}

func expectText(t testing.TB, c *Conn, want string) {
	t.Helper()
	if got := readText(t, c); got != want {
		t.Fatalf("Read = %s; want %s", got, want)
	}
}

// overPipe makes a connection after a handshake with the given result, and returns the
// other end of the pipe below it.
func overPipe(t testing.TB, role wsproto.Role, o *Options, res handshake.Result) (*Conn, net.Conn) {
	ours, theirs := net.Pipe()
	c := New(ours, role, nil, res, o)
	t.Cleanup(c.CloseNow)
	t.Cleanup(func() { theirs.Close() })
	return c, theirs
}
