package bolt

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// noRoom keeps all files of this process from growing, or being written beyond
// their first page, until undo is called.
func noRoom(t *testing.T) (undo func()) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	set := func(cur uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: cur, Max: before.Max}); err != nil {
			t.Fatal(err)
		}
	}
	set(4096)
	undo = func() { set(before.Cur) }
	t.Cleanup(undo)
	return undo
}

// A full disk is reported from the failed write until there is room again, even
// if nothing else is written.
func TestHealthyAfterDiskFull(t *testing.T) {
	// In a process of its own: "go test" writes files from this one.
	const variable = "HAWSER_TEST_BOLT_FULL"
	if os.Getenv(variable) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), variable+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	s := mustOpen(t, t.TempDir())
	now := time.Unix(1_800_000_000, 0)
	s.room.now = func() time.Time { return now }
	if err := s.Healthy(); err != nil {
		t.Fatal(err)
	}
	undo := noRoom(t)
	if _, err := say(s, "no room"); err == nil {
		t.Fatal("written to a full disk")
	}
	for range 3 {
		if err := s.Healthy(); err == nil || !strings.Contains(err.Error(), "disk is full") {
			t.Errorf("on a full disk: %v", err)
		}
		now = now.Add(trialEvery)
	}
	undo()
	if err := s.Healthy(); err != nil {
		t.Errorf("there is room again: %v", err)
	}
	if e, err := say(s, "after"); err != nil || e.Seq != 1 {
		t.Errorf("%+v, %v", e, err)
	}
	// A stored message shows the same.
	undo = noRoom(t)
	say(s, "no room")
	undo()
	if _, err := say(s, "room again"); err != nil {
		t.Fatal(err)
	}
	if err := s.Healthy(); err != nil {
		t.Errorf("after a write that succeeded: %v", err)
	}
}

// A disk with next to nothing free is reported full before a write fails.
func TestHealthyNearlyFull(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	var free uint64
	known := true
	s.room.free = func(string) (uint64, bool) { return free, known }
	for _, c := range []struct {
		free    uint64
		known   bool
		healthy bool
	}{{0, true, false}, {minFree - 1, true, false}, {minFree, true, true}, {0, false, true}} {
		free, known = c.free, c.known
		if err := s.Healthy(); (err == nil) != c.healthy || err != nil && !strings.Contains(err.Error(), "disk is full") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// A store that is closed for writing says why.
func TestHealthyBroken(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	undo := replaceFile(t, dir, "/dev/null") // takes every write, refuses to be synced
	say(s, "lost")
	undo()
	if err := s.Healthy(); err == nil || !strings.Contains(err.Error(), "closed for writing") {
		t.Errorf("%v", err)
	}
}
