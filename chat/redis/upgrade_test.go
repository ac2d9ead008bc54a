package redis

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// What a later version stores in a record is still there when this one has changed it.
func TestUnknownFieldsSurvive(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}})
	k := e.store.keys
	put(t, e, "u_ada")
	first := say(t, e, lobby, "1").Change
	if err := e.sessions.Begin(ctx, chat.Session{ID: "s_1", UserID: "u_ada", Key: chat.KeyHash{1}}); err != nil {
		t.Fatal(err)
	}

	server.Do("HSET", k.user("u_ada"), "motto", "later")
	tail := server.Do("HGET", k.tailsOf(lobby), string(lobby)).(string)
	server.Do("HSET", k.tailsOf(lobby), string(lobby), tail+" later 7")
	session := server.Do("HGET", k.sessions("u_ada"), "s_1").(string)
	server.Do("HSET", k.sessions("u_ada"), "s_1", strings.TrimSuffix(session, "}")+`,"badge":{"of":"later"}}`)

	put(t, e, "u_ada")
	if err := e.store.PutUser(ctx, chat.User{ID: "u_ada", Name: "Grace"}); err != nil {
		t.Fatal(err)
	}
	if ch := say(t, e, lobby, "2").Change; ch.Number != 2 {
		t.Errorf("the next change is %+v", ch)
	}
	if _, err := e.store.Check(ctx, lobby, chat.Tail{Change: 9, Epoch: first.Epoch}); err != nil {
		t.Error(err)
	}
	if _, err := e.sessions.Resume(ctx, "s_1", chat.KeyHash{1}, chat.KeyHash{2}, chat.Origin{}); err != nil {
		t.Fatal(err)
	}
	if motto := server.Do("HGET", k.user("u_ada"), "motto"); motto != "later" {
		t.Errorf("of the user is left %q", motto)
	}
	tail = server.Do("HGET", k.tailsOf(lobby), string(lobby)).(string)
	if now, err := parseTail(tail); !strings.HasSuffix(tail, " later 7") || now.Change != 2 || now.Epoch == first.Epoch || err != nil {
		t.Errorf("of the tail is left %q: %+v, %v", tail, now, err)
	}
	if session := server.Do("HGET", k.sessions("u_ada"), "s_1").(string); !strings.Contains(session, `"badge":{"of":"later"}`) {
		t.Errorf("of the session is left %s", session)
	}
}

// A tail that a later version has written in another way is left as it is, and the message is refused.
func TestTailOfLaterVersion(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}})
	say(t, e, lobby, "1")
	key := e.store.keys.tailsOf(lobby)
	later := "\x02" + server.Do("HGET", key, string(lobby)).(string)[1:]
	server.Do("HSET", key, string(lobby), later)
	if r := try(e, lobby, "2", "ref"); r.Err == nil || errors.Is(r.Err, chat.ErrOutcomeUnknown) || !strings.Contains(r.Err.Error(), "version 2") {
		t.Errorf("the result is %+v", r)
	}
	if _, err := e.store.Tail(ctx, lobby); err == nil {
		t.Error("the tail is read")
	}
	if _, err := e.store.Check(ctx, lobby, chat.Tail{Change: 9}); err == nil {
		t.Error("the tail is checked")
	}
	if _, _, err := e.store.Changes(ctx, lobby, 0, 1); err == nil {
		t.Error("the changes are read")
	}
	if now := server.Do("HGET", key, string(lobby)); now != later {
		t.Errorf("of %q is left %q", later, now)
	}
	if n := server.Do("LLEN", e.store.keys.log(lobby)); n != int64(1) {
		t.Errorf("%v changes are stored", n)
	}
}

// Records of messages may be longer than this version knows, and are cut at no place without
// notice.
func TestRecords(t *testing.T) {
	want := message("u_ada", "hello \x00 🦉", "")
	text := string(appendRecord(nil, want))
	for _, record := range []string{text, text + "later", "\x02" + text[1:] + "later"} {
		got := new(chat.Message)
		err := parseRecord(record, got)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", record, err, diff)
		}
	}
	for n := range len(text) {
		if m := new(chat.Message); parseRecord(text[:n], m) == nil {
			t.Errorf("%d of %d bytes are %+v", n, len(text), m)
		}
	}
}

// Messages of a later version, and nonsense, do no harm.
func TestUnknownMessages(t *testing.T) {
	e := open(t, Config{Addresses: []string{startRedis(t)}})
	_, r := attach(t, e, lobby)
	ch := say(t, e, lobby, "0").Change
	await(t, "the first message", func() bool { return len(r.of(lobby)) == 1 })
	whole := encodeChanges(lobby, []published{{&ch, 0}, {&ch, 0}})
	for n := range len(whole) {
		e.broker.hear("", whole[:n])
	}
	for _, text := range []string{"", "?later", "a\xff\xff", strings.Replace(whole, "\x01\x05u_ada", "\x01\xffu_ada", 1), "p", "plobby j u_ada 1 99\nx", "n", "nu_ada x y\nz", "m", "x", "u"} {
		e.broker.hear("", text)
	}
	say(t, e, lobby, "1")
	await(t, "the message", func() bool { return len(r.of(lobby)) == 2 })
}
