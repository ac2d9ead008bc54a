package redis

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// mine are the sessions that have connections here, by their users.
func (ss *sessions) mine() map[string]string {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	all := make(map[string]string)
	for id, h := range ss.held {
		if h.open > 0 {
			all[id] = h.user
		}
	}
	return all
}

// refresh says that the sessions that have connections here are in use. It returns those that do
// not exist any more.
func (ss *sessions) refresh(ctx context.Context) (gone map[string]string, err error) {
	gone = make(map[string]string)
	process := ss.process()
	all := ss.mine()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if err := ss.refreshOne(ctx, id, all[id], process); errors.Is(err, chat.ErrSessionRefused) {
			gone[id] = all[id]
		} else if err != nil {
			return gone, err
		}
	}
	return gone, nil
}

func (ss *sessions) refreshOne(ctx context.Context, id, userID, process string) error {
	ctx, cancel := context.WithTimeout(ctx, ss.s.cfg.Timeout)
	defer cancel()
	if err := ss.lead(ctx, id, userID); err != nil {
		return err
	}
	return ss.update(ctx, id, userID, func(r *sessionRecord) {
		ss.mu.Lock()
		defer ss.mu.Unlock()
		if h := ss.held[id]; h != nil && ss.self == process {
			r.count(process, h.open+h.released-r.Open[process])
		}
		r.Until = ss.s.Now() + ss.lifeMS()
	})
}

// update changes a session.
func (ss *sessions) update(ctx context.Context, id, userID string, f func(*sessionRecord)) error {
	for range maxTries {
		text, err := ss.s.client.Do(ctx, ss.s.client.B().Hget().Key(ss.s.keys.sessions(userID)).Field(id).Build()).ToString()
		if rueidis.IsRedisNil(err) {
			return chat.ErrSessionRefused
		} else if err != nil {
			return err
		}
		r, err := parseSession(text)
		if err != nil {
			return err
		}
		f(&r)
		done, _, err := ss.replace(ctx, userID, r.Until, change{id, text, r.String()})
		if err != nil || done {
			return err
		}
	}
	return errBusy
}
