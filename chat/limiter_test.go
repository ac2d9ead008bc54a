package chat

import (
	"net/netip"
	"testing"
	"time"
)

// at is somebody at an address.
func at(userID, addr string) Subject {
	return Subject{UserID: userID, Address: AddressSubject(netip.MustParseAddr(addr))}
}

// What an address may not do any more does not use up the share of its users, who can
// go on elsewhere.
func TestRefusedByOneCountsForNeither(t *testing.T) {
	l := newLimiter(&Limits{UserRoomsPerHour: 3, AddressRoomsPerHour: 1}, SystemClock())
	office, home, train := at("u_ada", "192.0.2.1"), at("u_ada", "192.0.2.2"), at("u_ada", "192.0.2.3")
	for i, want := range []bool{true, false, false, false, false} {
		fail := l.hour.take(office, 0, 1, 1)
		if (fail == nil) != want || fail != nil && fail.Limit != AddressRoomsPerHourLimit {
			t.Errorf("%d in the office: %v", i+1, fail)
		}
	}
	for _, s := range []Subject{home, train} {
		if fail := l.hour.take(s, 0, 1, 1); fail != nil {
			t.Errorf("at %v: %v", s.Address, fail)
		}
	}
	if fail := l.hour.take(at("u_ada", "192.0.2.4"), 0, 1, 1); fail == nil || fail.Limit != UserRoomsPerHourLimit {
		t.Errorf("a fourth room: %v", fail)
	}
	l.hour.giveBack(office, 0, 1, 1)
	if fail := l.hour.take(office, 0, 1, 1); fail != nil {
		t.Errorf("when one was given back: %v", fail)
	}
}

// What a day's limit refuses does not use up the hour's.
func TestRoomsPerDay(t *testing.T) {
	l := newLimiter(&Limits{UserRoomsPerHour: 2, UserRoomsPerDay: 3}, SystemClock())
	ada, day := Subject{UserID: "u_ada"}, 24*time.Hour
	take := func(now time.Duration) Limit {
		if fail := l.hour.take(ada, now, 1, 1); fail != nil {
			return fail.Limit
		}
		if fail := l.day.take(ada, now, 1, 1); fail != nil {
			l.hour.giveBack(ada, now, 1, 1)
			return fail.Limit
		}
		return NoLimit
	}
	for _, c := range []struct {
		now  time.Duration
		want Limit
	}{{0, NoLimit}, {0, NoLimit}, {0, UserRoomsPerHourLimit}, {2 * time.Hour, NoLimit}, {2 * time.Hour, UserRoomsPerDayLimit},
		{2 * time.Hour, UserRoomsPerDayLimit}, {4 * time.Hour, UserRoomsPerDayLimit}, {day / 3, NoLimit}} {
		if got := take(c.now); got != c.want {
			t.Errorf("at %v: %v, want %v", c.now, got, c.want)
		}
	}
}

// Somebody with a role may do so many times as much as others, by connection and by user, and not
// more from an address; or whatever they like.
func TestRoles(t *testing.T) {
	limits := Limits{MessagesPerSecond: 10, Burst: 20, UserMessagesPerSecond: 20, AddressMessagesPerSecond: 1000, UserBytesPerDay: 10_000, UserRoomsPerDay: 2,
		Roles: map[string]float64{"bot": 4, "slow": 0.5, "root": 0}}
	const patience = 10_000
	atOnce := func(role string, c Cost) (n int) {
		l, pace := newLimiter(&limits, SystemClock()), time.Duration(0)
		s := Subject{UserID: "u_ada", Role: role, Pace: &pace}
		for ; n < patience; n++ {
			if wait, _, fail := l.Take(s, c); wait > 0 || fail != nil {
				return n
			}
		}
		return n
	}
	for role, want := range map[string][3]int{"": {20, 39, 2}, "unknown": {20, 39, 2}, "bot": {80, 156, 8}, "slow": {10, 19, 1}, "root": {patience, patience, patience}} {
		got := [3]int{atOnce(role, Cost{Requests: 1}), atOnce(role, Cost{Messages: 1}), atOnce(role, Cost{Rooms: 1})}
		if got != want {
			t.Errorf("%q may do %d at once; want %d", role, got, want)
		}
	}
	l := newLimiter(&Limits{AddressRoomsPerDay: 2, Roles: limits.Roles}, SystemClock())
	bot := at("u_bot", "192.0.2.1")
	bot.Role = "bot"
	for i := range 3 {
		if _, _, fail := l.Take(bot, Cost{Rooms: 1}); (fail != nil) != (i == 2) {
			t.Errorf("room %d of a bot at an address: %v", i+1, fail)
		}
	}
}
