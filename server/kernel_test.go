package server

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// moody is a kernel that takes and gives a byte at a time, or nothing, and is
// interrupted, as it pleases.
type moody struct {
	kernel
	*dice
}

// dice are thrown by all the loops of a server.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand // Guarded by mu.
}

// moodyKernels makes kernels whose moods come from the seed.
func moodyKernels(seed uint64) func() (kernel, error) {
	d := &dice{r: rand.New(rand.NewPCG(seed, 0))}
	return wrapped(func(k kernel) kernel { return &moody{k, d} })
}

// wrapped makes kernels for the test's server, behind what wrap puts around them.
func wrapped(wrap func(kernel) kernel) func() (kernel, error) {
	return func() (kernel, error) {
		k, err := testKernel()
		if err != nil {
			return nil, err
		}
		return wrap(k), nil
	}
}

func (d *dice) roll(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

// some returns how many of n bytes to move, or an error.
func (k *moody) some(n int) (int, error) {
	switch k.roll(6) {
	case 0:
		return 0, syscall.EINTR
	case 1:
		return 0, syscall.EAGAIN
	case 2:
		return min(n, 1), nil
	case 3:
		return min(n, 1+k.roll(20)), nil
	}
	return n, nil
}

func (k *moody) read(fd int, p []byte) (int, error) {
	n, err := k.some(len(p))
	if err != nil {
		return 0, err
	}
	return k.kernel.read(fd, p[:n])
}

func (k *moody) write(fd int, p []byte) (int, error) {
	n, err := k.some(len(p))
	if err != nil {
		return 0, err
	}
	return k.kernel.write(fd, p[:n])
}

func (k *moody) writev(fd int, p [][]byte) (int, error) {
	n, err := k.some(len(p[0]))
	if err != nil {
		return 0, err
	}
	return k.kernel.write(fd, p[0][:n])
}

func (k *moody) wait(ms int) ([]event, error) {
	if k.roll(8) == 0 {
		return nil, syscall.EINTR
	}
	return k.kernel.wait(ms)
}

// R07: with such a kernel the stream is the same.
func TestR07MoodyKernel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	ts := start(t, Config{Handler: funcs{message: echo}, newKernel: moodyKernels(seed), MaxControlRate: Off})
	c := ts.dial(t, "/")
	const n = 300
	go func() {
		for i := range n {
			switch i % 3 {
			case 0:
				c.nc.Write(masked(0x81, fmt.Sprint(i)))
			case 1:
				c.nc.Write(masked(0x82, strings.Repeat("x", 60_000)))
			case 2:
				c.nc.Write(append(masked(0x01, "one "), append(masked(0x89, fmt.Sprint(i)), masked(0x80, "two")...)...))
			}
		}
		c.nc.Write(masked(0x88, "\x03\xe8"))
	}()
	for i := range n {
		switch i % 3 {
		case 0:
			c.expect(fmt.Sprintf(`text "%d"`, i))
		case 1:
			c.expect("binary 60000 bytes")
		case 2:
			c.expect(fmt.Sprintf(`pong "%d"`, i), `text "one two"`)
		}
	}
	c.expect("close 1000", "EOF")
}

// failing is a kernel of which one call fails.
type failing struct {
	kernel
	call string
	err  error
}

func (k *failing) fails(call string) error {
	if call == k.call {
		return k.err
	}
	return nil
}

// native keeps the opening handshake away from it, which is not what fails.
func (k *failing) native() bool { return false }

func (k *failing) read(fd int, p []byte) (int, error) {
	if err := k.fails("read"); err != nil {
		return 0, err
	}
	return k.kernel.read(fd, p)
}

func (k *failing) write(fd int, p []byte) (int, error) {
	if err := k.fails("write"); err != nil {
		return 0, err
	}
	return k.kernel.write(fd, p)
}

func (k *failing) shutdown(fd int) error {
	if err := k.fails("shutdown"); err != nil {
		return err
	}
	return k.kernel.shutdown(fd)
}

func (k *failing) add(fd int, mask uint8, slot, gen uint32) error {
	if err := k.fails("add"); err != nil {
		return err
	}
	return k.kernel.add(fd, mask, slot, gen)
}

func (k *failing) mod(fd int, mask uint8, slot, gen uint32) error {
	if err := k.fails("mod"); err != nil {
		return err
	}
	return k.kernel.mod(fd, mask, slot, gen)
}

// Whatever call fails, that connection ends, with OnClose if it was open, and
// its descriptor is given back. R13 is the epoll that takes no more.
func TestR07R13Errors(t *testing.T) {
	for _, c := range []struct {
		call string
		err  error
	}{
		{"read", syscall.ECONNRESET}, {"read", syscall.ETIMEDOUT}, {"read", syscall.EBADF},
		{"write", syscall.EPIPE}, {"write", syscall.ECONNRESET}, {"shutdown", syscall.ENOTCONN},
		{"mod", syscall.ENOENT}, {"add", syscall.ENOSPC}, {"add", syscall.ENOMEM},
	} {
		t.Run(fmt.Sprint(c.call, " ", c.err), func(t *testing.T) {
			causes := make(chan error, 1)
			ts := start(t, Config{Handler: funcs{
				message: func(c LoopConn, op frame.Opcode, p []byte) {
					c.Pause(true)
					c.Send(op, p)
					c.Close(wsproto.CloseNormal, "")
				},
				close: end(causes),
			}, newKernel: wrapped(func(k kernel) kernel { return &failing{k, c.call, c.err} })})
			cl := ts.dial(t, "/")
			cl.nc.Write(masked(0x81, "a"))
			cl.nc.Write(masked(0x88, "\x03\xe8")) // an error here is the connection's end, which is awaited below
			for s := cl.next(); strings.HasPrefix(s, "text") || strings.HasPrefix(s, "close"); s = cl.next() {
			}
			cl.nc.Close()
			if c.call == "add" {
				ts.clock.settle()
				if n := ts.Stats().Refused; n != 1 || len(causes) > 0 {
					t.Errorf("%d refused, %d OnClose; want 1, 0", n, len(causes))
				}
			} else {
				receive(t, causes)
				ts.clock.settle()
			}
			if n := ts.Stats().Open; n != 0 {
				t.Errorf("%d connections open; want 0", n)
			}
		})
	}
}

// gate stands for a peer that reads nothing until it is opened, without the
// megabytes that a real kernel takes for it in the meantime.
type gate struct {
	open atomic.Bool
	room atomic.Int64 // bytes that are still taken
}

func (g *gate) kernels() func() (kernel, error) {
	g.room.Store(10_000)
	return wrapped(func(k kernel) kernel { return &gated{k, g} })
}

type gated struct {
	kernel
	*gate
}

func (k *gated) write(fd int, p []byte) (int, error) {
	if k.gate.open.Load() {
		return k.kernel.write(fd, p)
	}
	room := k.room.Load()
	if room <= 0 { // below 0 where a test took it away during a write
		return 0, syscall.EAGAIN
	}
	n, err := k.kernel.write(fd, p[:min(len(p), int(room))])
	k.room.Add(int64(-n))
	return n, err
}

func (k *gated) writev(fd int, p [][]byte) (int, error) { return k.write(fd, p[0]) }

func (k *gated) wait(ms int) ([]event, error) {
	events, err := k.kernel.wait(ms)
	if !k.gate.open.Load() {
		for i := range events {
			events[i].ready &^= canWrite
		}
	}
	return events, err
}
