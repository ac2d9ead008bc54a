package bolt

import (
	"context"
	"fmt"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/local"
)

// Ended bans make room in the file, too, and a ban that was replaced meanwhile
// stays.
func TestBansMakeRoom(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := s.time.Now()
	s.bans = local.NewBans(local.BansConfig{Now: func() int64 { return now }, Banned: func(chat.Ban) {}, Max: 50}, nil)
	ban := func(user string, until int64) {
		t.Helper()
		if err := (bans{s}).Ban(ctx, chat.Ban{UserID: user, Reason: "spam", Until: until}); err != nil {
			t.Errorf("%s: %v", user, err)
		}
	}
	for i := range 50 {
		ban(fmt.Sprint("u_", i), now+int64(i+1)*1000)
	}
	now += 10_000
	ended := s.bans.Ended(50, 0)
	ban("u_0", 0)
	if err := s.db.Update(func(tx *bbolt.Tx) error {
		forgotten, err := forgetBans(tx, ended[:1])
		if len(forgotten) > 0 {
			t.Errorf("%+v is forgotten", forgotten)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	ban("u_50", 0)
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	s, err = Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(ctx)
	if n := len(s.bans.All()); n != 42 {
		t.Errorf("there are %d bans in the file, want 42", n)
	}
	for user, want := range map[string]bool{"u_0": true, "u_1": false, "u_9": false, "u_10": true, "u_50": true} {
		if _, known := s.bans.Last(user); known != want {
			t.Errorf("%s is known: %t", user, known)
		}
	}
}
