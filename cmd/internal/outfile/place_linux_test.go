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
	if err := Check(f); err != nil { // no reader yet
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
	dir := filepath.Join(t.TempDir(), "dir")
	os.Mkdir(dir, 0o755)
	path, other := filepath.Join(dir, "f"), filepath.Join(dir, "other")
	os.WriteFile(path, []byte("a longer text"), 0o644)
	os.WriteFile(other, []byte("kept"), 0o444)
	os.Chmod(dir, 0o555)
	defer os.Chmod(dir, 0o755)
	heedPermissions(t, func() {
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
	})
}

// heedPermissions runs f where permissions mean something to root, too: in a thread
// without the capability to override them, which ends with f.
func heedPermissions(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good
		self := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var caps [2]unix.CapUserData // of 32 capabilities each
		if err := unix.Capget(self, &caps[0]); err != nil {
			t.Error(err)
			return
		}
		const override = 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
		caps[0].Effective &^= override
		caps[0].Permitted &^= override // from which access(2) takes them
		if err := unix.Capset(self, &caps[0]); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	<-done
}
