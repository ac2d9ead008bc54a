package redis

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

const (
	// banPage is about how many bans are read by one command.
	banPage = 1000

	// banBatch is how many bans are stored again by one command.
	banBatch = 200
)

var errBansChanged = errors.New("chat/redis: bans were lost while they were read")

// start reads all bans.
func (b *bans) start(ctx context.Context) error {
	b.checking.Lock()
	defer b.checking.Unlock()
	for try := 0; ; try++ {
		if err := b.begin(ctx); err != nil {
			return err
		}
		if err := b.load(ctx); !errors.Is(err, errBansChanged) || try == maxBroken {
			return err
		}
	}
}

// check finds out whether Redis has lost bans, and whether this node has missed any. What it does
// then may take longer than one command may.
func (b *bans) check(context.Context) error {
	b.checking.Lock()
	defer b.checking.Unlock()
	err := b.compare(b.b.ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problem = err
	return err
}

// healthy returns the error of the last check.
func (b *bans) healthy() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.problem
}

// checkSoon makes check due.
func (b *bans) checkSoon() {
	select {
	case b.now <- struct{}{}:
	default:
	}
}

// restored follows another node, which has stored bans again.
func (b *bans) restored(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.changes {
		b.stale = true
		b.checkSoon()
	}
}

// compare is check. The count may be ahead of this node for a moment. Called with checking held.
func (b *bans) compare(ctx context.Context) error {
	n, there, err := b.look(ctx)
	if err != nil {
		return err
	}
	b.mu.Lock()
	changes, stale, known := b.changes, b.stale, len(b.records)
	b.mu.Unlock()
	switch {
	case !there || n < changes:
		b.b.cfg.Log.Warn("chat/redis: Redis has lost changes of bans; those that this node knows are stored again", "bans", known)
		if err := b.restore(ctx, changes); err != nil {
			return err
		}
		if err := b.begin(ctx); err != nil {
			return err
		}
		if err := b.b.rewind(ctx, b.witness); err != nil {
			return err
		}
		return b.load(ctx)
	case stale || b.ahead > changes:
		return b.load(ctx)
	}
	b.ahead = n
	return nil
}

// look reads the count of changes, and whether the entries of the control stream are there that
// are known to have been. Whatever loses changes, a flush, a backup or a failover, loses the
// entries that came with them. The count may have grown again. Called with checking held.
func (b *bans) look(ctx context.Context) (n int64, there bool, err error) {
	b.mu.Lock()
	seen := slices.Clone(b.seen)
	b.mu.Unlock()
	from := cmp.Or(b.witness, "-")
	c, k := b.s.client, b.b.keys
	replies := c.DoMulti(ctx,
		c.B().Xrange().Key(k.control()).Start(from).End("+").Count(controlEntries).Build(),
		c.B().Hget().Key(k.bans()).Field(countField).Build(),
	)
	entries, err := replies[0].AsXRange()
	if err != nil {
		return 0, false, err
	}
	if n, err = replies[1].AsInt64(); err != nil && !rueidis.IsRedisNil(err) {
		return 0, false, err
	}
	if len(entries) >= controlEntries { // so many that those that are not there may have made room
		if err := b.begin(ctx); err != nil {
			return 0, false, err
		}
		b.mu.Lock()
		b.stale = true
		b.mu.Unlock()
		return n, true, nil
	}
	ids := make(map[string]bool, len(entries))
	for _, e := range entries {
		ids[e.ID] = true
	}
	for _, id := range append(seen, b.witness) {
		if id != "" && !ids[id] && !b.before(id) {
			return n, false, nil
		}
	}
	if len(entries) > 0 {
		b.witness = entries[len(entries)-1].ID
	}
	b.mu.Lock()
	b.seen = b.seen[len(seen):]
	b.mu.Unlock()
	return n, true, nil
}

// before reports whether an entry was in the control stream at an earlier look. Called with
// checking held.
func (b *bans) before(id string) bool {
	return id != b.witness && laterEntry(id, b.witness) == b.witness
}

// begin makes the last entry of the control stream the one that must stay. Called with checking
// held.
func (b *bans) begin(ctx context.Context) error {
	b.mu.Lock()
	b.seen = nil
	b.mu.Unlock()
	c := b.s.client
	entries, err := c.Do(ctx, c.B().Xrevrange().Key(b.b.keys.control()).End("+").Start("-").Count(1).Build()).AsXRange()
	if err != nil {
		return err
	}
	b.witness = ""
	if len(entries) > 0 {
		b.witness = entries[0].ID
	}
	return nil
}

// restore stores the bans again that Redis has not any more, or an older one of the same subject.
// Those are left out that ended long ago. Called with checking held.
func (b *bans) restore(ctx context.Context, changes int64) error {
	k := b.b.keys
	head := []string{strconv.FormatInt(changes, 10), strconv.Itoa(controlEntries), streamSalt()}
	then := b.s.Now() - chat.BanMemory.Milliseconds()
	args := head
	send := func() error {
		if len(args) == len(head) {
			return nil
		}
		err := rebansScript.run(ctx, b.s.client, call{[]string{k.bans(), k.control(), k.controlChannel()}, args}).Error()
		args = head[:len(head):len(head)]
		return err
	}
	for subject, record := range b.snapshot() {
		one, known := b.Last(subject)
		if !known || !one.InForce(then) {
			continue
		}
		args = append(args, subject, record, strconv.FormatInt(one.Since, 10))
		if len(args) >= len(head)+3*banBatch {
			if err := send(); err != nil {
				return err
			}
		}
	}
	return send()
}

// snapshot returns all records.
func (b *bans) snapshot() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.records)
}

// load reads all bans, and puts them in force. What changes meanwhile is heeded as it comes.
// Called with checking held.
func (b *bans) load(ctx context.Context) error {
	b.mu.Lock()
	b.heeded, b.stale = make(map[string]struct{}), false
	b.mu.Unlock()
	stored, changes, err := b.read(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	heeded := b.heeded
	b.heeded = nil
	if err != nil {
		b.stale = true // it is tried again by the next check
		return err
	}
	b.changes, b.ahead = changes, changes
	for subject, record := range stored {
		if _, newer := heeded[subject]; !newer {
			b.put(subject, record)
		}
	}
	for subject := range b.records {
		_, still := stored[subject]
		if _, newer := heeded[subject]; !still && !newer {
			b.put(subject, "")
		}
	}
	return nil
}

// read returns all records, and the number of changes that are in them at least. It fails if
// Redis has lost some meanwhile, or another server has answered that lists them in another order.
func (b *bans) read(ctx context.Context) (stored map[string]string, changes int64, err error) {
	c, key := b.s.client, b.b.keys.bans()
	changes, err = c.Do(ctx, c.B().Hget().Key(key).Field(countField).Build()).AsInt64()
	if err != nil && !rueidis.IsRedisNil(err) {
		return nil, 0, err
	}
	stored = make(map[string]string)
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		page, err := c.Do(ctx, c.B().Hscan().Key(key).Cursor(cursor).Count(banPage).Build()).AsScanEntry()
		if err != nil {
			return nil, 0, err
		}
		for i := 0; i+1 < len(page.Elements); i += 2 {
			stored[page.Elements[i]] = page.Elements[i+1]
		}
		cursor = page.Cursor
	}
	delete(stored, countField)
	return stored, changes, b.complete(ctx, int64(len(stored)), changes)
}

// complete verifies that so many records are all, after so many changes at least.
func (b *bans) complete(ctx context.Context, read, changes int64) error {
	c, k := b.s.client, b.b.keys
	witness := cmp.Or(b.witness, "0-0")
	replies := c.DoMulti(ctx,
		c.B().Hlen().Key(k.bans()).Build(),
		c.B().Hget().Key(k.bans()).Field(countField).Build(),
		c.B().Xrange().Key(k.control()).Start(witness).End(witness).Build(),
	)
	n, err := replies[0].AsInt64()
	if err != nil {
		return err
	}
	after, err := replies[1].AsInt64()
	if err != nil && !rueidis.IsRedisNil(err) {
		return err
	}
	entries, err := replies[2].AsXRange()
	if err != nil {
		return err
	}
	if after < changes || b.witness != "" && len(entries) == 0 || read < n-1-(after-changes) {
		return errBansChanged
	}
	return nil
}
