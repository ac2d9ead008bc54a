package chat

import (
	"strings"
	"testing"
)

func TestValidIDs(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, c := range []struct {
		id         string
		room, user bool
	}{
		{"lobby", true, false}, {"A-Z_0.9", true, false}, {"u", true, false}, {"U_ada", true, false}, {long, true, false},
		{"u_ada", false, true}, {"u_" + long[:62], false, true},
		{"", false, false}, {"u_", false, false}, {long + "a", false, false}, {"u_" + long[:63], false, false},
		{"A11\r\n", false, false}, {"\x1b[31m", false, false}, {"\u202e", false, false}, {"é", false, false},
		{"a b", false, false}, {"a:b", false, false}, {"u_a:b", false, false}, {"a/b", false, false}, {"a\x00", false, false},
	} {
		if room, user := ValidRoom(c.id), ValidUserID(c.id); room != c.room || user != c.user {
			t.Errorf("%q: room %t, user %t; want %t, %t", c.id, room, user, c.room, c.user)
		}
	}
}

func TestConversation(t *testing.T) {
	c := PrivateConversation("u_b", "u_a")
	if c != PrivateConversation("u_a", "u_b") {
		t.Error("the order of two people matters")
	}
	if c.Receiver("u_a") != "u_b" || c.Receiver("u_b") != "u_a" {
		t.Errorf("receivers %q, %q", c.Receiver("u_a"), c.Receiver("u_b"))
	}
	if _, ok := c.Room(); ok {
		t.Error("two people are a room")
	}
	if myself := PrivateConversation("u_a", "u_a"); myself.Receiver("u_a") != "u_a" {
		t.Errorf("whoever writes to themselves writes to %q", myself.Receiver("u_a"))
	}
	room := RoomConversation("lobby")
	if name, ok := room.Room(); !ok || name != "lobby" || room.Receiver("u_a") != "lobby" {
		t.Errorf("room %q", name)
	}
	if _, _, ok := room.Users(); ok {
		t.Error("a room is two people")
	}
}
