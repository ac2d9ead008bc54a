package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/chat/bolt"
)

func runCheck(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(append([]string{"check"}, args...), nil, &out, &errs, nil)
	return code, out.String(), errs.String()
}

// A store that is whole passes; one with a changed byte in a message does not, and the
// message is named.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	s := launch(t, dir, "127.0.0.1:0")
	token, _ := s.guest("Ada")
	c, _, err := enter(s.ws("/ws"), token)
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"the first message", "the second message"} {
		if err := c.send(object{"type": "group", "receiver_id": "lobby", "content": content, "ref": content[4:7]}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.until("ack"); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, stderr := runCheck(dir); code != exitFailure || !strings.Contains(stderr, "stop the server first") {
		t.Errorf("of a store that is in use: %d, %s", code, stderr)
	}
	s.kill()
	for _, args := range [][]string{{dir}, {"--data", dir}, {filepath.Join(dir, bolt.FileName)}} {
		if code, stdout, stderr := runCheck(args...); code != 0 || !strings.Contains(stdout, "2 messages in 1 conversation, and 1 user that are whole") {
			t.Errorf("%q: %d, %s%s", args, code, stdout, stderr)
		}
	}
	path := filepath.Join(dir, bolt.FileName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte("second message"), []byte("second massage")), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := runCheck(dir); code != exitFailure || !strings.Contains(stdout, "lost: message 2 of r:lobby is damaged or missing\n") || !strings.Contains(stderr, "(1 line)") {
		t.Errorf("with a changed byte: %d, %s%s", code, stdout, stderr)
	}
	for args, want := range map[string]string{dir + "/absent": "no such file", dir + " " + dir: "2 arguments, want 0 or 1", "--help": ""} {
		code, stdout, stderr := runCheck(strings.Fields(args)...)
		if want == "" && (code != 0 || stdout != checkUsage) || want != "" && (code == 0 || !strings.Contains(stderr, want)) {
			t.Errorf("%q: %d, %s%s", args, code, stdout, stderr)
		}
	}
}
