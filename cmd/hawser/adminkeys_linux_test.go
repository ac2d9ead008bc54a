package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// withKey is a command with a key in its environment.
func withKey(key string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "HAWSER_ADMIN_KEY="+key)
	return cmd
}

// Nobody acts on a server without one of its keys. Probes and metrics need none.
func TestAdminKeys(t *testing.T) {
	o := newOffice(t)
	s := launch(t, t.TempDir(), "127.0.0.1:0", o.flags()...)
	address := "--admin=" + s.admin(t)
	secret, err := os.ReadFile(o.key)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key    string
		status int
		says   string
	}{
		{"", 2, "there is no key: put yours into the variable HAWSER_ADMIN_KEY"},
		{"hawser_admin_AAAAAAAAAAAAAAAAAAAAAAAAAA", 1, "the key is missing or wrong"},
		{"secret", 2, "the variable HAWSER_ADMIN_KEY: it does not have a key"},
		{string(secret), 0, "is banned"},
	} {
		if status, out := finish(t, withKey(c.key, "ban", "u_eve", "--reason=x", address)); status != c.status || !strings.Contains(out, c.says) {
			t.Errorf("%q: status %d, %s; want %d, %q", c.key, status, out, c.status, c.says)
		}
	}
	waitForLog(t, s, `msg="a request to administer the server had no valid key" from=127.0.0.1 method=POST path=/admin/bans`)
	for path, want := range map[string]int{"/metrics": 200, "/healthz": 200, "/readyz": 200, "/admin/bans": 401, "/admin/limits": 401, "/admin/": 401} {
		if status, body := get(t, s.admin(t)+path); status != want {
			t.Errorf("GET %s without a key: %d %.80s", path, status, body)
		}
	}
	if status, _ := get(t, s.url+"/admin/bans"); status != 404 {
		t.Errorf("GET /admin/bans at listen: %d", status)
	}
	// A key that is made while the server runs is valid at once.
	cmd := exec.Command(program, "new-admin-key", "bob")
	cmd.Env = append(os.Environ(), "HAWSER_ADMIN_KEYS_FILE="+o.keys, "HAWSER_ADMIN_LISTEN=127.0.0.1:0")
	bob, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if status, out := finish(t, withKey(string(bob), "unban", "u_eve", address)); status != 0 || !strings.HasSuffix(o.recorded(), `{"who":"bob","from":"127.0.0.1","what":"unban","subject":"u_eve","result":"accepted"}`+"\n") {
		t.Errorf("status %d, %s, and the record is\n%s", status, out, o.recorded())
	}
	fail(t, 1, "has a key for ada already", "new-admin-key", "ada", "--file="+o.keys)
	fail(t, 2, "is not a name for a key", "new-admin-key", "a b", "--file="+o.keys)
	fail(t, 2, "the configuration has no admin_keys_file", "new-admin-key", "ada")
}

// A server without keys says what to set; one whose keys cannot be read does not start.
func TestNoAdminKeys(t *testing.T) {
	o := newOffice(t)
	s := launch(t, t.TempDir(), "127.0.0.1:0", "--admin-listen=127.0.0.1:0")
	o.refused(s, "this server has no keys for administrators: set admin_keys_file", "bans")
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("ada\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fail(t, 1, "admin_keys_file: "+bad+": line 1:", "serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--data", t.TempDir(), "--admin-keys-file", bad)
	fail(t, 1, "audit_log: open "+bad+"/x: not a directory", "serve", "--listen=127.0.0.1:0", "--data", t.TempDir(), "--audit-log", bad+"/x")
	fail(t, 1, "cannot reach the server at 127.0.0.1:1", "bans", "--admin=127.0.0.1:1", "--key-file="+o.key)
	fail(t, 2, "--admin: \"ftp://x\" is not an address", "bans", "--admin=ftp://x", "--key-file="+o.key)
}

// The commands find the server where its configuration says that it is, also at a Unix socket.
func TestAdminAtUnixSocket(t *testing.T) {
	o := newOffice(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "hawser.toml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "admin_listen = %q\nadmin_keys_file = %q\n", "unix:"+filepath.Join(dir, "admin.sock"), o.keys), 0o600); err != nil {
		t.Fatal(err)
	}
	s := launch(t, filepath.Join(dir, "data"), "127.0.0.1:0", "--config="+file)
	succeed(t, "ban", "u_eve", "--reason=x", "--config="+file, "--key-file="+o.key)
	// Without audit_log, it is in the ordinary log.
	waitForLog(t, s, `level=INFO msg=audit who=ada from=unix what=ban subject=u_eve reason=x result=accepted`)
	for listen, want := range map[string]string{
		"": "http://127.0.0.1:9090", ":9191": "http://localhost:9191", "0.0.0.0:9191": "http://localhost:9191", "[::]:9191": "http://localhost:9191",
		"10.0.0.7:9191": "http://10.0.0.7:9191", "unix:/run/a.sock": "unix:/run/a.sock", "systemd": "", "systemd:admin": "", "127.0.0.1:0": "",
	} {
		at, err := configuredAdmin("", []string{"HAWSER_ADMIN_LISTEN=" + listen})
		if at != want || (err == nil) != (want != "") {
			t.Errorf("admin_listen %q: %q, %v; want %q", listen, at, err, want)
		}
	}
}
