package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hawser-ws/hawser/chat"
)

// dup is the descriptor of a store's file as another process gets it.
func dup(t *testing.T, s *Store) *os.File {
	t.Helper()
	fd, err := unix.FcntlInt(s.File().Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), FileName)
}

// inherit opens a frozen store as another process does. It is closed with the file when the test ends.
func inherit(t *testing.T, s *Store, dir string) *Store {
	t.Helper()
	next, err := openInherited(dir, dup(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func openInherited(dir string, f *os.File) (*Store, error) {
	s, err := Open(dir, Options{Log: quiet.Log, Inherit: true})
	if err == nil {
		err = s.Inherit(f)
	}
	return s, err
}

func assertLocked(t *testing.T, dir string) {
	t.Helper()
	unlock, err := Lock(dir)
	if used := (*InUseError)(nil); !errors.As(err, &used) {
		t.Errorf("the store is not locked: %v", err)
	}
	if err == nil {
		unlock()
	}
}

// A store moves to another process, any number of times, with everything that was answered, and is
// locked all the time.
func TestInherit(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{Log: quiet.Log, every: 10, piece: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutUser(bg, chat.User{ID: "u_ada", Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	key, next := chat.KeyHash{1}, chat.KeyHash{2}
	stays, ends := chat.Session{ID: "s_stays", UserID: "u_ada", Key: key, Began: 1}, chat.Session{ID: "s_ends", UserID: "u_ada", Began: 2}
	for _, one := range []chat.Session{stays, ends} {
		if err := s.sessions.Begin(bg, one); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		for j := range 7 {
			if _, err := say(s, fmt.Sprintf("%d.%d", i, j)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Parts().Members.Join(bg, fmt.Sprintf("room%d", i), "u_ada"); err != nil {
			t.Fatal(err)
		}
		if err := s.Freeze(bg); err != nil {
			t.Fatal(err)
		}
		s2 := inherit(t, s, dir)
		connected, there := []string{"s_stays", "s_none"}, []bool{true, false}
		if i == 0 {
			connected, there = append(connected, "s_ends"), append(there, true)
		}
		if known := s2.Parts().Takeover.Rejoin(connected); !slices.Equal(known, there) {
			t.Errorf("round %d: of %v, %v are there", i, connected, known)
		}
		if i == 0 {
			s2.sessions.Release("s_ends")
		}
		if err := s2.update(nil); err != errInherited {
			t.Errorf("it writes before Start: %v", err)
		}
		assertLocked(t, dir)
		s2.Start()
		list, err := s2.sessions.List(bg, "u_ada")
		if err != nil || len(list) != 2 || list[1].Open != 1 || list[0].Open != 0 {
			t.Errorf("round %d: %+v, %v", i, list, err)
		}
		s = s2
	}
	if tail, err := s.Tail(bg, lobby); err != nil || tail.Seq != 35 {
		t.Errorf("%+v, %v", tail, err)
	}
	for i := range 5 {
		if is, err := s.Parts().Members.IsMember(bg, fmt.Sprintf("room%d", i), "u_ada"); err != nil || !is {
			t.Errorf("no member of room%d: %v", i, err)
		}
	}
	if _, err := s.sessions.Resume(bg, "s_stays", key, next, chat.Origin{}); err != nil {
		t.Errorf("the key of the session: %v", err)
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, quiet); err != nil { // as the file is
		t.Fatal(err)
	}
	defer s.Close(bg)
	if tail, err := s.Tail(bg, lobby); err != nil || tail.Seq != 35 {
		t.Errorf("from the file: %+v, %v", tail, err)
	}
}

// A frozen store keeps requests waiting, and handles them if no other process takes over, even if that
// process has unlocked the file.
func TestInheritRefused(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(bg)
	if _, err := say(s, "before"); err != nil {
		t.Fatal(err)
	}
	if err := s.Freeze(bg); err != nil {
		t.Fatal(err)
	}
	said := make(chan error, 1)
	go func() {
		_, err := say(s, "meanwhile")
		said <- err
	}()
	inherit(t, s, dir).db.Close() // unlocks
	select {
	case err := <-said:
		t.Errorf("a frozen store has stored something: %v", err)
	default:
	}
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := <-said; err != nil {
		t.Error(err)
	}
	assertLocked(t, dir)

	// Not if yet another process has locked the file.
	if err := s.Freeze(bg); err != nil {
		t.Fatal(err)
	}
	inherit(t, s, dir).db.Close()
	unlock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := s.Thaw(); err == nil || s.Broken() == nil {
		t.Error("a store goes on that another process has locked")
	}
}

// A store that cannot be taken over is refused, and nothing in it is written.
func TestInheritOther(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	s, err := Open(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(bg)
	o, err := Open(other, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close(bg)
	for path, says := range map[string]string{other: "is not the file", t.TempDir(): "is not the file"} {
		if _, err := openInherited(path, dup(t, s)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v; want %q", err, says)
		}
	}
	s.writing.Lock() // so that the store does not come to rest
	ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
	defer cancel()
	go say(s, "waits")
	for s.commits.idle() {
		time.Sleep(time.Millisecond)
	}
	err = s.Freeze(ctx)
	s.writing.Unlock()
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Freeze: %v", err)
	}
}
