package drive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
)

// reactor drives one shard's connections on one event loop.
//
// The loop is called through one of its connections, a pair of Unix sockets whose other
// end is ours. So ticks run on the loop like everything else, and what they send goes out
// at the end of the same iteration.
type reactor struct {
	shard *load.Shard
	srv   *server.Server
	pace  *pacer
	tick  func(server.LoopConn) // on the loop
	end   int                   // our end of the pair
	here  here                  // Loop only.

	mu      sync.Mutex
	control server.Conn
	waiting map[server.Conn]*arrival // Guarded by mu. Adopted, and not opened yet.
}

// arrival is what the loop needs to know of a new connection.
type arrival struct {
	m   *load.Member
	tcp int64
}

func newReactor(shard *load.Shard, maxMessage int) (*reactor, error) {
	r := &reactor{shard: shard, waiting: map[server.Conn]*arrival{}}
	r.tick = func(server.LoopConn) {
		shard.Lag(r.pace.answered())
		shard.Tick()
	}
	var err error
	if r.pace, err = newPacer(func() error { return r.control.Do(r.tick) }); err != nil {
		return nil, err
	}
	shard.Poke = r.pace.poke
	r.srv, err = server.New(server.Config{
		Handler: r, Loops: 1, MaxMessage: maxMessage, MaxFragments: server.Off, CompressFrom: 1,
		MaxControlRate: server.Off, WriteQueue: server.Off, WriteTimeout: server.Off, PingInterval: server.Off,
		AssemblyTimeout: server.Off, Logger: slog.New(slog.DiscardHandler),
		ReleaseAfter: 16 << 20, BusyPoll: 50 * time.Microsecond,
	})
	if err != nil {
		return nil, err
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	r.end = fds[0]
	f := os.NewFile(uintptr(fds[1]), "control")
	nc, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.control, err = r.srv.Adopt(nc, nil, handshake.Result{}, wsproto.Client)
	return r, err
}

// adopt gives a connection to the loop.
func (r *reactor) adopt(m *load.Member, nc net.Conn, left []byte, res handshake.Result, tcp int64) error {
	r.mu.Lock()
	defer r.mu.Unlock() // OnOpen waits until the connection is in the list
	c, err := r.srv.Adopt(nc, left, res, wsproto.Client)
	if err != nil {
		return err
	}
	r.waiting[c] = &arrival{m, tcp}
	return nil
}

// OnOpen is the loop's.
func (r *reactor) OnOpen(c server.LoopConn) {
	r.mu.Lock()
	a := r.waiting[c.Conn()]
	delete(r.waiting, c.Conn())
	r.mu.Unlock()
	if a == nil {
		return // the control connection
	}
	c.SetValue(a.m)
	r.shard.Opened(a.m, link{c.Conn()}, a.tcp)
}

// OnMessage is the loop's.
func (r *reactor) OnMessage(c server.LoopConn, op frame.Opcode, p []byte) {
	r.here.LoopConn = c
	r.shard.Message(c.Value().(*load.Member), &r.here, op, p)
}

// OnClose is the loop's.
func (r *reactor) OnClose(c server.LoopConn, err error) {
	m, ok := c.Value().(*load.Member)
	if !ok {
		return
	}
	var end *server.CloseError
	errors.As(err, &end)
	cause := end.Err
	if errors.Is(cause, io.EOF) {
		cause = nil // CloseAbnormal says the same
	}
	r.shard.Closed(m, end.Code, end.Reason, end.Local, cause)
}

// stop ends the loop, and every connection on it that is still open.
func (r *reactor) stop(ctx context.Context) {
	r.pace.stop()
	unix.Close(r.end)
	r.srv.Shutdown(ctx)
}

// link is a connection as the load sees it, and here the same on its loop, in a callback.
type (
	link struct{ server.Conn }
	here struct{ server.LoopConn }
)
