package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

const patience = 30 * time.Second

// program is the real binary, built once.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "wsecho-test")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "wsecho")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		os.Stderr.Write(out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// launch starts the program and returns its URL without a path.
func launch(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, append([]string{"--listen", "127.0.0.1:0"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	line, _ := bufio.NewReader(out).ReadString('\n')
	_, rest, _ := strings.Cut(line, "echo on ")
	url, _, ok := strings.Cut(rest, ", ")
	url = strings.TrimSuffix(url, "/")
	if !ok {
		t.Fatalf("wsecho says %q", line)
	}
	return url
}

func dial(t *testing.T, url string, o *wsconn.DialOptions) *wsconn.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	c, err := wsconn.Dial(ctx, url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseNow)
	return c
}

func say(t *testing.T, c *wsconn.Conn, op frame.Opcode, s string) {
	t.Helper()
	if err := c.Write(t.Context(), op, []byte(s)); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c *wsconn.Conn, op frame.Opcode, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, p, err := c.Read(ctx)
	if err != nil || got != op || string(p) != want {
		t.Fatalf("heard %v, %d bytes, %v; want %v, %d bytes", got, len(p), err, op, len(want))
	}
}

// closes reads until the server's Close and returns its code.
func closes(t *testing.T, c *wsconn.Conn) wsproto.CloseCode {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		if _, _, err := c.Read(ctx); err != nil {
			var closed *wsconn.CloseError
			if !errors.As(err, &closed) {
				t.Fatal(err)
			}
			return closed.Code
		}
	}
}

func TestEchoAndFanout(t *testing.T) {
	for _, args := range [][]string{nil, {"--deflate"}} {
		url := launch(t, args...)
		o := &wsconn.DialOptions{MaxMessage: 2 << 20}
		o.Deflate = &handshake.DeflateOptions{ServerContextTakeover: true}
		c := dial(t, url+"/", o)
		if agreed := c.Handshake().Deflate != nil; agreed != (args != nil) {
			t.Errorf("%v: permessage-deflate agreed on: %v", args, agreed)
		}
		say(t, c, frame.Text, "hello")
		hear(t, c, frame.Text, "hello")
		big := strings.Repeat("0123456789abcdef", 1<<16)
		say(t, c, frame.Binary, big)
		hear(t, c, frame.Binary, big)

		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		a, b := dial(t, url+"/fanout", o), dial(t, url+"/fanout/", nil)
		for _, member := range []*wsconn.Conn{a, b} { // each has joined once something comes back
			say(t, member, frame.Text, "joined")
			hear(t, member, frame.Text, "joined")
		}
		say(t, b, frame.Binary, "to all")
		for _, member := range []*wsconn.Conn{a, b} {
			for {
				op, p, err := member.Read(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if op == frame.Binary && string(p) == "to all" {
					break
				}
			}
		}
	}
}

func TestBlocking(t *testing.T) {
	for _, args := range [][]string{{"--blocking"}, {"--blocking", "--deflate"}} {
		url := launch(t, append(args, "--max-message", "100")...)
		c := dial(t, url+"/", &wsconn.DialOptions{Deflate: &handshake.DeflateOptions{}})
		if agreed := c.Handshake().Deflate != nil; agreed != (len(args) > 1) {
			t.Errorf("%v: permessage-deflate agreed on: %v", args, agreed)
		}
		say(t, c, frame.Text, "hello")
		hear(t, c, frame.Text, "hello")
		say(t, c, frame.Text, strings.Repeat("a", 101))
		if code := closes(t, c); code != wsproto.CloseMessageTooBig {
			t.Errorf("--max-message: %v; want 1009", code)
		}
		var refused *handshake.Error
		if _, err := wsconn.Dial(t.Context(), url+"/fanout", nil); !errors.As(err, &refused) || refused.Status != 404 {
			t.Errorf("/fanout: %v; want 404", err)
		}
	}
}

func TestOtherPath(t *testing.T) {
	var refused *handshake.Error
	if _, err := wsconn.Dial(t.Context(), launch(t)+"/other", nil); !errors.As(err, &refused) || refused.Status != 404 {
		t.Errorf("%v; want 404", err)
	}
}

func TestLimits(t *testing.T) {
	url := launch(t, "--max-message", "10", "--max-fragments", "2", "--max-control-rate", "3")
	c := dial(t, url+"/", nil)
	say(t, c, frame.Text, "0123456789")
	hear(t, c, frame.Text, "0123456789")
	say(t, c, frame.Text, "0123456789a")
	if code := closes(t, c); code != wsproto.CloseMessageTooBig {
		t.Errorf("--max-message: %v; want 1009", code)
	}
	c = dial(t, url+"/", nil)
	w, err := c.Writer(t.Context(), frame.Text)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.Write([]byte("a"))
		w.Flush()
	}
	if code := closes(t, c); code != wsproto.ClosePolicyViolation {
		t.Errorf("--max-fragments: %v; want 1008", code)
	}
}

func TestFlags(t *testing.T) {
	o, err := parse(nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	type limits struct {
		Listen                                                string
		Message, Fragments, Control, Queue, PerAddress, Loops int
		Assembly, Ping                                        time.Duration
	}
	of := func(listen string, c server.Config) limits {
		return limits{listen, c.MaxMessage, c.MaxFragments, c.MaxControlRate, c.WriteQueue, c.MaxConnsPerAddress, c.Loops, c.AssemblyTimeout, c.PingInterval}
	}
	off := server.Off
	if d := cmp.Diff(limits{"127.0.0.1:9001", 64 << 20, off, off, 64 << 20, off, 0, 120 * time.Second, time.Duration(off)}, of(o.listen.Address, o.server)); d != "" {
		t.Errorf("defaults (-want +got):\n%s", d)
	}
	o, err = parse([]string{"--listen", ":1", "--loops", "3", "--max-message", "5", "--max-fragments=6", "--max-control-rate=7", "--write-queue=8", "--assembly-timeout=9s", "--ping=10s"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(limits{":1", 5, 6, 7, 8, off, 3, 9 * time.Second, 10 * time.Second}, of(o.listen.Address, o.server)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, args := range [][]string{{"--max-message=0"}, {"--max-fragments=-1"}, {"--loops=-1"}, {"--ping=-1s"}, {"stray"}, {"--unknown"},
		{"--proxy-protocol"}, {"--trusted-proxies=10.0.0.0/8,proxy"}} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}

// Wrong usage has the status that the other programs give it, and help is what was asked
// for.
func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"--nonsense"}, {"extra"}, {"--loops", "-1"}, {"--proxy-protocol"}} {
		var errs strings.Builder
		cmd := exec.Command(program, args...)
		cmd.Stderr = &errs
		cmd.Run()
		if cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(errs.String(), "see wsecho --help") {
			t.Errorf("%q: status %d, %s", args, cmd.ProcessState.ExitCode(), errs.String())
		}
	}
	out, err := exec.Command(program, "--help").Output()
	if err != nil || !strings.Contains(string(out), "\n  --listen ADDRESS") {
		t.Errorf("--help: %v, %s", err, out)
	}
}
