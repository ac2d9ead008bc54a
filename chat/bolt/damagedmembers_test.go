package bolt

import (
	"slices"

	"github.com/hawser-ws/hawser/chat"
)

// readMembers compares the memberships, by user and by room, with what they were. If
// something was damaged, one that ended last may exist again.
func (u *damagedUse) readMembers() {
	for user, want := range u.rooms {
		list, _, err := u.s.members.RoomsOf(bg, user, "", 1000)
		var got []string
		for _, m := range list {
			got = append(got, m.Room)
		}
		u.compareMembers("the rooms of "+user, got, want, err, func(room string) bool { return u.left[user] == room })
	}
	for room, want := range u.members {
		list, _, err := u.s.members.MembersOf(bg, room, "", 1000)
		var got []string
		for _, m := range list {
			got = append(got, m.UserID)
		}
		u.compareMembers("the members of "+room, got, want, err, func(user string) bool { return u.left[user] == room })
	}
}

func (u *damagedUse) compareMembers(of string, got, want []string, err error, left func(string) bool) {
	u.Helper()
	if !slices.IsSorted(got) {
		u.wrong("%s: %v", of, got)
	}
	for _, one := range got {
		if !slices.Contains(want, one) && !(left(one) && u.noticed()) {
			u.wrong("%s: %v; want %v", of, got, want)
		}
	}
	if len(got) < len(want) || err != nil {
		if u.miss("%s: %d of %d, %v", of, len(got), len(want), err); !u.noticed() {
			u.wrong("%s: %d of %d, %v, and nobody says so", of, len(got), len(want), err)
		}
	}
}

func (u *damagedUse) readSessions() {
	for user, id := range u.sessions {
		list, err := u.s.sessions.List(bg, user)
		if len(list) > 1 || err != nil || len(list) == 1 && list[0].ID != id {
			u.wrong("the sessions of %s: %+v, %v", user, list, err)
		}
		if len(list) == 0 {
			if u.miss("the session of %s", user); !u.noticed() {
				u.wrong("the session of %s is missing, and nobody says so", user)
			}
		} else if _, err := u.s.sessions.Resume(bg, id, list[0].Key, chat.KeyHash{1}, chat.Origin{}); err != nil {
			u.wrong("resuming %s: %v", id, err)
		}
	}
	for _, one := range u.users {
		ban, _ := u.s.bans.OfUser(one.ID)
		reason := ban.Reason
		if want := u.bans[one.ID]; reason != want {
			if u.miss("%s is banned for %q; want %q", one.ID, reason, want); !u.noticed() || reason != "" && reason != damagedBan {
				u.wrong("%s is banned for %q; want %q", one.ID, reason, want)
			}
		}
	}
}
