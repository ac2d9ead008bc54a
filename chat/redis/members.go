package redis

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// A membership is in two lists, in different slots: that of the user, which is the truth, and
// that of the room. A room's list may have somebody who is not a member, if a process has died
// halfway: each entry is compared with the user's list when it is read. It lacks nobody, as Join
// begins with the room's list, and ends with it.
//
// The lists are sorted by their members, "name NUL since".

func memberEntry(text string) (name string, since int64, err error) {
	name, at, ok := strings.Cut(text, "\x00")
	if !ok {
		return name, 0, errReply
	}
	since, err = strconv.ParseInt(at, 10, 64)
	return name, since, err
}

// Join implements chat.Members.
func (s *store) Join(ctx context.Context, room, userID string) (changed bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	at := strconv.FormatInt(s.Now(), 10)
	list := func() error {
		return s.run(ctx, memberScript, []string{s.keys.members(room)}, []string{userID, at, "1", ""}).Error()
	}
	if err := list(); err != nil {
		return false, written(err)
	}
	changed, err = s.membership(ctx, room, userID, at, true, s.keys.user(userID), s.keys.sessions(userID))
	if errors.Is(err, errForbidden) {
		return false, cmp.Or(s.unlist(ctx, room, userID), chat.ErrNotFound)
	}
	if err != nil || !changed {
		return false, err
	}
	return true, written(list()) // a Leave may have removed it in between
}

// errForbidden is the error of a membership that does not change, as the keys that the script has
// looked at forbid it.
var errForbidden = errors.New("chat/redis: the membership must not change")

// membership changes the list of a user, and tells the user's nodes, unless the keys in look forbid
// it.
func (s *store) membership(ctx context.Context, room, userID, at string, joined bool, look ...string) (changed bool, err error) {
	word := "m" + userID + " " + room + " " + flag(joined)
	keys := append([]string{s.keys.memberships(userID), s.keys.userChannel(userID)}, look...)
	n, err := s.keep(ctx, memberScript, keys, []string{room, at, flag(joined), word}).AsInt64()
	if err == nil && n < 0 {
		return false, errForbidden
	}
	return n == 1, written(err)
}

// Leave implements chat.Members.
func (s *store) Leave(ctx context.Context, room, userID string) (changed bool, err error) {
	return s.leave(ctx, room, userID)
}

func (s *store) leave(ctx context.Context, room, userID string, unless ...string) (changed bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if changed, err = s.membership(ctx, room, userID, "0", false, unless...); err != nil {
		return false, err
	}
	return changed, s.unlist(ctx, room, userID)
}

// unlist takes a user out of the list of a room. Where the user has joined again in between, it
// puts them back.
func (s *store) unlist(ctx context.Context, room, userID string) error {
	if err := s.run(ctx, memberScript, []string{s.keys.members(room)}, []string{userID, "0", "0", ""}).Error(); err != nil {
		return written(err)
	}
	found, err := s.client.Do(ctx, s.isMember(room, userID)).AsStrSlice()
	if err != nil || len(found) == 0 {
		return written(err)
	}
	_, since, err := memberEntry(found[0])
	if err != nil {
		return err
	}
	at := strconv.FormatInt(since, 10)
	return written(s.run(ctx, memberScript, []string{s.keys.members(room)}, []string{userID, at, "1", ""}).Error())
}

// leaveAll ends all memberships of a user, as long as none of the keys in unless is there.
func (s *store) leaveAll(ctx context.Context, userID string, unless ...string) error {
	for {
		rooms, more, err := s.RoomsOf(ctx, userID, "", 100)
		if err != nil {
			return err
		}
		for _, m := range rooms {
			if _, err := s.leave(ctx, m.Room, userID, unless...); errors.Is(err, errForbidden) {
				return nil
			} else if err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// IsMember implements chat.Members.
func (s *store) IsMember(ctx context.Context, room, userID string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	found, err := s.client.Do(ctx, s.isMember(room, userID)).AsStrSlice()
	return len(found) > 0, err
}

func (s *store) isMember(room, userID string) rueidis.Completed {
	return s.client.B().Zrangebylex().Key(s.keys.memberships(userID)).Min("[" + room + "\x00").Max("(" + room + "\x01").Build()
}

// roomsCommand reads all memberships of a user, for parseRooms.
func (s *store) roomsCommand(userID string) rueidis.Completed {
	return s.client.B().Zrange().Key(s.keys.memberships(userID)).Min("0").Max("-1").Build()
}

func (s *store) parseRooms(r rueidis.RedisResult) (rooms []string, err error) {
	entries, err := r.AsStrSlice()
	for _, e := range entries {
		room, _, err := memberEntry(e)
		if err != nil {
			return nil, err
		}
		rooms = append(rooms, room)
	}
	return rooms, err
}

// page reads at most limit entries of a list after one, and one more.
func (s *store) page(ctx context.Context, key, after string, limit int) (names []string, since []int64, err error) {
	from := "-"
	if after != "" {
		from = "(" + after + "\x01"
	}
	entries, err := s.client.Do(ctx, s.client.B().Zrangebylex().Key(key).Min(from).Max("+").Limit(0, int64(limit+1)).Build()).AsStrSlice()
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		name, at, err := memberEntry(e)
		if err != nil {
			return nil, nil, err
		}
		names, since = append(names, name), append(since, at)
	}
	return names, since, nil
}

// RoomsOf implements chat.Members.
func (s *store) RoomsOf(ctx context.Context, userID, after string, limit int) (rooms []chat.Membership, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	names, since, err := s.page(ctx, s.keys.memberships(userID), after, limit)
	if err != nil {
		return nil, false, err
	}
	for i, name := range names[:min(limit, len(names))] {
		rooms = append(rooms, chat.Membership{Room: name, UserID: userID, Since: since[i]})
	}
	return rooms, len(names) > limit, nil
}

// MembersOf implements chat.Members.
func (s *store) MembersOf(ctx context.Context, room, after string, limit int) (members []chat.Membership, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	for {
		names, since, err := s.page(ctx, s.keys.members(room), after, limit)
		if err != nil || len(names) == 0 {
			return members, false, err
		}
		cmds := make(rueidis.Commands, len(names))
		for i, name := range names {
			cmds[i] = s.isMember(room, name)
		}
		for i, r := range s.client.DoMulti(ctx, cmds...) {
			found, err := r.AsStrSlice()
			if err != nil {
				return nil, false, err
			}
			if len(found) == 0 {
				s.dropStale(ctx, room, names[i], since[i])
				continue
			}
			if len(members) == limit {
				return members, true, nil
			}
			members = append(members, chat.Membership{Room: room, UserID: names[i], Since: since[i]})
		}
		if len(names) <= limit {
			return members, false, nil
		}
		after = names[len(names)-1]
	}
}

// dropStale removes somebody from a room's list who is not a member, unless they may be about to
// become one.
func (s *store) dropStale(ctx context.Context, room, userID string, since int64) {
	if s.Now()-since < claimPatience.Milliseconds() {
		return
	}
	s.unlist(ctx, room, userID) // if this fails, the next one who reads it tries again
}
