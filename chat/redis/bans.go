package redis

import (
	"context"
	"encoding/json"
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
	now      chan struct{} // check is due

	checking sync.Mutex
	// Guarded by checking.
	ahead   int64  // what the count was at the last look, if it was more
	witness string // the last entry of the control stream at the last look

	mu sync.Mutex
	// Guarded by mu.
	records map[string]string   // by subject, as stored
	changes int64               // up to which all are in force
	seen    []string            // the entries of the control stream that came with changes since the last look
	stale   bool                // another node has stored bans again
	heeded  map[string]struct{} // subjects of what was put in force since load began; nil: it does not run
	heeds   uint64              // how often this node's changes were put in force
	problem error               // of the last check
}

// countField is the field of the hash that counts changes. It is no subject, nor is anyBan, which
// stands for all of them in the control stream.
const (
	countField = "#"
	anyBan     = "*"
)

func newBans(s *store, b *broker, ss *sessions) *bans {
	return &bans{
		Bans: local.NewBans(local.BansConfig{Now: s.Now, Banned: b.banned, Max: s.cfg.maxBans}, nil),
		s:    s, b: b, sessions: ss, now: make(chan struct{}, 1), records: make(map[string]string),
	}
}

// Ban implements chat.Bans. The ban comes first: if the process dies then, nodes still disconnect
// the user, and no new session begins.
func (b *bans) Ban(ctx context.Context, one chat.Ban) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	forget, err := b.Admit(&one)
	if err != nil {
		return err
	}
	text, err := json.Marshal(one)
	if err != nil {
		return err
	}
	subject, record := one.Subject(), string(text)
	n, err := b.change(ctx, subject, record, b.Room(&one), forget)
	if n < 0 && len(forget) < len(b.Spare()) { // this node does not know yet of all that are stored
		n, err = b.change(ctx, subject, record, b.Room(&one), b.Spare())
	}
	if err != nil {
		return written(err)
	}
	if n < 0 {
		return chat.ErrTooManyBans
	}
	b.heed(subject, record)
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
	n, err := b.change(ctx, subject, "", 0, nil)
	if err != nil {
		return false, written(err)
	}
	b.heed(subject, "")
	return n > 0 && known && one.InForce(b.s.Now()), nil
}

// change stores the record of a ban, or removes it if the record is "", and forgets bans that
// have ended. n is -1 if there are more than there may be then.
func (b *bans) change(ctx context.Context, subject, record string, room int, forget []chat.Ban) (n int64, err error) {
	k := b.b.keys
	args := []string{subject, record, strconv.Itoa(room), strconv.Itoa(controlEntries), streamSalt()}
	b.mu.Lock()
	for i := range forget {
		other := forget[i].Subject()
		if stored := b.records[other]; stored != "" {
			args = append(args, other, stored)
		}
	}
	b.mu.Unlock()
	reply, err := banScript.run(ctx, b.s.client, call{[]string{k.bans(), k.control(), k.controlChannel()}, args}).ToArray()
	if err != nil {
		return 0, err
	}
	if len(reply) != 2 {
		return 0, errReply
	}
	id, err := reply[1].ToString()
	if err != nil {
		return 0, err
	}
	b.saw(id)
	return reply[0].AsInt64()
}

// saw notes an entry of the control stream.
func (b *bans) saw(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id != "" && len(b.seen) < controlEntries {
		b.seen = append(b.seen, id)
	}
}

// heed puts a change of this node in force: the stored record of a subject, or "" if its ban was
// lifted.
func (b *bans) heed(subject, record string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heeds++
	b.put(subject, record)
}

// put puts the stored record of a subject in force. Called with mu held.
func (b *bans) put(subject, record string) {
	if b.heeded != nil {
		b.heeded[subject] = struct{}{}
	}
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

// changed follows a change of which an entry of the control stream tells.
func (b *bans) changed(ctx context.Context, id, subject string, n int64) error {
	b.saw(id)
	if subject == anyBan {
		b.restored(n)
		return nil
	}
	for try := 0; ; try++ {
		b.mu.Lock()
		heeds := b.heeds
		b.mu.Unlock()
		record, count, err := b.stored(ctx, subject)
		if err != nil {
			return err
		}
		if count < n { // Redis has lost the change since then, and this node may be the one that knows it
			b.checkSoon()
			return nil
		}
		if b.follow(subject, record, n, heeds, try == maxBroken) {
			return nil
		}
	}
}

// stored reads the record of a subject, "" if there is none, and the count of changes.
func (b *bans) stored(ctx context.Context, subject string) (record string, count int64, err error) {
	c := b.s.client
	values, err := c.Do(ctx, c.B().Hmget().Key(b.b.keys.bans()).Field(subject, countField).Build()).ToArray()
	if err != nil {
		return "", 0, err
	}
	if record, err = values[0].ToString(); err != nil && !rueidis.IsRedisNil(err) {
		return "", 0, err
	}
	if count, err = values[1].AsInt64(); err != nil && !rueidis.IsRedisNil(err) {
		return "", 0, err
	}
	return record, count, nil
}

// follow puts a record in force that was read. It does not if this node has changed one since
// then, which might be newer, except anyway: word of the newer one follows.
func (b *bans) follow(subject, record string, n int64, heeds uint64, anyway bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.heeds != heeds && !anyway {
		return false
	}
	b.put(subject, record)
	if n == b.changes+1 {
		b.changes = n
	}
	return true
}
