package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bench is a kernel with one descriptor, and the other end of its connection.
type bench struct {
	kernel
	t    *testing.T
	fd   int
	peer *net.TCPConn
}

const benchSlot, benchGen = 7, 9

func newBench(t *testing.T, mask uint8) *bench {
	t.Helper()
	goroutines := runtime.NumGoroutine()
	k, err := testKernel()
	if err != nil {
		t.Fatal(err)
	}
	near, far := tcpPair(t)
	b := &bench{kernel: k, t: t, peer: far}
	if b.fd, err = k.attach(near); err != nil {
		t.Fatal(err)
	}
	if err := k.add(b.fd, mask, benchSlot, benchGen); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if b.fd >= 0 {
			k.close(b.fd)
		}
		far.Close()
		k.release()
		waitFor(t, func() bool { return runtime.NumGoroutine() <= goroutines })
	})
	return b
}

func tcpPair(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	a, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	b.SetDeadline(time.Now().Add(patience))
	return a.(*net.TCPConn), b.(*net.TCPConn)
}

// ready waits for an event and returns what it says; 0 if none comes at once
// and now is set.
func (b *bench) ready(now bool) uint8 {
	b.t.Helper()
	ms := 0
	if !now {
		ms = int(patience / time.Millisecond)
	}
	events, err := b.wait(ms)
	if err == syscall.EINTR {
		return b.ready(now)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if len(events) == 0 && now {
		return 0
	}
	if len(events) != 1 || events[0].slot != benchSlot || events[0].gen != benchGen {
		b.t.Fatalf("events %v; want one of slot %d, generation %d", events, benchSlot, benchGen)
	}
	return events[0].ready
}

// until takes events until one says want, and reports the last.
func (b *bench) until(want uint8) uint8 {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		if got := b.ready(false); got&want == want || time.Now().After(deadline) {
			return got
		}
	}
}

func (b *bench) reads(n int, want string, wantErr error) {
	b.t.Helper()
	p := make([]byte, n)
	n, err := b.read(b.fd, p)
	if string(p[:n]) != want || err != wantErr {
		b.t.Fatalf("read %q, %v; want %q, %v", p[:n], err, want, wantErr)
	}
}

func (b *bench) modify(mask uint8) {
	b.t.Helper()
	if err := b.mod(b.fd, mask, benchSlot, benchGen); err != nil {
		b.t.Fatal(err)
	}
}

// What every kernel does, one sentence of its contract after the other.

func TestKernelReportsUntilRead(t *testing.T) {
	b := newBench(t, wantRead)
	b.reads(10, "", syscall.EAGAIN)
	b.peer.Write([]byte("abc"))
	for _, want := range []string{"a", "b", "c"} {
		for range 3 {
			if got := b.ready(false); got != canRead {
				t.Fatalf("ready %b; want %b", got, canRead)
			}
		}
		b.reads(1, want, nil)
	}
	if got := b.ready(true); got != 0 {
		t.Errorf("ready %b when all is read", got)
	}
	b.reads(10, "", syscall.EAGAIN)
}

func TestKernelReportsWhatIsWanted(t *testing.T) {
	b := newBench(t, 0)
	b.peer.Write([]byte("abc"))
	b.modify(wantWrite)
	if got := b.ready(false); got != canWrite {
		t.Fatalf("ready %b; want %b", got, canWrite)
	}
	b.modify(wantRead | wantWrite)
	b.until(canRead | canWrite)
	b.modify(0)
	if got := b.ready(true); got != 0 {
		t.Errorf("ready %b with nothing wanted", got)
	}
	b.modify(wantRead)
	if got := b.ready(false); got != canRead {
		t.Errorf("ready %b; want %b", got, canRead)
	}
	b.reads(10, "abc", nil)
}

// An end of stream is input; with our own end it is a hang-up.
func TestKernelEnds(t *testing.T) {
	b := newBench(t, wantRead)
	b.peer.Write([]byte("last"))
	b.peer.CloseWrite()
	b.until(canRead)
	b.reads(10, "last", nil)
	if got := b.ready(false); got != canRead {
		t.Fatalf("ready %b; want %b", got, canRead)
	}
	b.reads(10, "", nil)
	b.modify(0)
	if got := b.ready(true); got != 0 {
		t.Fatalf("ready %b while our half is open", got)
	}
	b.write(b.fd, []byte("our "))
	b.writev(b.fd, [][]byte{[]byte("la"), []byte("st")})
	if err := b.shutdown(b.fd); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b.peer); string(got) != "our last" || err != nil {
		t.Errorf("the peer reads %q, %v; want %q", got, err, "our last")
	}
	if got := b.until(hungUp); got != hungUp {
		t.Errorf("ready %b; want %b", got, hungUp)
	}
	if _, err := b.write(b.fd, []byte("x")); err != syscall.EPIPE {
		t.Errorf("write behind the end: %v; want EPIPE", err)
	}
	b.reads(10, "", nil)
}

// A reset is a hang-up, asked for or not, until the descriptor is closed.
func TestKernelReset(t *testing.T) {
	b := newBench(t, 0)
	b.peer.SetLinger(0)
	b.peer.Close()
	if got := b.ready(false); got != hungUp {
		t.Fatalf("ready %b; want %b", got, hungUp)
	}
	b.reads(10, "", syscall.ECONNRESET)
	if got := b.ready(true); got != hungUp {
		t.Errorf("ready %b; want %b", got, hungUp)
	}
}

// A peer that does not read makes write say EAGAIN; when it reads, that is
// reported, and every byte arrives.
func TestKernelFull(t *testing.T) {
	b := newBench(t, 0)
	sent := 0
	fill := func() (err error) {
		for err == nil {
			n := 0
			if n, err = b.write(b.fd, bytes.Repeat([]byte{byte(sent)}, 10_000)); n < 10_000 && err == nil {
				err = syscall.EAGAIN
			}
			sent += n
		}
		return err
	}
	if err := fill(); err != syscall.EAGAIN {
		t.Fatal(err)
	}
	got := make(chan int, 1)
	go func() {
		n, _ := io.Copy(io.Discard, b.peer)
		got <- int(n)
	}()
	b.modify(wantWrite)
	for range 5 {
		if ready := b.ready(false); ready != canWrite {
			t.Fatalf("ready %b; want %b", ready, canWrite)
		}
		if err := fill(); err != syscall.EAGAIN {
			t.Fatal(err)
		}
	}
	if err := b.shutdown(b.fd); err != nil {
		t.Fatal(err)
	}
	if n := receive(t, got); n != sent {
		t.Errorf("%d bytes arrived of %d", n, sent)
	}
}

// What was written before close arrives, and nothing is reported behind it.
func TestKernelClose(t *testing.T) {
	b := newBench(t, wantRead|wantWrite)
	want := strings.Repeat("x", 50_000)
	for sent := 0; sent < len(want); {
		n, err := b.write(b.fd, []byte(want[sent:]))
		if err != nil {
			t.Fatal(err)
		}
		sent += n
	}
	if err := b.kernel.close(b.fd); err != nil {
		t.Fatal(err)
	}
	b.fd = -1
	if got := b.ready(true); got != 0 {
		t.Errorf("ready %b behind close", got)
	}
	if got, err := io.ReadAll(b.peer); string(got) != want || err != nil {
		t.Errorf("the peer reads %d bytes, %v; want %d", len(got), err, len(want))
	}
}

func TestKernelWake(t *testing.T) {
	b := newBench(t, wantRead)
	b.wake() // before
	for range 100 {
		if events, err := b.wait(-1); len(events) > 0 || err != nil {
			t.Fatalf("%v, %v; want nothing", events, err)
		}
		go b.wake() // meanwhile
	}
	if events, err := b.wait(-1); len(events) > 0 || err != nil {
		t.Fatalf("%v, %v; want nothing", events, err)
	}
	if events, err := b.wait(1); len(events) > 0 || err != nil && err != syscall.EINTR {
		t.Errorf("%v, %v; want nothing after a millisecond", events, err)
	}
}

func TestKernelPeer(t *testing.T) {
	b := newBench(t, 0)
	if got, want := b.kernel.peer(b.fd).String(), b.peer.LocalAddr().String(); got != want {
		t.Errorf("peer %s; want %s", got, want)
	}
}

// What has no descriptor is served all the same.
func TestKernelAttach(t *testing.T) {
	b := newBench(t, 0)
	near, far := net.Pipe()
	fd, err := b.attach(near)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.kernel.add(fd, wantRead, 7, 3); err != nil {
		t.Fatal(err)
	}
	go io.WriteString(far, "hi")
	for got := ""; got != "hi"; {
		events, err := b.kernel.wait(-1)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			if ev.slot != 7 || ev.gen != 3 || ev.ready&canRead == 0 {
				t.Errorf("%+v", ev)
			}
			p := make([]byte, 9)
			n, err := b.kernel.read(fd, p)
			if err != nil {
				t.Fatal(err)
			}
			got += string(p[:n])
		}
	}
	if n, err := b.kernel.writev(fd, [][]byte{[]byte("h"), []byte("o")}); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	p := make([]byte, 2)
	if _, err := io.ReadFull(far, p); string(p) != "ho" || err != nil {
		t.Errorf("%q, %v", p, err)
	}
	if err := b.kernel.close(fd); err != nil {
		t.Error(err)
	}
	if _, err := far.Read(p); err != io.EOF {
		t.Errorf("the pipe is left open: %v", err)
	}
	if _, err := b.kernel.read(fd, p); err != syscall.EBADF {
		t.Errorf("%v", err)
	}
}

// On goroutines a closed descriptor is nobody's: EBADF. (On Linux its number
// may be anybody's in this process.)
func TestPortableBadDescriptor(t *testing.T) {
	k := newPortable()
	defer k.release()
	near, _ := tcpPair(t)
	fd, err := k.attach(near)
	if err != nil {
		t.Fatal(err)
	}
	k.close(fd)
	for _, fd := range []int{-1, fd, fd + 1} {
		_, rerr := k.read(fd, nil)
		_, werr := k.write(fd, nil)
		_, verr := k.writev(fd, nil)
		for _, err := range []error{rerr, werr, verr, k.add(fd, 0, 1, 1), k.mod(fd, 0, 1, 1), k.shutdown(fd), k.close(fd)} {
			if err != syscall.EBADF {
				t.Errorf("descriptor %d: %v; want EBADF", fd, err)
			}
		}
		if k.peer(fd).IsValid() {
			t.Errorf("descriptor %d has a peer", fd)
		}
	}
}

// whole is a connection that has no halves.
type whole struct {
	net.Conn
	raw syscall.Conn
}

func (w *whole) SyscallConn() (syscall.RawConn, error) { return w.raw.SyscallConn() }

// stuck is one whose writes end only when the test says so.
type stuck struct {
	whole
	deadline chan time.Time // gets the deadlines of writing
	end      chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.end
	return 0, errors.New("stuck")
}
func (s *stuck) SetWriteDeadline(d time.Time) error { s.deadline <- d; return nil }

// What a peer does not take after close holds release up to a last deadline
// only, and no goroutine stays.
func TestPortableLinger(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	k := newPortable()
	near, far := tcpPair(t)
	defer far.Close()
	s := &stuck{whole{near, near}, make(chan time.Time, 3), make(chan struct{})}
	fd, err := k.attach(s)
	if err != nil {
		t.Fatal(err)
	}
	k.add(fd, wantRead, 1, 1)
	if n, err := k.write(fd, []byte("never taken")); n != 11 || err != nil {
		t.Fatal(n, err)
	}
	k.close(fd)
	first := receive(t, s.deadline)
	go k.release()
	if last := receive(t, s.deadline); last.After(first) {
		t.Errorf("release moved the deadline from %v to %v", first, last)
	}
	close(s.end) // what the deadline would do
	waitFor(t, func() bool { return runtime.NumGoroutine() <= goroutines })
	if n, err := far.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("the connection is left open")
	}
}

// A connection that has no halves is closed as a whole, behind what was
// written, and that reads as the end of the stream.
func TestPortableNoHalves(t *testing.T) {
	k := newPortable()
	near, far := tcpPair(t)
	fd, err := k.attach(&whole{near, near})
	if err != nil {
		t.Fatal(err)
	}
	k.add(fd, wantRead, 1, 1)
	k.write(fd, []byte("last"))
	k.shutdown(fd)
	if got, err := io.ReadAll(far); string(got) != "last" || err != nil {
		t.Errorf("the peer reads %q, %v", got, err)
	}
	events, err := k.wait(-1)
	if len(events) != 1 || events[0].ready&canRead == 0 || err != nil {
		t.Errorf("%v, %v; want input", events, err)
	}
	if n, err := k.read(fd, make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("read %d, %v; want the end of the stream", n, err)
	}
	k.close(fd)
	k.release()
}

// With wantEnd the end of the peer's stream is reported, however little or much of the input
// before it is unread; without it, it is not.
func TestKernelReportsEnd(t *testing.T) {
	for _, unread := range []int{0, 10, 20_000} {
		b := newBench(t, wantRead)
		b.modify(0)
		b.peer.Write(make([]byte, unread))
		b.peer.CloseWrite()
		arrived(t, b.peer)
		if got := b.ready(true); got != 0 {
			t.Errorf("ready %b with an empty mask", got)
		}
		b.modify(wantEnd)
		if got := b.until(hungUp); got&hungUp == 0 {
			t.Errorf("%d bytes unread: ready %b; want the end", unread, got)
		}
		for n := 1; n > 0; {
			var err error
			if n, err = b.read(b.fd, make([]byte, 4096)); err != nil {
				t.Fatal(err)
			}
		}
	}
}
