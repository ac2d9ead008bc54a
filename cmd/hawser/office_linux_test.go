package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/handshake"
)

// office is where the keys of administrators are, and what they do is recorded.
type office struct {
	t           *testing.T
	keys, audit string
	key         string // file with the key of Ada
}

func newOffice(t *testing.T) *office {
	t.Helper()
	dir := t.TempDir()
	o := &office{t: t, keys: filepath.Join(dir, "keys"), audit: filepath.Join(dir, "audit"), key: filepath.Join(dir, "ada.key")}
	cmd := exec.Command(program, "new-admin-key", "ada", "--file", o.keys)
	secret, err := cmd.Output() // without what is for people, on stderr
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.key, secret, 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// flags are those of a server.
func (o *office) flags(more ...string) []string {
	return append([]string{"--admin-listen=127.0.0.1:0", "--admin-keys-file=" + o.keys, "--audit-log=" + o.audit}, more...)
}

// run runs a command with Ada's key.
func (o *office) run(s *service, args ...string) string {
	o.t.Helper()
	return succeed(o.t, append(args, "--admin="+s.admin(o.t), "--key-file="+o.key)...)
}

// refused runs a command that must fail, and say why.
func (o *office) refused(s *service, says string, args ...string) {
	o.t.Helper()
	fail(o.t, 1, says, append(args, "--admin="+s.admin(o.t), "--key-file="+o.key)...)
}

var auditTime = regexp.MustCompile(`"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z",`)

// recorded is the audit log, whose times are right but left out.
func (o *office) recorded() string {
	o.t.Helper()
	text, err := os.ReadFile(o.audit)
	if err != nil {
		o.t.Fatal(err)
	}
	return auditTime.ReplaceAllString(string(text), "")
}

// at connects from an address of this machine.
func at(address string) *handshake.DialOptions {
	return &handshake.DialOptions{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}).DialContext(ctx, network, addr)
	}}
}

// mustEnter connects and logs in.
func mustEnter(t *testing.T, s *service, o *handshake.DialOptions, token string) *chatClient {
	t.Helper()
	c, _, err := enterWith(s.ws("/ws"), o, token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.nc.Close() })
	return c
}

// thrownOut waits until a connection is closed, with this as the last error.
func thrownOut(t *testing.T, c *chatClient, reason string) {
	t.Helper()
	begin := time.Now()
	last := ""
	for {
		o, err := c.next()
		if err == nil {
			switch o.text("type") {
			case "error":
				last = o.text("reason")
			case "auth_ok":
				t.Errorf("somebody logs in who should be refused with %q", reason)
				return
			}
			continue
		}
		var closed *closedError
		if last != reason || errors.As(err, &closed) && closed.code != 1008 {
			t.Errorf("the end is %q, then %v; want %q", last, err, reason)
		}
		t.Logf("%s after %v", reason, time.Since(begin).Round(time.Millisecond))
		return
	}
}

// keptOut checks that somebody cannot log in: they are not even connected, or they are told why.
func keptOut(t *testing.T, s *service, o *handshake.DialOptions, token string) {
	t.Helper()
	c, err := dialChatWith(s.ws("/ws"), o)
	if err != nil {
		return
	}
	defer c.nc.Close()
	if err := c.send(object{"type": "auth", "token": token}); err != nil {
		return
	}
	thrownOut(t, c, "banned")
}
