package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// A user's record and the look of their name are in different slots, so PutUser takes steps:
//
//	1  claim the look           no other user can get a different name with this look
//	2  store the record         the user has the name
//	3  confirm the claim, and give up the look of the name before
//
// A process that dies after 1 leaves a claim that is not the user's name, one that dies after 2
// an old claim. When a claim is in the way of somebody, and was not made just now, it is compared
// with its user's record, and ends if they differ.
const claimPatience = 30 * time.Second

// maxClaims bounds how often PutUser looks at claims that are in its way.
const maxClaims = 4

// PutUser implements chat.Directory.
func (s *store) PutUser(ctx context.Context, u chat.User) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	before, _, err := s.user(ctx, u.ID)
	known := err == nil
	if err != nil && !errors.Is(err, chat.ErrNotFound) {
		return err
	}
	look := s.keys.look(u.Name)
	renamed := !known || before.Name != u.Name
	claim := strconv.FormatInt(time.Now().UnixMilli(), 10)
	if renamed {
		if err := s.claim(ctx, look, u, claim); err != nil {
			return err
		}
	}
	values, err := s.keep(ctx, userScript, []string{s.keys.user(u.ID)}, []string{u.Name, strconv.FormatInt(u.Created, 10),
		map[bool]string{true: "1", false: "0"}[u.Guest], strconv.FormatInt(u.ValidFrom, 10)}).ToArray()
	if err != nil {
		err = written(err)
		if renamed && !errors.Is(err, chat.ErrOutcomeUnknown) {
			unclaimScript.run(ctx, s.client, call{[]string{look}, []string{u.ID, claim}})
		}
		return err
	}
	if len(values) != 2 {
		return errReply
	}
	if !renamed {
		return nil
	}
	cmds := rueidis.Commands{s.client.B().Hset().Key(look).FieldValue().FieldValue(u.ID, "0").Build()}
	for _, r := range s.client.DoMulti(ctx, cmds...) {
		_ = r.Error() // a claim that is not confirmed is compared with the record
	}
	if old := s.keys.look(before.Name); known && old != look {
		unclaimScript.run(ctx, s.client, call{[]string{old}, []string{u.ID, ""}})
	}
	rev, err := values[1].AsInt64()
	if err != nil {
		return errReply
	}
	if was, err := values[0].ToString(); err == nil && was != u.Name {
		s.renamed(was, u, rev)
	}
	return nil
}

// claim claims a look. What is in the way and not true any more is removed.
func (s *store) claim(ctx context.Context, look string, u chat.User, at string) error {
	for range maxClaims {
		others, err := s.run(ctx, claimScript, []string{look}, []string{u.ID, u.Name, at}).AsStrSlice()
		if rueidis.IsRedisNil(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("chat/redis: %w", err) // a claim alone does no harm
		}
		removed := false
		for i := 0; i+1 < len(others); i += 2 {
			stale, err := s.stale(ctx, look, others[i], others[i+1])
			if err != nil {
				return err
			}
			if stale {
				removed = true
				if err := s.run(ctx, unclaimScript, []string{look}, []string{others[i], others[i+1]}).Error(); err != nil {
					return err
				}
			}
		}
		if !removed {
			return chat.ErrNameTaken
		}
	}
	return chat.ErrNameTaken
}

// stale reports whether a claim is not that of its user's name.
func (s *store) stale(ctx context.Context, look, user, claim string) (bool, error) {
	at, err := strconv.ParseInt(claim, 10, 64)
	if err == nil && time.Since(time.UnixMilli(at)).Abs() < claimPatience {
		return false, nil
	}
	u, _, err := s.user(ctx, user)
	if errors.Is(err, chat.ErrNotFound) {
		return true, nil
	}
	return err == nil && s.keys.look(u.Name) != look, err
}

// User implements chat.Directory.
func (s *store) User(ctx context.Context, id string) (chat.User, error) {
	u, _, err := s.user(ctx, id)
	return u, err
}

// user reads a user, and how often they have been renamed.
func (s *store) user(ctx context.Context, id string) (u chat.User, rev int64, err error) {
	if err := ctx.Err(); err != nil {
		return u, 0, err
	}
	return s.parseUser(id, s.client.Do(ctx, s.userCommand(id)))
}

func (s *store) userCommand(id string) rueidis.Completed {
	return s.client.B().Hmget().Key(s.keys.user(id)).Field("name", "created", "rev", "guest", "validfrom").Build()
}

func (s *store) parseUser(id string, r rueidis.RedisResult) (u chat.User, rev int64, err error) {
	values, err := r.ToArray()
	if err != nil {
		return u, 0, err
	}
	if len(values) != 5 {
		return u, 0, errReply
	}
	u.ID = id
	if u.Name, err = values[0].ToString(); rueidis.IsRedisNil(err) {
		return chat.User{}, 0, chat.ErrNotFound
	} else if err != nil {
		return u, 0, err
	}
	u.Created, _ = values[1].AsInt64()
	rev, _ = values[2].AsInt64()
	guest, _ := values[3].ToString()
	u.Guest = guest == "1"
	u.ValidFrom, _ = values[4].AsInt64()
	return u, rev, nil
}
