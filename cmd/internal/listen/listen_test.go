//go:build unix

package listen

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 20 * time.Second

func open(t *testing.T, o Options) net.Listener {
	t.Helper()
	ln, err := o.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// assertReaches checks that a dialled connection is the one that ln accepts.
func assertReaches(t *testing.T, ln net.Listener, network, addr string) {
	t.Helper()
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		io.WriteString(nc, "here")
		nc.Close()
	}()
	nc, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	if b, err := io.ReadAll(nc); string(b) != "here" {
		t.Errorf("%s does not answer: %q, %v", addr, b, err)
	}
}

func assertRefused(t *testing.T, o Options, says ...string) {
	t.Helper()
	ln, err := o.Open()
	if err == nil {
		ln.Close()
		t.Errorf("%+v is accepted", o)
		return
	}
	for _, s := range append(says, strings.TrimPrefix(o.Address, "unix:")) {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%+v: the error does not say %q: %v", o, s, err)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, address := range []string{"127.0.0.1:80", ":0", "[::1]:65535", "localhost:1", "unix:/run/x", "unix:x", "systemd", "systemd:web"} {
		if err := Check(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"", "localhost", "127.0.0.1:65536", "host:http", "::1:80", "unix:", "unix:a\x00b", "unix:/" + strings.Repeat("a", maxPath), "systemd:", "systemd2"} {
		if Check(address) == nil {
			t.Errorf("%q is accepted", address)
		}
	}
}

func TestTCP(t *testing.T) {
	ln := open(t, Options{Address: "127.0.0.1:0"})
	assertReaches(t, ln, "tcp", ln.Addr().String())
	assertRefused(t, Options{Address: ln.Addr().String()}, "address already in use")
}

func TestReusePort(t *testing.T) {
	first := open(t, Options{Address: "127.0.0.1:0", ReusePort: true})
	second := open(t, Options{Address: first.Addr().String(), ReusePort: true})
	first.Close()
	assertReaches(t, second, "tcp", second.Addr().String())
	assertRefused(t, Options{Address: second.Addr().String()}, "address already in use")
	assertRefused(t, Options{Address: "unix:" + filepath.Join(t.TempDir(), "s"), ReusePort: true}, "only a TCP address")
}

func TestUnix(t *testing.T) {
	for _, mode := range []fs.FileMode{0, 0o600, 0o666} {
		path := filepath.Join(t.TempDir(), "s")
		ln := open(t, Options{Address: "unix:" + path, Mode: mode})
		assertReaches(t, ln, "unix", path)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		want := mode
		if mode == 0 {
			want = DefaultMode
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode %v of the file; want %v", got, want)
		}
		ln.Close()
		if _, err := os.Stat(path); err == nil {
			t.Error("the file is still there after Close")
		}
	}
}

// A socket's file without a server is replaced; one with a server, and a file
// that is no socket, are not.
func TestStaleUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	crashed, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	crashed.SetUnlinkOnClose(false)
	assertRefused(t, Options{Address: "unix:" + path}, "another server answers")
	crashed.Close()
	ln := open(t, Options{Address: "unix:" + path})
	assertReaches(t, ln, "unix", path)

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	assertRefused(t, Options{Address: "unix:" + file}, "is not a socket")
	if b, _ := os.ReadFile(file); string(b) != "precious" {
		t.Error("a file that is no socket was removed")
	}
	assertRefused(t, Options{Address: "unix:" + filepath.Join(t.TempDir(), "absent", "s")}, "no such file")
}

// pass puts a listener's descriptor where a service manager would.
func pass(t *testing.T, ln interface{ File() (*os.File, error) }) (fd int) {
	t.Helper()
	f, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if fd, err = unix.Dup(int(f.Fd())); err != nil {
		t.Fatal(err)
	}
	return fd
}

func setenv(t *testing.T, fds, pid, names string) {
	t.Helper()
	t.Setenv("LISTEN_FDS", fds)
	t.Setenv("LISTEN_PID", pid)
	t.Setenv("LISTEN_FDNAMES", names)
}

func TestInherited(t *testing.T) {
	pid := os.Getpid()
	tcp := open(t, Options{Address: "127.0.0.1:0"}).(*net.TCPListener)
	path := filepath.Join(t.TempDir(), "s")
	local := open(t, Options{Address: "unix:" + path}).(*net.UnixListener)

	setenv(t, "1", fmt.Sprint(pid), "")
	ln, err := inherit("", pid, pass(t, tcp))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	tcp.Close() // the socket lives on in ln
	assertReaches(t, ln, "tcp", ln.Addr().String())
	if os.Getenv("LISTEN_FDS") != "" || os.Getenv("LISTEN_PID") != "" {
		t.Error("children would inherit the variables")
	}

	setenv(t, "2", fmt.Sprint(pid), "web:local")
	second, err := inherit("local", pid, pass(t, local)-1)
	if err != nil {
		t.Fatal(err)
	}
	assertReaches(t, second, "unix", path)
	second.Close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the service manager's file was removed: %v", err)
	}
}

// Several listeners take a socket each, and none takes another's.
func TestInheritedTwice(t *testing.T) {
	pid := os.Getpid()
	one, two := open(t, Options{Address: "127.0.0.1:0"}).(*net.TCPListener), open(t, Options{Address: "127.0.0.1:0"}).(*net.TCPListener)
	const first = 900 // nothing else has these
	for i, ln := range []*net.TCPListener{one, two} {
		fd := pass(t, ln)
		if err := unix.Dup2(fd, first+i); err != nil {
			t.Fatal(err)
		}
		unix.CloseOnExec(first + i)
		unix.Close(fd)
	}
	setenv(t, "2", fmt.Sprint(pid), "web:admin")
	for name, want := range map[string]string{"admin": two.Addr().String(), "web": one.Addr().String()} {
		ln, err := inherit(name, pid, first)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if got := ln.Addr().String(); got != want {
			t.Errorf("%s is at %s; want %s", name, got, want)
		}
	}
	if _, err := inherit("web", pid, first); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("twice the same: %v", err)
	}
}

func TestInheritedErrors(t *testing.T) {
	pid := os.Getpid()
	mine := fmt.Sprint(pid)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for _, c := range []struct {
		name, fds, pid, names string
		wanted                string
		first                 int
		says                  string
	}{
		{"nothing", "", "", "", "", 3, "LISTEN_FDS is not set"},
		{"somebody else", "1", "1", "", "", 3, `process "1"`},
		{"no number", "many", mine, "", "", 3, `"many"`},
		{"none", "0", mine, "", "", 3, `"0"`},
		{"several", "2", mine, "a:b", "", 3, "systemd:NAME"},
		{"no such name", "2", mine, "a:b", "c", 3, `"c"`},
		{"a name beyond", "1", mine, "a:b", "b", 3, `"b"`},
		{"closed", "1", mine, "", "", 1 << 20, "descriptor 1048576"},
		{"does not listen", "1", mine, "", "", pass(t, udp.(*net.UDPConn)), "does not listen"},
	} {
		setenv(t, c.fds, c.pid, c.names)
		ln, err := inherit(c.wanted, pid, c.first)
		if err == nil {
			ln.Close()
			t.Errorf("%s: it is accepted", c.name)
		} else if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want it to say %q", c.name, err, c.says)
		}
	}
}

func TestURL(t *testing.T) {
	for _, c := range []struct {
		addr   net.Addr
		secure bool
		want   string
	}{
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, false, "http://127.0.0.1:80/"},
		{&net.TCPAddr{IP: net.IPv6loopback, Port: 8080}, true, "https://[::1]:8080/"},
		{&net.TCPAddr{IP: net.IPv6zero, Port: 8080}, true, "https://localhost:8080/"},
		{&net.TCPAddr{IP: net.IPv4zero, Port: 8080}, false, "http://localhost:8080/"},
		{&net.UnixAddr{Name: "/run/hawser.sock", Net: "unix"}, true, "unix:/run/hawser.sock"},
	} {
		if got := URL(c.addr, c.secure); got != c.want {
			t.Errorf("URL(%v, %t) is %s; want %s", c.addr, c.secure, got, c.want)
		}
	}
}
