package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// replaceIn replaces bytes of a file, all that are like them.
func replaceIn(t *testing.T, path, from, to string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(from)) || len(from) != len(to) {
		t.Fatalf("%s does not contain %q", path, from)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte(from), []byte(to)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// outputs runs a command and keeps its two outputs apart.
func outputs(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(args, nil, &out, &errs, nil)
	return status, out.String(), errs.String()
}

// A chat in which a message is damaged can be backed up, and the backup be restored, with all
// the rest. What is lost is said, and an older backup stays.
func TestBackupOfADamagedChat(t *testing.T) {
	dir, token := chatFolder(t)
	s := launch(t, dir, "127.0.0.1:0")
	c, _, err := enter(s.ws("/ws"), token, "ack")
	if err != nil {
		t.Fatal(err)
	}
	c.send(object{"type": "group", "receiver_id": "r", "content": "the second message", "ref": "2"})
	if _, err := c.until("ack"); err != nil {
		t.Fatal(err)
	}
	c.nc.Close()
	s.stop()
	parent := t.TempDir()
	before, file := filepath.Join(parent, "before"), filepath.Join(parent, "file")
	succeed(t, "backup", before, "--data", dir)
	good := read(t, parent, "before")
	replaceIn(t, filepath.Join(dir, "chat.db"), "the second message", "the second massage")

	const lost = "lost: message 2 of r:r is damaged or missing\n"
	backup := func(to string, args ...string) {
		t.Helper()
		status, stdout, stderr := outputs(append([]string{"backup", "--data", dir}, args...)...)
		if status != exitFailure || !strings.Contains(stderr, lost) || !strings.Contains(stderr, to+" was made") || !strings.Contains(stderr, "is complete otherwise") ||
			!strings.Contains(stdout, "1 message in 1 conversation") || strings.Contains(stdout, "is whole") {
			t.Errorf("backup: %d\n%s%s", status, stdout, stderr)
		}
	}
	backup(file, file)
	backup(before+".damaged", before, "--force")
	if read(t, parent, "before") != good {
		t.Error("the backup from before was overwritten")
	}
	if read(t, parent, "file") == "" || read(t, parent, "before.damaged") == "" {
		t.Error("an empty backup")
	}

	data := filepath.Join(parent, "data")
	status, stdout, stderr := outputs("restore", file, "--data", data)
	if status != exitFailure || !strings.Contains(stderr, lost) || !strings.Contains(stderr, "--force restores everything else") || stdout != "" {
		t.Errorf("restore: %d\n%s%s", status, stdout, stderr)
	}
	if left, _ := filepath.Glob(filepath.Join(data, "*")); left != nil {
		t.Errorf("left behind: %q", left)
	}
	status, stdout, stderr = outputs("restore", file, "--data", data, "--force")
	if status != 0 || stderr != lost || !strings.Contains(stdout, "but for what is listed as lost") {
		t.Errorf("restore --force: %d\n%s%s", status, stdout, stderr)
	}
	checkFolder(t, data, token) // the other message
	fail(t, 1, lost, "check", data)
}

// What is damaged in the backup of an older program is said before it is restored.
func TestRestoreDamagedOldBackup(t *testing.T) {
	dir := t.TempDir()
	file, data := filepath.Join(dir, "old.backup"), filepath.Join(dir, "data")
	unzip(t, "format-1.backup.gz", file)
	replaceIn(t, file, "old message 3", "old message \xff")
	const lost = "lost: message 3 of r:lobby is damaged or missing\n"
	fail(t, 1, lost, "restore", file, "--data", data)
	status, stdout, stderr := outputs("restore", file, "--data", data, "--force")
	if status != 0 || stderr != lost || !strings.Contains(stdout, "4 messages in 1 conversation") {
		t.Errorf("restore --force: %d\n%s%s", status, stdout, stderr)
	}
}
