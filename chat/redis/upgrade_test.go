package redis

import (
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
	say(t, e, lobby, "1")
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
	if _, err := e.store.Check(ctx, lobby, chat.Tail{Change: 9, Epoch: strings.Fields(tail)[4]}); err != nil {
		t.Error(err)
	}
	if _, err := e.sessions.Resume(ctx, "s_1", chat.KeyHash{1}, chat.KeyHash{2}, chat.Origin{}); err != nil {
		t.Fatal(err)
	}
	if motto := server.Do("HGET", k.user("u_ada"), "motto"); motto != "later" {
		t.Errorf("of the user is left %q", motto)
	}
	if tail := server.Do("HGET", k.tailsOf(lobby), string(lobby)).(string); !strings.HasSuffix(tail, " later 7") || !strings.HasPrefix(tail, "2 2 ") {
		t.Errorf("of the tail is left %q", tail)
	}
	if session := server.Do("HGET", k.sessions("u_ada"), "s_1").(string); !strings.Contains(session, `"badge":{"of":"later"}`) {
		t.Errorf("of the session is left %s", session)
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
	for _, text := range []string{"", "?later", "a", "ar:lobby", "ar:lobby e 1 1 99\nshort", "ar:lobby e 1 1 1\nx", "ar:lobby e 1 1 1,1\nx", "ar:lobby e x 1 1\nx", "p", "plobby j u_ada 1 99\nx", "n", "nu_ada x y\nz", "m", "x", "u"} {
		e.broker.hear("", text)
	}
	say(t, e, lobby, "1")
	await(t, "the message", func() bool { return len(r.of(lobby)) == 1 })
}
