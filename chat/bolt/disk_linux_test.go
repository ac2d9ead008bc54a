package bolt

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

// Faults of a disk, as Linux lets us simulate them.

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "data")
	mustOpen(t, dir)
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, FileName): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %04o, want %04o", path, got, want)
		}
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) != 1 {
		t.Errorf("beside the store lies something: %q", names)
	}
}

// replaceFile puts the file at path in the place of the store's open file, so that the
// next writes and syncs go there, and returns a function that undoes it.
func replaceFile(t *testing.T, dir, path string) (undo func()) {
	t.Helper()
	fd := openDescriptor(t, filepath.Join(dir, FileName))
	saved, err := syscall.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := syscall.Dup3(int(other.Fd()), fd, syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Dup3(saved, fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		syscall.Close(saved)
	}
}

// openDescriptor finds this process' descriptor of an open file.
func openDescriptor(t *testing.T, path string) int {
	t.Helper()
	want, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for fd := 3; fd < 1024; fd++ {
		var st syscall.Stat_t
		if syscall.Fstat(fd, &st) == nil && st.Ino == want.Sys().(*syscall.Stat_t).Ino && st.Dev == want.Sys().(*syscall.Stat_t).Dev {
			return fd
		}
	}
	t.Fatalf("%s is not open", path)
	return 0
}

// /dev/null takes every write and refuses to be synced: one sync fails, and from then on
// the store accepts nothing, though syncs would succeed again.
func TestS07FailedSyncClosesForWriting(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	if _, err := say(s, "before"); err != nil {
		t.Fatal(err)
	}
	undo := replaceFile(t, dir, os.DevNull)
	_, err := say(s, "lost")
	undo()
	if !errors.Is(err, chat.ErrOutcomeUnknown) || !strings.Contains(err.Error(), "closed for writing") {
		t.Fatalf("Commit whose sync failed: %v", err)
	}
	if _, again := say(s, "after"); !errors.Is(again, s.Broken()) || errors.Is(again, chat.ErrOutcomeUnknown) {
		t.Errorf("Commit after it, of which certainly nothing was stored: %v", again)
	}
	if err := s.PutUser(bg, chat.User{ID: "u_ada"}); err == nil {
		t.Error("PutUser after it succeeded")
	}
	if diff := cmp.Diff([]string{"before"}, contents(t, s)); diff != "" {
		t.Errorf("reading (-want +got):\n%s", diff)
	}
	if rooms, _, _ := s.Rooms(bg, chat.RoomPlace{}, "", 10); len(rooms) != 1 || rooms[0].Seq != 1 {
		t.Errorf("the list of rooms knows of what may not be there: %v", rooms)
	}
	s.Close(bg)
	s = mustOpen(t, dir)
	if e, err := say(s, "next"); err != nil || e.Seq != 2 {
		t.Errorf("after a restart: %+v, %v", e, err)
	}
}

// /dev/full has no room for anything: the message is refused, and the next one, when
// there is room again, is not.
func TestS06DiskFull(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	if _, err := say(s, "before"); err != nil {
		t.Fatal(err)
	}
	undo := replaceFile(t, dir, "/dev/full")
	_, err := say(s, "no room")
	undo()
	if err == nil || strings.Contains(err.Error(), "closed for writing") {
		t.Fatalf("Commit on a full disk: %v", err)
	}
	if diff := cmp.Diff([]string{"before"}, contents(t, s)); diff != "" {
		t.Errorf("reading (-want +got):\n%s", diff)
	}
	e, err := say(s, "after")
	if err != nil || e.Seq != 2 {
		t.Errorf("Commit after it: %+v, %v", e, err)
	}
	if diff := cmp.Diff([]string{"before", "after"}, contents(t, s)); diff != "" {
		t.Errorf("reading (-want +got):\n%s", diff)
	}
}

// checkpointNow writes everything in memory while the committer is idle.
func (s *Store) checkpointNow() {
	s.beginCheckpoint()
	s.beginPlacing()
	for s.indexing != nil {
		s.index(s.indexing)
	}
	for s.placing != nil {
		s.place(s.placing)
	}
}

// If the disk has no room for a checkpoint, nothing changes, and the next one makes up
// for it.
func TestCheckpointDiskFull(t *testing.T) {
	s, want := reopened(t)
	s.clock = &triggers{jumpyClock: newJumpyClock()} // the committer has nothing to do
	mustJoin(t, s, "attic", "u_ada")
	undo := replaceFile(t, filepath.Dir(s.path), "/dev/full")
	s.checkpointNow()
	undo()
	if s.changes != len(want) || s.Broken() != nil || s.checkpointAt <= len(want) {
		t.Errorf("%d changes are in memory, and the next checkpoint is at %d; %v", s.changes, s.checkpointAt, s.Broken())
	}
	if count, dirty := s.members.fresh(); count != 1 || dirty != 1 {
		t.Errorf("%d memberships are in memory, and %d to be written", count, dirty)
	}
	for _, changes := range []int{len(want), 0} {
		if got := contents(t, s); !slices.Equal(got, want) || s.changes != changes {
			t.Errorf("with %d changes in memory: %q", s.changes, got)
		}
		wantRoomsOf(t, s, "u_ada", "attic")
		s.checkpointNow()
	}
	if count, dirty := s.members.fresh(); count != 0 || dirty != 0 {
		t.Errorf("%d memberships are in memory, and %d to be written", count, dirty)
	}
	if rs, err := results(s, []chat.Entry{{Conversation: lobby, Message: message("again", "7")}}); err != nil || !rs[0].Duplicate || rs[0].Change.Seq != 8 {
		t.Errorf("what is sent again: %+v, %v", rs, err)
	}
	if c, err := Verify(bg, copyOf(t, s)); err != nil || c.Messages != uint64(len(want)) {
		t.Errorf("%+v, %v", c, err)
	}
}

// A checkpoint whose sync fails closes the store for writing; its data can still be read.
func TestCheckpointSyncFails(t *testing.T) {
	s, want := reopened(t)
	undo := replaceFile(t, filepath.Dir(s.path), os.DevNull)
	s.checkpointNow()
	undo()
	if s.Broken() == nil {
		t.Error("the store is open for writing")
	}
	if got := contents(t, s); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, mustOpen(t, filepath.Dir(s.path))); !slices.Equal(got, want) {
		t.Errorf("after opening again: %q", got)
	}
}
