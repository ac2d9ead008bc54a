package redis

import (
	"cmp"
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
	_, err := s.changeUser(ctx, u.ID, func(_ chat.User, _ bool) (chat.User, []string, error) {
		return u, []string{u.Name, strconv.FormatInt(u.Created, 10), flag(u.Guest), strconv.FormatInt(u.ValidFrom, 10)}, nil
	})
	return err
}

// ChangeUser implements chat.Directory.
func (s *store) ChangeUser(ctx context.Context, id string, c chat.UserChange) (chat.User, error) {
	return s.changeUser(ctx, id, func(u chat.User, known bool) (chat.User, []string, error) {
		if !known {
			return u, nil, chat.ErrNotFound
		}
		u.Name = cmp.Or(c.Name, u.Name)
		return u, []string{c.Name, "", "", strconv.FormatInt(c.ValidFrom, 10)}, nil
	})
}

// errRenamed says that a user has another name than they had a moment ago.
var errRenamed = errors.New("chat/redis: the user is being renamed by too many at once")

// changeUser stores what next makes of a user, and the arguments with which the script does that.
// If the user is renamed meanwhile, it begins again.
func (s *store) changeUser(ctx context.Context, id string, next func(before chat.User, known bool) (chat.User, []string, error)) (chat.User, error) {
	for range maxTries {
		before, _, err := s.user(ctx, id)
		if err != nil && !errors.Is(err, chat.ErrNotFound) {
			return chat.User{}, err
		}
		u, args, err := next(before, err == nil)
		if err != nil {
			return chat.User{}, err
		}
		if u, err = s.storeUser(ctx, u, before.Name, args); !errors.Is(err, errRenamed) {
			return u, err
		}
	}
	return chat.User{}, errRenamed
}

// storeUser stores a user whose name was before, and returns them as they are then.
func (s *store) storeUser(ctx context.Context, u chat.User, before string, args []string) (chat.User, error) {
	look := s.keys.look(u.Name)
	renamed := before != u.Name
	claim := strconv.FormatInt(time.Now().UnixMilli(), 10)
	if renamed {
		if err := s.claim(ctx, look, u, claim); err != nil {
			return chat.User{}, err
		}
	}
	u, rev, err := parseStored(u.ID, s.keep(ctx, userScript, []string{s.keys.user(u.ID)}, append(args, before)))
	if err != nil {
		if renamed && !errors.Is(err, chat.ErrOutcomeUnknown) {
			unclaimScript.run(ctx, s.client, call{[]string{look}, []string{u.ID, claim}})
		}
		return chat.User{}, err
	}
	if !renamed {
		return u, nil
	}
	cmds := rueidis.Commands{s.client.B().Hset().Key(look).FieldValue().FieldValue(u.ID, "0").Build()}
	for _, r := range s.client.DoMulti(ctx, cmds...) {
		_ = r.Error() // a claim that is not confirmed is compared with the record
	}
	if before == "" {
		return u, nil
	}
	if old := s.keys.look(before); old != look {
		unclaimScript.run(ctx, s.client, call{[]string{old}, []string{u.ID, ""}})
	}
	s.renamed(before, u, rev)
	return u, nil
}

// parseStored reads what the script says of a user.
func parseStored(id string, r rueidis.RedisResult) (u chat.User, rev int64, err error) {
	values, err := r.ToArray()
	switch {
	case rueidis.IsRedisNil(err):
		return chat.User{ID: id}, 0, chat.ErrNotFound
	case err == nil && len(values) == 0:
		return chat.User{ID: id}, 0, errRenamed
	case err != nil:
		return chat.User{ID: id}, 0, written(err)
	}
	return userFields(id, values)
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
	return userFields(id, values)
}

// userFields reads the fields that userCommand asks for.
func userFields(id string, values []rueidis.RedisMessage) (u chat.User, rev int64, err error) {
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
