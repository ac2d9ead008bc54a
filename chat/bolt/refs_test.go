package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/enginetest"
)

// jumpyClock is a clock that can be wrong.
type jumpyClock struct {
	enginetest.Clock
	ahead atomic.Int64
}

func newJumpyClock() *jumpyClock {
	c := &jumpyClock{}
	for c.Now().Year() < 2026 {
		c.Pass(365 * 24 * time.Hour)
	}
	return c
}

func (c *jumpyClock) Now() time.Time { return c.Clock.Now().Add(time.Duration(c.ahead.Load())) }

// jump sets the clock, and makes a store accept it.
func (c *jumpyClock) jump(s *Store, d time.Duration) {
	c.ahead.Add(int64(d))
	s.Now()
	c.Pass(6 * time.Second)
	s.Now()
}

// sayRefs stores messages with refs of the given prefix, one after the other.
func sayRefs(t *testing.T, s *Store, ref string, n int) {
	t.Helper()
	for i := range n {
		if err := commit(s, []chat.Entry{{Conversation: lobby, Message: message("x", fmt.Sprint(ref, i))}}); err != nil {
			t.Fatal(err)
		}
	}
	awaitCheckpoint(t, s)
}

// awaitCheckpoint waits until the checkpoint that a message may have caused is over: the next
// job comes after it. Meanwhile no test may set the clock.
func awaitCheckpoint(t *testing.T, s *Store) {
	t.Helper()
	for busy := true; busy; {
		if err := s.run(bg, &job{then: func() { busy = s.advancing() }}, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// sent reports whether a message with this ref, which is sent now, was there before.
func sent(t *testing.T, s *Store, ref string) bool {
	t.Helper()
	rs, err := results(s, []chat.Entry{{Conversation: lobby, Message: message("x", ref)}})
	if err != nil {
		t.Fatal(err)
	}
	awaitCheckpoint(t, s)
	return rs[0].Duplicate
}

func openJumpy(t *testing.T, dir string, c *jumpyClock) *Store {
	t.Helper()
	s, err := Open(dir, Options{Clock: c, Log: quiet.Log, every: 10})
	if err != nil {
		t.Fatal(err)
	}
	s.db.NoSync = true
	return s
}

// Refs that have expired are forgotten with the run that they are in, and a restart does not
// change which ones these are.
func TestRefsAreForgotten(t *testing.T) {
	c := newJumpyClock()
	dir := t.TempDir()
	s := openJumpy(t, dir, c)
	for i := range 40 {
		sayRefs(t, s, fmt.Sprint(i, "."), 10)
		c.Pass(3 * time.Hour)
	}
	if err := s.Close(bg); err != nil { // the last checkpoint is over
		t.Fatal(err)
	}
	s = openJumpy(t, dir, c)
	defer s.Close(bg)
	chunks := 0
	s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketRefs).ForEach(func(_, _ []byte) error { chunks++; return nil })
	})
	if len(s.runs) != 16 || chunks != 16 || s.Broken() != nil {
		t.Errorf("%d runs of refs are left, in %d parts, broken: %v; want those of 48 hours", len(s.runs), chunks, s.Broken())
	}
	var losses []string
	if _, err := Check(bg, s.path, func(l string) { losses = append(losses, l) }); err != nil || len(losses) > 0 {
		t.Errorf("check: %q, %v", losses, err)
	}
}

// A clock that is ahead for some time, by any amount, and then corrected causes no message to
// be stored twice.
func TestClockAheadForgetsNoRefs(t *testing.T) {
	for _, ahead := range []time.Duration{49 * time.Hour, 10 * 365 * 24 * time.Hour} {
		c := newJumpyClock()
		dir := t.TempDir()
		s := openJumpy(t, dir, c)
		sayRefs(t, s, "mine", 12)
		for range 3 { // more than once
			c.jump(s, ahead)
			sayRefs(t, s, fmt.Sprint("ahead", c.Now()), 12)
			c.Pass(2 * time.Hour)
			sayRefs(t, s, fmt.Sprint("later", c.Now()), 24)
			if err := s.Close(bg); err != nil {
				t.Fatal(err)
			}
			s = openJumpy(t, dir, c)
			c.jump(s, -ahead)
			sayRefs(t, s, fmt.Sprint("right", c.Now()), 12)
		}
		if !sent(t, s, "mine0") {
			t.Errorf("%v ahead: a message of 6 hours ago was stored twice", ahead)
		}
		s.Close(bg)
	}
}

// Refs from a moment in the far future are forgotten like any others, and so are those that
// came after them.
func TestRefsOfTheFutureAreForgotten(t *testing.T) {
	const ahead = 10 * 365 * 24 * time.Hour
	c := newJumpyClock()
	s := openJumpy(t, t.TempDir(), c)
	defer s.Close(bg)
	c.jump(s, ahead)
	sayRefs(t, s, "future", 12)
	c.jump(s, -ahead)
	for i := range 30 {
		c.Pass(3 * time.Hour)
		if i == 7 && !sent(t, s, "future0") {
			t.Error("a message from the future, of yesterday, was stored twice")
		}
		sayRefs(t, s, fmt.Sprint(i, "."), 10)
	}
	if err := s.Close(bg); err != nil { // the last checkpoint is over
		t.Fatal(err)
	}
	if n := len(s.runs); n > 17 {
		t.Errorf("%d runs are kept", n)
	}
}

// A run that is missing, wherever it is, closes the store for writing: its messages could be
// stored twice. A check finds it, too.
func TestMissingRun(t *testing.T) {
	c := newJumpyClock()
	s := openJumpy(t, t.TempDir(), c)
	for i := range 30 {
		sayRefs(t, s, fmt.Sprint(i, "."), 10)
		c.Pass(3 * time.Hour)
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	first, last := s.runs[0].id, s.runs[len(s.runs)-1].id
	if first < 3 || last < first+5 {
		t.Fatalf("the runs are %d to %d", first, last)
	}
	deleteRuns := func(from, to uint64, parts bool) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			for id := from; id <= to; id++ {
				if err := tx.Bucket(bucketRuns).Delete(numberKey(id)); err != nil {
					return err
				}
				c := tx.Bucket(bucketRefs).Cursor()
				for k, _ := c.Seek(numberKey(id)); parts && bytes.HasPrefix(k, numberKey(id)); k, _ = c.Seek(numberKey(id)) {
					if err := c.Delete(); err != nil {
						return err
					}
				}
			}
			return nil
		}
	}
	for name, damage := range map[string]func(*bbolt.Tx) error{
		"the oldest":                 deleteRuns(first, first, false),
		"the oldest, and its parts":  deleteRuns(first, first, true),
		"the oldest two":             deleteRuns(first, first+1, true),
		"one between":                deleteRuns(first+2, first+2, true),
		"the newest":                 deleteRuns(last, last, true),
		"all":                        deleteRuns(first, last, true),
		"nothing but how many went":  func(tx *bbolt.Tx) error { return tx.Bucket(bucketRefs).SetSequence(first) },
		"nothing but how many there": func(tx *bbolt.Tx) error { return tx.Bucket(bucketRuns).SetSequence(1 << 60) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), FileName)
			if err := errors.Join(os.WriteFile(path, file, 0o600), change(path, damage)); err != nil {
				t.Fatal(err)
			}
			losses := 0
			if _, err := Check(bg, path, func(string) { losses++ }); err != nil || losses == 0 {
				t.Errorf("check: %d losses, %v", losses, err)
			}
			again := openJumpy(t, filepath.Dir(path), c)
			defer again.Close(bg)
			if again.Broken() == nil {
				t.Error("it is open for writing")
			}
		})
	}
}
