package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/chat"
)

// S02: each page of a store overwritten in turn. Whoever opens it is refused by name, or
// told when the damage is come upon; nobody's request ends the process.
func TestS02DamagedPages(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	s := mustOpen(t, dir)
	rooms := map[chat.Conversation][]string{}
	for batch := range 12 {
		var entries []chat.Entry
		for i := range 10 {
			room := chat.Conversation(fmt.Sprintf("room-%d", i))
			content := fmt.Sprintf("%d %s", batch, strings.Repeat("x", r.IntN(400)))
			rooms[room] = append(rooms[room], content)
			entries = append(entries, chat.Entry{Conversation: room, Message: &chat.Message{
				Sender: "u_ada", SenderName: "Ada", Timestamp: "1", Content: content, Metadata: []byte("{}"), Ref: fmt.Sprint(batch)}})
		}
		if err := commit(s, entries); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	size := os.Getpagesize()
	refused, opened, found := 0, 0, 0
	for at := 0; at+size <= len(whole); at += size {
		if bytes.Count(whole[at:at+size], []byte{0}) == size {
			continue // never written
		}
		damaged := bytes.Clone(whole)
		for i := range size {
			damaged[at+i] = byte(r.Uint32())
		}
		sub := t.TempDir()
		if err := os.WriteFile(filepath.Join(sub, FileName), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(sub, quiet)
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), sub) {
				t.Errorf("page %d: the error does not name the file: %v", at/size, err)
			}
			continue
		}
		opened++
		if useDamaged(s, rooms) != nil {
			found++
		}
		if s.Broken() != nil {
			if err := s.PutUser(bg, chat.User{ID: "u_y", Name: "y"}); err == nil || !strings.Contains(err.Error(), "is damaged") {
				t.Errorf("page %d: written to behind the damage: %v", at/size, err)
			}
		}
		s.Close(bg)
	}
	t.Logf("%d refused; %d opened, of which %d were found to be damaged when used", refused, opened, found)
	if refused == 0 || found == 0 {
		t.Error("the test damaged nothing that matters")
	}
}

// useDamaged reads everything, and writes to every room. What it is for is that it
// returns.
func useDamaged(s *Store, rooms map[chat.Conversation][]string) error {
	var errs []error
	for room, contents := range rooms {
		_, err := s.Tail(bg, room)
		errs = append(errs, err)
		got, err := s.History(bg, chat.HistoryQuery{Conversation: room, Limit: 1 << 20})
		errs = append(errs, err)
		if err == nil && len(got.Messages) != len(contents) {
			errs = append(errs, fmt.Errorf("%s has %d messages of %d", room, len(got.Messages), len(contents)))
		}
		errs = append(errs, commit(s, []chat.Entry{{Conversation: room, Message: &chat.Message{
			Sender: "u_bob", SenderName: "Bob", Timestamp: "1", Content: "more", Metadata: []byte("{}"), Ref: "0"}}}))
	}
	_, _, err := s.Talks(bg, "u_ada", "", 100)
	return errors.Join(append(errs, err, s.PutUser(bg, chat.User{ID: "u_x", Name: "x"}))...)
}
