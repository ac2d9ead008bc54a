package redis

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// mine are the sessions that have connections here, by their users. One that is still being stored
// is not among them: it would be taken for one that has ended.
func (ss *sessions) mine() map[string]string {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	all := make(map[string]string)
	for id, h := range ss.held {
		if h.open > 0 && h.record != "" {
			all[id] = h.user
		}
	}
	return all
}

// refresh says that the sessions that have connections here are in use, and calls gone with those that do
// not exist any more. It passes the gate with each: if another process takes over meanwhile, that one begins again.
func (ss *sessions) refresh(ctx context.Context, gone func(id, userID string)) error {
	ss.mu.Lock()
	process, due, began := ss.self, ss.due, time.Now()
	ss.mu.Unlock()
	all := ss.mine()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if err := ss.b.gate.enter(ctx); err != nil {
			return err
		}
		err := ss.refreshOne(ctx, id, all[id], process)
		if errors.Is(err, chat.ErrSessionRefused) {
			gone(id, all[id])
			err = nil
		}
		ss.b.gate.leave()
		if err != nil {
			return err
		}
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.due == due {
		ss.refreshed = began
	}
	return nil
}

// refreshDue takes note that the sessions must be refreshed before their time.
func (ss *sessions) refreshDue() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.due++
	ss.refreshed = time.Time{}
}

func (ss *sessions) refreshOne(ctx context.Context, id, userID, process string) error {
	ctx, cancel := context.WithTimeout(ctx, ss.s.cfg.Timeout)
	defer cancel()
	ss.lock(id)
	defer ss.unlock(id)
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

// update changes a session that is held here. If Redis has lost it, in a failover for example, it is
// stored again. If Redis has lost the last resume, which was here, that is made good.
func (ss *sessions) update(ctx context.Context, id, userID string, f func(*sessionRecord)) error {
	for range maxTries {
		text, err := ss.s.client.Do(ctx, ss.s.client.B().Hget().Key(ss.s.keys.sessions(userID)).Field(id).Build()).ToString()
		if err != nil && !rueidis.IsRedisNil(err) {
			return err
		}
		r, lost, err := ss.mend(id, text)
		if err != nil {
			return err
		}
		f(&r)
		c := changes{check: r.Until, of: []change{{id, text, r.String()}}}
		if lost {
			c.lost = max(1, r.Began)
		}
		done, _, err := ss.replace(ctx, userID, c)
		if done && err == nil {
			ss.remember(id, r.String())
		}
		if err != nil || done {
			return err
		}
	}
	return errBusy
}

// mend returns a session as it should be stored: what is stored, or "" if nothing is, with what is
// known here and was lost. It is refused if nothing is known here, or for so long that Redis may
// have forgotten that it has ended.
func (ss *sessions) mend(id, stored string) (r sessionRecord, lost bool, err error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	h := ss.held[id]
	if stored == "" {
		if h == nil || h.record == "" || time.Since(h.sure) > ss.kept()-time.Minute || ss.banned(h.user) {
			return r, true, chat.ErrSessionRefused
		}
		if r, err = parseSession(h.record); err != nil {
			return r, true, err
		}
		if r.Expires > 0 && ss.s.Now() >= r.Expires {
			return r, true, chat.ErrSessionRefused
		}
		r.Open = nil
		r.count(ss.self, h.open+h.released)
		return r, true, nil
	}
	if r, err = parseSession(stored); err != nil || h == nil || h.record == "" {
		return r, false, err
	}
	known, err := parseSession(h.record)
	if err == nil && known.Resumed > r.Resumed {
		r.Key, r.Before, r.Rivals, r.Resumed = known.Key, known.Before, known.Rivals, known.Resumed
		r.Address, r.Device = known.Address, known.Device
	}
	return r, false, err
}

// remember keeps what is stored of a session, in case Redis loses it.
func (ss *sessions) remember(id, record string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if h := ss.held[id]; h != nil {
		h.record, h.sure = record, time.Now()
	}
}
