package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/local"
)

// bans is the engine's chat.Bans. All bans are in one hash, by subject, as JSON; its field "#"
// counts the changes. Every node holds all of them (local.Bans), and learns of a change from the
// control stream. If the count is not what it should be, it reads them all. A Redis that has lost
// bans gets back those that a node holds.
type bans struct {
	*local.Bans
	s        *store
	b        *broker
	sessions *sessions

	mu sync.Mutex // held from reading bans until what was read is in force
	// Guarded by mu.
	records map[string]string // by subject, as stored
	changes int64             // up to which all are in force
	ahead   int64             // what the count was at the last look, if it was more
}

// countField is the field of the hash that counts changes. It is no subject.
const countField = "#"

func newBans(s *store, b *broker, ss *sessions) *bans {
	return &bans{
		Bans: local.NewBans(local.BansConfig{Now: s.Now, Banned: b.banned}, nil),
		s:    s, b: b, sessions: ss, records: make(map[string]string),
	}
}

// Ban implements chat.Bans. The ban comes first: if the process dies then, nodes still disconnect
// the user, and no new session begins.
func (b *bans) Ban(ctx context.Context, one chat.Ban) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := b.Admit(&one); err != nil {
		return err
	}
	if err := b.forget(ctx); err != nil {
		return err
	}
	text, err := json.Marshal(one)
	if err != nil {
		return err
	}
	n, err := b.change(ctx, one.Subject(), string(text), "")
	if err != nil {
		return written(err)
	}
	if n < 0 {
		return chat.ErrTooManyBans
	}
	b.heed(one.Subject(), string(text))
	if one.UserID != "" {
		_, err = b.sessions.End(ctx, one.UserID, "", chat.UserBanned)
	}
	return err
}

// Unban implements chat.Bans.
func (b *bans) Unban(ctx context.Context, subject string) (was bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	one, known := b.Last(subject) // before word of the change comes by the control stream
	n, err := b.change(ctx, subject, "", "")
	if err != nil {
		return false, written(err)
	}
	b.heed(subject, "")
	return n > 0 && known && one.InForce(b.s.Now()), nil
}

// change stores the record of a ban, or removes it if the record is "", provided that the stored
// one is old, unless that is "".
func (b *bans) change(ctx context.Context, subject, record, old string) (n int64, err error) {
	k := b.b.keys
	return banScript.run(ctx, b.s.client, call{
		[]string{k.bans(), k.control(), k.controlChannel()},
		[]string{subject, record, strconv.Itoa(chat.MaxBans), strconv.Itoa(controlEntries), old},
	}).AsInt64()
}

// forget removes some bans that ended long ago.
func (b *bans) forget(ctx context.Context) error {
	const some = 4
	for _, subject := range b.Ended(some, chat.BanMemory.Milliseconds()) {
		b.mu.Lock()
		record := b.records[subject]
		b.mu.Unlock()
		if _, err := b.change(ctx, subject, "", record); err != nil {
			return written(err)
		}
	}
	return nil
}

// heed puts the stored record of a subject in force; "" lifts its ban.
func (b *bans) heed(subject, record string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(subject, record)
}

// put is heed, with mu held.
func (b *bans) put(subject, record string) {
	switch {
	case record == b.records[subject]:
	case record == "":
		delete(b.records, subject)
		b.Remove(subject)
	default:
		var next chat.Ban
		if err := json.Unmarshal([]byte(record), &next); err != nil || next.Check() != nil || next.Subject() != subject {
			b.b.cfg.Log.Warn("chat/redis: the record of a ban is damaged; it is in force", "subject", subject)
			if next, err = chat.ParseBanSubject(subject); err != nil {
				return
			}
			next.Reason = "the record of the ban is damaged"
		}
		b.records[subject] = record
		b.Apply(next)
	}
}

// changed follows a change of which the control stream tells.
func (b *bans) changed(ctx context.Context, subject string, n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	record, err := b.s.client.Do(ctx, b.s.client.B().Hget().Key(b.b.keys.bans()).Field(subject).Build()).ToString()
	if err != nil && !rueidis.IsRedisNil(err) {
		return err
	}
	b.put(subject, record)
	if n == b.changes+1 {
		b.changes = n
	}
	return nil
}

// check compares the count of changes. It may be ahead of this node for a moment.
func (b *bans) check(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.s.client
	n, err := c.Do(ctx, c.B().Hget().Key(b.b.keys.bans()).Field(countField).Build()).AsInt64()
	if err != nil && !rueidis.IsRedisNil(err) {
		return err
	}
	switch {
	case n < b.changes:
		b.b.cfg.Log.Warn("chat/redis: Redis has lost bans; they are stored again", "bans", len(b.records))
		if err := b.restore(ctx, n); err != nil {
			return err
		}
		return b.load(ctx)
	case b.ahead > b.changes:
		return b.load(ctx)
	}
	b.ahead = n
	return nil
}

// restore stores the bans again that are not in Redis any more, whose count is n. Called with mu
// held.
func (b *bans) restore(ctx context.Context, n int64) error {
	c := b.s.client
	cmds := make(rueidis.Commands, 0, len(b.records)+1)
	for subject, record := range b.records {
		cmds = append(cmds, c.B().Hsetnx().Key(b.b.keys.bans()).Field(subject).Value(record).Build())
	}
	cmds = append(cmds, c.B().Hincrby().Key(b.b.keys.bans()).Field(countField).Increment(b.changes-n+1).Build())
	for _, r := range c.DoMulti(ctx, cmds...) {
		if err := r.Error(); err != nil {
			return err
		}
	}
	return nil
}

// load reads all bans. Called with mu held.
func (b *bans) load(ctx context.Context) error {
	c := b.s.client
	stored, err := c.Do(ctx, c.B().Hgetall().Key(b.b.keys.bans()).Build()).AsStrMap()
	if err != nil {
		return err
	}
	if count := stored[countField]; count == "" {
		b.changes = 0
	} else if b.changes, err = strconv.ParseInt(count, 10, 64); err != nil {
		return fmt.Errorf("%w: bans: %w", errReply, err)
	}
	delete(stored, countField)
	b.ahead = b.changes
	for subject, record := range stored {
		b.put(subject, record)
	}
	for subject := range b.records {
		if _, still := stored[subject]; !still {
			b.put(subject, "")
		}
	}
	return nil
}

// start reads all bans.
func (b *bans) start(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.load(ctx)
}
