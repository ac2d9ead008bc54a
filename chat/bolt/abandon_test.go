package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// outcome is what a job's caller was told.
type outcome struct {
	results []chat.Result
	err     error
}

// start does a job in the background.
func start(ctx context.Context, s *Store, j *job) <-chan outcome {
	var o outcome
	j.done = func(_ int, r chat.Result) { o.results = append(o.results, r) }
	over := make(chan outcome, 1)
	n := len(j.entries)
	go func() {
		o.err = s.run(ctx, j, n)
		over <- o
	}()
	return over
}

func (j *job) await(holds func() bool) {
	for {
		j.mu.Lock()
		ok := holds()
		j.mu.Unlock()
		if ok {
			return
		}
		runtime.Gosched()
	}
}

func putting(s *Store, id, name string) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error { return s.putUser(tx, &chat.User{ID: id, Name: name}) }
}

func entriesSaying(contents ...string) (entries []chat.Entry) {
	for _, c := range contents {
		entries = append(entries, chat.Entry{Conversation: lobby, Message: message(c, "")})
	}
	return entries
}

// If a job's time runs out, its outcome is unknown if it is in a transaction. Otherwise
// nothing is stored, and it keeps nothing in memory.
func TestAbandonedJobs(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	s.writing.Lock() // the transaction that the first jobs are in waits
	ctx, cancel := context.WithCancel(bg)
	begun := &job{entries: entriesSaying("begun"), change: putting(s, "u_begun", "Begun")}
	begunOver := start(ctx, s, begun)
	begun.await(func() bool { return begun.begun })
	waiting := &job{entries: entriesSaying("waiting", "waiting"), change: putting(s, "u_waiting", "Waiting")}
	waitingOver := start(ctx, s, waiting)
	for queued := false; !queued; runtime.Gosched() {
		s.commits.mu.Lock()
		queued = len(s.commits.waiting) == 1
		s.commits.mu.Unlock()
	}
	cancel()
	o := <-begunOver
	for _, err := range []error{o.err, o.results[0].Err} {
		if !errors.Is(err, chat.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
			t.Errorf("begun: %v", err)
		}
	}
	o = <-waitingOver
	for _, err := range []error{o.err, o.results[0].Err, o.results[1].Err} {
		if errors.Is(err, chat.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
			t.Errorf("waiting: %v", err)
		}
	}
	if waiting.entries != nil || waiting.change != nil || waiting.results != nil || waiting.done != nil {
		t.Errorf("what nobody waits for is kept in the queue: %+v", waiting)
	}
	s.writing.Unlock()
	if e, err := say(s, "after"); err != nil || e.Seq != 2 {
		t.Errorf("%+v, %v", e, err)
	}
	if got := fmt.Sprint(contents(t, s)); got != "[begun after]" {
		t.Errorf("stored: %s", got)
	}
	if _, err := s.User(bg, "u_begun"); err != nil {
		t.Error(err)
	}
	if _, err := s.User(bg, "u_waiting"); !errors.Is(err, chat.ErrNotFound) {
		t.Error(err)
	}
}

// Close with no time left: jobs that have not begun are refused and not stored, and those in
// the running transaction are told how it ended.
func TestCloseWithoutTime(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	if _, err := say(s, "before"); err != nil {
		t.Fatal(err)
	}
	s.writing.Lock()
	begun := &job{entries: entriesSaying("begun")}
	begunOver := start(bg, s, begun)
	begun.await(func() bool { return begun.begun })
	waitingOver := start(bg, s, &job{entries: entriesSaying("waiting")})
	for queued := false; !queued; runtime.Gosched() {
		s.commits.mu.Lock()
		queued = len(s.commits.waiting) == 1
		s.commits.mu.Unlock()
	}
	over, cancel := context.WithCancel(bg)
	cancel()
	if err := s.Close(over); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	if o := <-waitingOver; !errors.Is(o.results[0].Err, errClosed) || errors.Is(o.results[0].Err, chat.ErrOutcomeUnknown) {
		t.Errorf("waiting: %+v", o)
	}
	if _, err := say(s, "after"); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
	s.writing.Unlock()
	o := <-begunOver
	<-s.commits.over
	if err := s.Close(bg); err != nil {
		t.Error(err)
	}
	s = mustOpen(t, dir)
	if stored := len(contents(t, s)) == 2; stored != (o.results[0].Err == nil) {
		t.Errorf("stored: %t; its sender was told %v", stored, o.results[0].Err)
	}
}

// A read ends with its context, even while the file is being remapped, which itself waits
// for another reader.
func TestReadsEndWithTheirContext(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	s.filters.Wait() // it reads in the background
	path := s.db.Path()
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.db, err = bbolt.Open(path, 0o600, nil); err != nil { // with a small mapping
		t.Fatal(err)
	}
	reader, err := s.db.Begin(false)
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan error)
	go func() { _, err := say(s, strings.Repeat("x", 32<<20)); said <- err }()
	for stacks := make([]byte, 1<<20); !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("bbolt.(*DB).mmap(")); {
		runtime.Gosched()
	}
	for name, read := range map[string]func(context.Context) error{
		"Tail": func(ctx context.Context) error { _, err := s.Tail(ctx, lobby); return err },
		"User": func(ctx context.Context) error { _, err := s.User(ctx, "u_ada"); return err },
		"History": func(ctx context.Context) error {
			_, err := s.History(ctx, chat.HistoryQuery{Conversation: lobby, Limit: 1})
			return err
		},
		"Talks": func(ctx context.Context) error { _, _, err := s.Talks(ctx, "u_ada", 0, "", 1); return err },
	} {
		var err error
		for err == nil || errors.Is(err, chat.ErrNotFound) { // the mapping may not have begun to wait
			ctx, cancel := context.WithCancel(bg)
			over := make(chan error)
			go func() { over <- read(ctx) }()
			cancel()
			err = <-over
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errors.Join(reader.Rollback(), <-said); err != nil {
		t.Error(err)
	}
	if got := len(contents(t, s)); got != 1 {
		t.Errorf("%d messages", got)
	}
}
