package outfile

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A pipe is written to as it is: a check does not open it, for its reader would take
// that for the end.
func TestPipe(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	f := File{"--json", fifo}
	if err := Check(f); err != nil { // nobody reads yet
		t.Fatal(err)
	}
	got := make(chan string)
	go func() {
		r, err := os.Open(fifo)
		if err != nil {
			got <- err.Error()
			return
		}
		defer r.Close()
		b, _ := io.ReadAll(r)
		got <- string(b)
	}()
	if err := f.Write(text("through")); err != nil {
		t.Error(err)
	}
	if s := <-got; s != "through" || len(files(t, dir)) != 1 {
		t.Errorf("%q came through; there are %q", s, files(t, dir))
	}
	if err := (File{"--json", "/dev/full"}).Write(text("x")); err == nil || err.Error() != "--json /dev/full: no space left on device" {
		t.Errorf("a full disk: %v", err)
	}
}

// Without leave to write to the directory, a file is written in place.
func TestWithoutPermission(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "dir")
	os.Mkdir(dir, 0o755)
	path, other := filepath.Join(dir, "f"), filepath.Join(dir, "other")
	os.WriteFile(path, []byte("a longer text"), 0o644)
	os.WriteFile(other, []byte("kept"), 0o444)
	os.Chmod(path, 0o666)
	os.Chmod(dir, 0o555)
	defer os.Chmod(dir, 0o755)
	for at := top; at != "/"; at = filepath.Dir(at) {
		if info, err := os.Stat(at); err == nil && info.Mode().Perm()&0o055 != 0o055 {
			os.Chmod(at, info.Mode().Perm()|0o055) // of what t.TempDir made
		}
	}
	if os.Geteuid() == 0 {
		// Permissions are nothing to root: this thread is someone else meanwhile.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		unix.Setfsuid(65534)
		defer unix.Setfsuid(0)
	}
	if err := Check(File{"--json", path}); err != nil {
		t.Error(err)
	}
	if err := (File{"--json", path}).Write(text("short")); err != nil || content(t, path) != "short" {
		t.Errorf("%v, %q", err, content(t, path))
	}
	for name, err := range map[string]error{
		"a file that may not be written":      Check(File{"--json", other}),
		"a new file":                          Check(File{"--json", filepath.Join(dir, "new")}),
		"a directory that may not be written": CheckDir("--json", filepath.Join(dir, "a", "b")),
	} {
		if err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
