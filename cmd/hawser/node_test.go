package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A client that nobody here wrote, Node's ws, has a conversation over every
// type of message.
func TestNodeClient(t *testing.T) {
	dir := filepath.Join("testdata", "node")
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed; make test installs it where it can")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "ws")); err != nil {
		t.Skip("npm's package ws is not installed; make test installs it where it can")
	}
	s := launch(t, t.TempDir(), "127.0.0.1:0")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "conversation.mjs", s.url)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\nthe server's log:\n%s", err, out, s.log)
	}
	t.Logf("%s", out)
}
