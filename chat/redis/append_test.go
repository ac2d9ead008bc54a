package redis

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// Of the conversations that are in one call, one may fail, before anything of it is stored or halfway.
func TestCallFailsForOneConversation(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}})
	k := e.store.keys
	later, damaged, cellar := chat.RoomConversation("later"), chat.RoomConversation("damaged"), chat.RoomConversation("cellar")
	say(t, e, later, "0")
	tail := server.Do("HGET", k.tailsOf(later), string(later)).(string)
	server.Do("HSET", k.tailsOf(later), string(later), "\x02"+tail[1:])
	say(t, e, damaged, "0")
	server.Do("SET", k.log(damaged), "not a list")

	var entries []chat.Entry
	for _, c := range []chat.Conversation{lobby, later, damaged, cellar} {
		for i := range 2 {
			entries = append(entries, chat.Entry{Conversation: c, Message: message("u_ada", fmt.Sprint(c, i), fmt.Sprint("ref", i))})
		}
	}
	if n := len(e.store.together(e.store.rounds(entries)[0])); n != 1 {
		t.Fatalf("they go in %d calls", n)
	}
	results := make([]chat.Result, len(entries))
	e.store.Append(ctx, entries, func(i int, r chat.Result) { results[i] = r })
	for i, r := range results {
		switch c := entries[i].Conversation; c {
		case later:
			if r.Err == nil || errors.Is(r.Err, chat.ErrOutcomeUnknown) {
				t.Errorf("%s: %+v", c, r)
			}
		case damaged:
			if !errors.Is(r.Err, chat.ErrOutcomeUnknown) || !strings.Contains(r.Err.Error(), "WRONGTYPE") {
				t.Errorf("%s: %+v", c, r)
			}
		default:
			if want := uint64(i%2 + 1); r.Err != nil || r.Change.Number != want {
				t.Errorf("%s: %+v", c, r)
			}
		}
	}
	for _, c := range []chat.Conversation{lobby, cellar} {
		if got, want := stored(t, e, c), []string{fmt.Sprint(c, 0), fmt.Sprint(c, 1)}; !slices.Equal(got, want) {
			t.Errorf("stored in %s are %q, want %q", c, got, want)
		}
	}
}

// A call has a bounded number of conversations, entries and bytes; in a cluster, only what is in one
// slot. Whatever the bounds, each batch is in one call, and they keep their order.
func TestTogether(t *testing.T) {
	s := &store{}
	batches := func(n, entries, bytes int) (all []*batch) {
		for i := range n {
			all = append(all, &batch{c: chat.RoomConversation(fmt.Sprint(i)), entries: make([]int, entries), bytes: bytes})
		}
		return all
	}
	for _, c := range []struct {
		name              string
		n, entries, bytes int
		cluster           bool
		want              int
	}{
		{"none", 0, 1, 500, false, 0},
		{"few", maxCallConversations, 1, 500, false, 1},
		{"many", maxCallConversations + 1, 1, 500, false, 2},
		{"with many entries", 4, maxCallEntries/2 + 1, 500, false, 4},
		{"with half of the entries", 4, maxCallEntries / 2, 500, false, 2},
		{"large", 4, 1, maxCallBytes/2 + 1, false, 4},
		{"too large", 2, 1, maxCallBytes + 1, false, 2},
		{"in a cluster", 2, 1, 500, true, 2},
	} {
		if s.owners = nil; c.cluster {
			s.owners = &owners{}
		}
		all := batches(c.n, c.entries, c.bytes)
		calls := s.together(all)
		if got := slices.Concat(calls...); len(calls) != c.want || !slices.Equal(got, all) {
			t.Errorf("%s: %d calls of %d batches, want %d of %d", c.name, len(calls), len(got), c.want, len(all))
		}
	}
	s.owners = &owners{}
	same := batches(2, 1, 500)
	same[1].c = same[0].c
	if n := len(s.together(same)); n != 1 {
		t.Errorf("what is in one slot goes in %d calls", n)
	}
}
