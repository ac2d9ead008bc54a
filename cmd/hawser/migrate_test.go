package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// unzip writes what a program of an older format wrote to a file.
func unzip(t *testing.T, name, to string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// oldEpoch is that of the data in testdata.
const oldEpoch = "ilm2kgwnq5a6q"

// oldFolder is a data folder of format 1, whose lobby has five messages.
func oldFolder(t *testing.T) string {
	dir := t.TempDir()
	unzip(t, "format-1.db.gz", filepath.Join(dir, "chat.db"))
	key, err := os.ReadFile(filepath.Join("testdata", "format-1.token.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "token.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// checkOldLobby looks for the five messages.
func checkOldLobby(t *testing.T, s *service, epoch string) {
	t.Helper()
	token, _ := s.guest("Grace")
	c, welcome, err := enter(s.ws("/ws"), token)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	defer c.nc.Close()
	if got := fmt.Sprint(historyOf(t, c, "lobby")); got != "[old message 1 old message 2 old message 3 old message 4 old message 5]" {
		t.Errorf("the lobby has %s", got)
	}
	if got := welcome.text("epoch"); epoch != "" && got != epoch {
		t.Errorf("the epoch is %s; it was %s", got, epoch)
	}
}

// A server migrates the data of an older one when it starts, and says how long that took;
// one that is killed meanwhile leaves the next one everything.
func TestServeMigrates(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 8 {
		dir := oldFolder(t)
		cmd := exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--data", dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(r.IntN(60)) * time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
		s := launch(t, dir, "127.0.0.1:0")
		checkOldLobby(t, s, oldEpoch)
		s.stop()
		if left, _ := filepath.Glob(filepath.Join(dir, "chat.db*")); len(left) != 1 {
			t.Errorf("left behind: %q", left)
		}
	}
	dir := oldFolder(t)
	s := launch(t, dir, "127.0.0.1:0")
	checkOldLobby(t, s, oldEpoch)
	s.stop()
	if log := s.log.String(); !strings.Contains(log, "migrated the chat") || !strings.Contains(log, "took=") {
		t.Errorf("it does not say that it migrated anything: %s", log)
	}
	succeed(t, "check", dir)
}

// A backup that an older program made is brought back.
func TestRestoreOldBackup(t *testing.T) {
	dir := t.TempDir()
	file, data := filepath.Join(dir, "old.backup"), filepath.Join(dir, "data")
	unzip(t, "format-1.backup.gz", file)
	before, _ := os.ReadFile(file)
	fail(t, 1, `has format "1"`, "check", file)
	if out := succeed(t, "restore", file, "--data", data); !strings.Contains(out, "5 messages in 1 conversation, and 1 user") {
		t.Errorf("it says %s", out)
	}
	if after, _ := os.ReadFile(file); !bytes.Equal(after, before) {
		t.Error("the backup was changed")
	}
	s := launch(t, data, "127.0.0.1:0")
	checkOldLobby(t, s, "")
	s.stop()
}
