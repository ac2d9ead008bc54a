package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hawser-ws/hawser/chat/auth"
	"github.com/hawser-ws/hawser/chat/bolt"
)

// hawser runs a command to its end.
func hawser(t *testing.T, args ...string) (status int, output string) {
	t.Helper()
	return finish(t, exec.Command(program, args...))
}

func finish(t *testing.T, cmd *exec.Cmd) (status int, output string) {
	t.Helper()
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), b.String()
}

// succeed is hawser for what must succeed.
func succeed(t *testing.T, args ...string) string {
	t.Helper()
	status, output := hawser(t, args...)
	if status != 0 {
		t.Fatalf("hawser %q: status %d\n%s", args, status, output)
	}
	return output
}

// fail is hawser for what must fail, and say why.
func fail(t *testing.T, status int, says string, args ...string) {
	t.Helper()
	if got, output := hawser(t, args...); got != status || !strings.Contains(output, says) {
		t.Errorf("hawser %q: status %d; want %d and %q\n%s", args, got, status, says, output)
	}
}

// sayGroup sends messages to a room and waits until each is acknowledged.
func sayGroup(c *chatClient, room string, from, to int, acked *atomic.Int64) error {
	for i := from; i < to; i++ {
		c.send(object{"type": "group", "receiver_id": room, "content": fmt.Sprintf("%s %d", room, i), "ref": fmt.Sprint(i)})
		if _, err := c.until("ack"); err != nil {
			return err
		}
		acked.Store(int64(i))
	}
	return nil
}

// historyOf is the contents of a room's messages, from the first on.
func historyOf(t *testing.T, c *chatClient, room string) (contents []string) {
	t.Helper()
	for more := true; more; {
		c.send(object{"type": "history", "receiver_id": room, "after_seq": len(contents)})
		h, err := c.until("history")
		if err != nil {
			t.Fatal(err)
		}
		more, _ = h["has_more"].(bool)
		list, _ := h["messages"].([]any)
		for _, m := range list {
			contents = append(contents, m.(map[string]any)["content"].(string))
		}
	}
	return contents
}

var unlimited = []string{"--limits.messages-per-second=0", "--limits.connections-per-address=0", "--limits.guests-per-minute=0"}

// S19: backups are made while several people write. Each, brought back, holds what was
// acknowledged when it began, and of every room the beginning without a gap. Its
// people can still prove who they are, and clients see that it is another epoch.
func TestS19BackupWhileWriting(t *testing.T) {
	const writers, backups = 4, 3
	dir := t.TempDir()
	s := launch(t, filepath.Join(dir, "data"), "127.0.0.1:0", unlimited...)
	var tokens [writers]string
	var acked [writers]atomic.Int64
	var epoch string
	var done atomic.Bool
	var all sync.WaitGroup
	for i := range writers {
		var id string
		tokens[i], id = s.guest(fmt.Sprintf("Writer %d", i))
		c, ok, err := enter(s.ws("/ws"), tokens[i], "ack")
		if err != nil || ok.text("user_id") != id {
			t.Fatal(err)
		}
		epoch = ok.text("epoch")
		if err := sayGroup(c, fmt.Sprintf("room-%d", i), 1, 2, &acked[i]); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer c.nc.Close()
			for n := 2; !done.Load(); n++ {
				if err := sayGroup(c, fmt.Sprintf("room-%d", i), n, n+1, &acked[i]); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var least [backups][writers]int64
	for b := range backups {
		for i := range writers {
			least[b][i] = acked[i].Load()
		}
		out := succeed(t, "backup", filepath.Join(dir, fmt.Sprint(b)), "--data", filepath.Join(dir, "data"))
		if !strings.Contains(out, "from the running server") || !strings.Contains(out, "4 users") {
			t.Errorf("it says %s", out)
		}
	}
	done.Store(true)
	all.Wait()
	waitForLog(t, s, "the store was copied for a backup")
	if status := s.stop(); status != 0 {
		t.Errorf("status %d\n%s", status, s.log)
	}
	for b := range backups {
		file, data := filepath.Join(dir, fmt.Sprint(b)), filepath.Join(dir, fmt.Sprint("restored-", b))
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v; want mode 0600", info.Mode(), err)
		}
		succeed(t, "restore", file, "--data="+data)
		r := launch(t, data, "127.0.0.1:0", unlimited...)
		for i := range writers {
			c, ok, err := enter(r.ws("/ws"), tokens[i])
			if err != nil {
				t.Fatal(err)
			}
			if e := ok.text("epoch"); e == "" || e == epoch {
				t.Errorf("the epoch is %q; it was %q", e, epoch)
			}
			room := fmt.Sprintf("room-%d", i)
			got := historyOf(t, c, room)
			if int64(len(got)) < least[b][i] {
				t.Errorf("backup %d has %d messages of %s; %d were acknowledged before", b, len(got), room, least[b][i])
			}
			for n, content := range got {
				if content != fmt.Sprintf("%s %d", room, n+1) {
					t.Errorf("backup %d: message %d of %s is %q", b, n+1, room, content)
					break
				}
			}
			c.nc.Close()
		}
		r.kill()
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*partial*")); left != nil {
		t.Errorf("left behind: %q", left)
	}
}

// chatFolder is a data folder with one message in it, and the token of who wrote it.
func chatFolder(t *testing.T) (dir, token string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	s := launch(t, dir, "127.0.0.1:0")
	token, _ = s.guest("Ada")
	c, _, err := enter(s.ws("/ws"), token, "ack")
	if err != nil {
		t.Fatal(err)
	}
	if err := sayGroup(c, "r", 1, 2, new(atomic.Int64)); err != nil {
		t.Fatal(err)
	}
	c.nc.Close() // so that the stop waits for nobody
	s.stop()
	return dir, token
}

// checkFolder starts a server on a folder and looks for what chatFolder wrote.
func checkFolder(t *testing.T, dir, token string) {
	t.Helper()
	s := launch(t, dir, "127.0.0.1:0")
	defer s.stop()
	c, _, err := enter(s.ws("/ws"), token)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	if got := historyOf(t, c, "r"); len(got) != 1 || got[0] != "r 1" {
		t.Errorf("the room has %q", got)
	}
	c.nc.Close()
}

func TestBackupAndRestoreCommands(t *testing.T) {
	dir, token := chatFolder(t)
	parent := filepath.Dir(dir)
	file := filepath.Join(parent, "b")
	if out := succeed(t, "backup", "--data", dir, file); !strings.Contains(out, "while no server was running") || !strings.Contains(out, "1 message in 1 conversation, and 1 user") {
		t.Errorf("it says %s", out)
	}
	whole, _ := os.ReadFile(file)

	fail(t, 2, "exists; --force", "backup", file, "--data", dir)
	fail(t, 2, "is a folder", "backup", parent, "--data", dir)
	fail(t, 2, "is a file of the data folder itself", "backup", filepath.Join(dir, "chat.db"), "--force", "--data", dir)
	fail(t, 2, "is a file of the data folder itself", "backup", filepath.Join(dir, "token.key"), "--force", "--data", dir)
	fail(t, 2, "0 arguments", "backup", "--data", dir)
	fail(t, 2, "did you mean --force?", "backup", file, "--forse", "--data", dir)
	fail(t, 1, "there is no chat to copy", "backup", filepath.Join(parent, "c"), "--data", parent)
	fail(t, 1, "no such file", "backup", filepath.Join(parent, "absent", "c"), "--data", dir)
	if got, _ := os.ReadFile(file); !bytes.Equal(got, whole) {
		t.Error("a refused backup changed the file")
	}
	succeed(t, "backup", file, "--force", "--data", dir)
	if out := succeed(t, "backup", "--help"); !strings.Contains(out, "usage: hawser backup FILE") {
		t.Error(out)
	}
	cmd := exec.Command(program, "backup", filepath.Join(parent, "by-variable"))
	cmd.Env = append(os.Environ(), "HAWSER_DATA="+dir)
	if status, out := finish(t, cmd); status != 0 {
		t.Errorf("HAWSER_DATA: %d, %s", status, out)
	}

	fail(t, 2, "already contains data", "restore", file, "--data", dir)
	fail(t, 1, "is not a backup", "restore", filepath.Join(dir, "chat.db"), "--data", filepath.Join(parent, "new"))
	fail(t, 1, "no such file", "restore", filepath.Join(parent, "absent"), "--data", filepath.Join(parent, "new"))
	os.WriteFile(filepath.Join(parent, "cut"), whole[:len(whole)/2], 0o600)
	fail(t, 1, "was not restored", "restore", filepath.Join(parent, "cut"), "--data", filepath.Join(parent, "new"))
	if left, _ := filepath.Glob(filepath.Join(parent, "new", "*")); left != nil {
		t.Errorf("left behind: %q", left)
	}
	checkFolder(t, dir, token)

	// Over the data of others, which are gone then, and over a damaged store.
	other, _ := chatFolder(t)
	s := launch(t, other, "127.0.0.1:0")
	fail(t, 1, "stop the server first", "restore", file, "--force", "--data", other)
	s.stop()
	succeed(t, "restore", "--force", "--data", other, file)
	checkFolder(t, other, token)
	os.WriteFile(filepath.Join(other, "chat.db"), []byte("damaged"), 0o600)
	succeed(t, "restore", "--force", file, "--data", other)
	checkFolder(t, other, token)

	// A key that is there is not overwritten unless it is the same.
	os.Remove(filepath.Join(other, "chat.db"))
	succeed(t, "restore", file, "--data", other)
	os.Remove(filepath.Join(other, "chat.db"))
	if err := auth.ReplaceKey(other); err != nil {
		t.Fatal(err)
	}
	fail(t, 2, "is not the backup's", "restore", file, "--data", other)
	succeed(t, "restore", file, "--force", "--data", other)
	checkFolder(t, other, token)
}

// A restore that is killed leaves the old data or the new: before the one rename
// the old, after it the new, whose key the next start puts where it belongs.
func TestRestoreKilled(t *testing.T) {
	dir, token := chatFolder(t)
	file := filepath.Join(t.TempDir(), "b")
	succeed(t, "backup", file, "--data", dir)
	old, oldToken := chatFolder(t)
	temp := bolt.TempName(old, "killed")
	whole, _ := os.ReadFile(file)
	os.WriteFile(temp, whole[:len(whole)/2], 0o600) // while it was copied
	checkFolder(t, old, oldToken)
	if _, err := os.Stat(temp); err == nil {
		t.Error("what was left behind stays")
	}
	os.WriteFile(temp, whole, 0o600) // and now just after the rename
	if err := errors.Join(bolt.Revive(temp), bolt.Replace(temp, old, true)); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, old, token)
	checkFolder(t, old, token)
	if a, b := read(t, dir, "token.key"), read(t, old, "token.key"); a != b {
		t.Error("the key is not the backup's")
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A store and its key belong together. What is wrong with the key is said, and what to
// do; nothing is made in its place.
func TestStoreWithoutItsKey(t *testing.T) {
	dir, token := chatFolder(t)
	path := filepath.Join(dir, "token.key")
	key := read(t, dir, "token.key")
	other, _ := chatFolder(t)
	serve := []string{"serve", "--listen=127.0.0.1:0", "--data", dir}
	for name, c := range map[string]struct {
		says []string
		make func() error
	}{
		"missing":          {[]string{"is missing", "hawser restore", "hawser new-key"}, func() error { return os.Remove(path) }},
		"empty":            {[]string{"is empty", "backup"}, func() error { return os.WriteFile(path, nil, 0o600) }},
		"only white space": {[]string{"is empty", "backup"}, func() error { return os.WriteFile(path, []byte("\n"), 0o600) }},
		"cut short":        {[]string{"does not contain 32 bytes", "backup"}, func() error { return os.WriteFile(path, []byte(key[:30]), 0o600) }},
		"another file":     {[]string{"does not begin with", "backup"}, func() error { return os.WriteFile(path, []byte("hello"), 0o600) }},
		"a folder":         {[]string{"is not a file"}, func() error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }},
		"for others":       {[]string{"mode 0644", "change it to 0600"}, func() error { return os.Chmod(path, 0o644) }},
		"another store's":  {[]string{"is not the key of the users in", "new-key --force"}, func() error { return os.WriteFile(path, []byte(read(t, other, "token.key")), 0o600) }},
	} {
		t.Run(name, func(t *testing.T) {
			os.RemoveAll(path)
			if err := errors.Join(os.WriteFile(path, []byte(key), 0o600), c.make()); err != nil {
				t.Fatal(err)
			}
			status, out := hawser(t, serve...)
			if status != 1 || !strings.Contains(out, path) {
				t.Errorf("status %d:\n%s", status, out)
			}
			for _, s := range c.says {
				if !strings.Contains(out, s) {
					t.Errorf("it does not say %q:\n%s", s, out)
				}
			}
			if status, out := hawser(t, "backup", filepath.Join(t.TempDir(), "b"), "--data", dir); status == 0 {
				t.Errorf("a backup without the key is made:\n%s", out)
			}
		})
	}
	os.RemoveAll(path)
	succeed(t, "new-key", "--data", dir)
	s := launch(t, dir, "127.0.0.1:0")
	if _, _, err := enter(s.ws("/ws"), token); err == nil {
		t.Error("a token of the lost key is accepted")
	}
	fail(t, 1, "in use by another process", "new-key", "--force", "--data", dir)
	s.stop()
	fail(t, 2, "--force replaces it", "new-key", "--data", dir)
	os.WriteFile(path, []byte(key), 0o600) // it was found after all
	fail(t, 1, "is not the key of the users in", serve...)
	succeed(t, "new-key", "--force", "--data", dir)
	launch(t, dir, "127.0.0.1:0").stop()
	fail(t, 1, "there is no chat", "new-key", "--data", t.TempDir())
}

// A key that was there before the store is a first start, or a lost store: it is said.
func TestKeyWithoutItsStore(t *testing.T) {
	dir, _ := chatFolder(t)
	os.Remove(filepath.Join(dir, "chat.db"))
	s := launch(t, dir, "127.0.0.1:0")
	waitForLog(t, s, "there is a token.key but no chat.db")
	s.guest("Ada")
	s.stop()
	first := launch(t, t.TempDir(), "127.0.0.1:0")
	if strings.Contains(first.log.String(), "token.key") {
		t.Errorf("a first start says\n%s", first.log)
	}
}

// Backups work under a path that is too long for a socket, and only the owner may ask
// for one. The socket is gone after a stop; one that a crash left is replaced.
func TestControlSocket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	s := launch(t, dir, "127.0.0.1:0")
	if info, err := os.Lstat(filepath.Join(dir, "control.sock")); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if out := succeed(t, "backup", filepath.Join(t.TempDir(), "b"), "--data", dir); !strings.Contains(out, "from the running server") {
		t.Errorf("it says %s", out)
	}
	s.kill()
	if out := succeed(t, "backup", filepath.Join(t.TempDir(), "b"), "--data", dir); !strings.Contains(out, "while no server was running") {
		t.Errorf("after a crash: %s", out)
	}
	s = launch(t, dir, "127.0.0.1:0")
	succeed(t, "backup", filepath.Join(t.TempDir(), "b"), "--data", dir)
	s.stop()
	if _, err := os.Lstat(filepath.Join(dir, "control.sock")); err == nil {
		t.Error("the socket is there after a stop")
	}
	// Something else in its place does not prevent the start.
	os.WriteFile(filepath.Join(dir, "control.sock"), nil, 0o600)
	s = launch(t, dir, "127.0.0.1:0")
	waitForLog(t, s, "there is no control socket")
	fail(t, 1, "in use by another process, which does not answer", "backup", filepath.Join(t.TempDir(), "b"), "--data", dir)
}
