package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// lasts are the users whose last session has ended.
type lasts struct {
	mu    sync.Mutex
	users []string
}

func (l *lasts) add(user string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users = append(l.users, user)
}

func (l *lasts) want(t *testing.T, users ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.users, users) {
		t.Errorf("the last session has ended of %v; want %v", l.users, users)
	}
}

func newSessions(last func(string), saved ...SavedSession) *Sessions {
	return NewSessions(SessionsConfig{
		Now:   func() int64 { return time.Now().UnixMilli() },
		Ended: func(string, string, chat.Ending) {},
		Last:  last,
	}, saved)
}

func begin(t *testing.T, s *Sessions, id, user string) {
	t.Helper()
	if err := s.Begin(ctx, chat.Session{ID: id, UserID: user}); err != nil {
		t.Fatal(err)
	}
}

// Sessions without a connection expire without being asked for, and no others do. Those that had
// connections when the process ended live on from when they are loaded.
func TestSessionsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lasts
		hourAgo := time.Now().Add(-time.Hour).UnixMilli()
		s := newSessions(l.add,
			SavedSession{Session: chat.Session{ID: "s_past", UserID: "u_past", Seen: hourAgo}},
			SavedSession{Session: chat.Session{ID: "s_open", UserID: "u_open", Seen: hourAgo, Open: 2}})
		defer s.Close()
		begin(t, s, "s_1", "u_ada")
		begin(t, s, "s_2", "u_ada")
		begin(t, s, "s_3", "u_bob")
		s.Release("s_1")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		l.want(t, "u_past")
		if _, err := s.Resume(ctx, "s_open", chat.KeyHash{}, chat.KeyHash{1}, chat.Origin{}); err != nil {
			t.Error(err)
		}
		s.Release("s_open")
		s.Release("s_2")
		time.Sleep(chat.SessionLife - time.Minute)
		synctest.Wait()
		l.want(t, "u_past")
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		slices.Sort(l.users[1:])
		l.want(t, "u_past", "u_ada", "u_open")
		if len(s.byID) != 1 || len(s.byUser) != 1 || len(s.idle) != 0 || len(s.leaving) != 0 {
			t.Errorf("left: %d sessions of %d users, %d idle", len(s.byID), len(s.byUser), len(s.idle))
		}
	})
}

// While Last is called, the user begins no session, and others do. Close waits for it.
func TestBeginWaitsForLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocked := make(chan struct{})
		s := newSessions(func(user string) {
			if user == "u_ada" {
				<-blocked
			}
		})
		begin(t, s, "s_1", "u_ada")
		over, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			n, err := s.End(over, "u_ada", "s_1", chat.LoggedOut)
			ended <- errors.Join(err, map[bool]error{false: fmt.Errorf("%d ended", n)}[n == 1])
		}()
		synctest.Wait()
		begun := make(chan error, 2)
		go func() { begun <- s.Begin(over, chat.Session{ID: "s_2", UserID: "u_ada"}) }()
		synctest.Wait()
		begin(t, s, "s_3", "u_bob")
		select {
		case err := <-begun:
			t.Fatalf("it has begun: %v", err)
		case err := <-ended:
			t.Fatalf("it has ended: %v", err)
		default:
		}
		cancel()
		if err := <-begun; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		go func() { begun <- s.Begin(ctx, chat.Session{ID: "s_4", UserID: "u_ada"}) }()
		closed := make(chan struct{})
		go func() { s.Close(); close(closed) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Fatal("it is closed")
		default:
		}
		close(blocked)
		if err := <-begun; err != nil {
			t.Error(err)
		}
		<-closed
		if list, err := s.List(ctx, "u_ada"); len(list) != 1 || list[0].ID != "s_4" || err != nil {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// Absent calls Last only for users without a session, once each.
func TestAbsent(t *testing.T) {
	var l lasts
	s := newSessions(l.add)
	defer s.Close()
	begin(t, s, "s_1", "u_bob")
	s.Absent([]string{"u_zoe", "u_bob", "u_ada", "u_zoe"})
	l.want(t, "u_ada", "u_zoe")
}

// Nothing that belongs to the caller is kept.
func TestSessionsKeepNothing(t *testing.T) {
	s := newSessions(func(string) {})
	defer s.Close()
	features := []string{"ack"}
	if err := s.Begin(ctx, chat.Session{ID: "s_1", UserID: "u_ada", Features: features}); err != nil {
		t.Fatal(err)
	}
	features[0] = "changed"
	for range 2 {
		list, err := s.List(ctx, "u_ada")
		if err != nil || list[0].Features[0] != "ack" {
			t.Fatalf("%+v, %v", list, err)
		}
		list[0].Features[0] = "changed"
	}
}
