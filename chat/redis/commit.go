package redis

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// safety is what must be true of what a script has written or read, before its result is used.
type safety uint8

const (
	acknowledged safety = iota // it is stored as Config.Ack says
	visible                    // it is at the replicas that Config.Ack asks for, unless these have been away for long
)

// work is a script, and how safe its results must be.
type work struct {
	*script
	safety
}

// commit executes a script for each of the calls, which are independent of each other. It calls
// each with the results when they are as safe as they must be: one at a time, and those of a
// server without waiting for another one.
func (s *store) commit(ctx context.Context, w work, calls []call, each func(k int, r rueidis.RedisResult, err error)) {
	if s.owners == nil {
		s.commitAt(ctx, w, "", calls, each)
		return
	}
	at := make(map[string][]int)
	for k, c := range calls {
		address := s.owners.of(c.keys[0])
		at[address] = append(at[address], k)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for address, members := range at {
		some := make([]call, len(members))
		for i, k := range members {
			some[i] = calls[k]
		}
		wg.Go(func() {
			s.commitAt(ctx, w, address, some, func(i int, r rueidis.RedisResult, err error) {
				mu.Lock()
				defer mu.Unlock()
				each(members[i], r, err)
			})
		})
	}
	wg.Wait()
}

// keep executes a script once. What it writes, or returns, is as safe as what people see.
func (s *store) keep(ctx context.Context, sc *script, keys, args []string) (r rueidis.RedisResult) {
	if s.cfg.Ack.Replicas == 0 {
		return s.run(ctx, sc, keys, args)
	}
	once := func() {
		s.commit(ctx, work{sc, visible}, []call{{keys, args}}, func(_ int, one rueidis.RedisResult, err error) {
			if r = one; err != nil && one.Error() == nil {
				r = rueidis.NewErrorResult(err)
			}
		})
	}
	once()
	for try := 0; try < maxBroken && sc.reads && broken(r.Error()); try++ {
		once()
	}
	return r
}

// keepAll executes a script for each of the calls, and calls each with the results. What it writes
// is kept if it is as safe as what people see; if not, that is no error. Where Config.Ack asks for no
// replicas, it counts as kept.
func (s *store) keepAll(ctx context.Context, sc *script, calls []call, each func(k int, r rueidis.RedisResult)) (kept bool, err error) {
	kept = true
	if len(calls) == 0 {
		return kept, nil
	}
	if s.cfg.Ack.Replicas == 0 {
		for k, r := range sc.runAll(ctx, s.client, calls) {
			err = cmp.Or(err, r.Error())
			each(k, r)
		}
		return kept, err
	}
	s.commit(ctx, work{sc, visible}, calls, func(k int, r rueidis.RedisResult, unsafe error) {
		err, kept = cmp.Or(err, r.Error()), kept && unsafe == nil && s.waits(visible, s.addressOf(calls[k].keys[0]))
		each(k, r)
	})
	return kept, err
}

// commitAt does so for the calls of one server.
func (s *store) commitAt(ctx context.Context, w work, address string, calls []call, each func(k int, r rueidis.RedisResult, err error)) {
	if !s.waits(w.safety, address) {
		for k, r := range w.runAll(ctx, s.client, calls) {
			each(k, r, r.Error())
		}
		return
	}
	ctx, cancel := s.client.limit(ctx)
	defer cancel()
	left := make([]int, len(calls))
	for k := range left {
		left[k] = k
	}
	for try := 0; len(left) > 0; try++ {
		left = s.commitAndWait(ctx, w, address, calls, left, each, try < 3)
		if len(left) > 0 {
			s.owners.refresh(ctx)
			address = s.owners.of(calls[left[0]].keys[0])
		}
	}
}

// waits reports whether a command must follow that waits until something is safe at a server.
func (s *store) waits(safe safety, address string) bool {
	if safe == acknowledged {
		return s.cfg.Ack.Replicas > 0 || s.cfg.Ack.Disk && s.waitaof
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	few := s.standingOf(address).few
	return s.cfg.Ack.Replicas > 0 && (few.IsZero() || time.Since(few) < fewPatience)
}

// commitAndWait executes some of the calls on one connection, and waits there. It returns those
// whose slot is at another server, if they may be tried again; nothing of them is stored.
func (s *store) commitAndWait(ctx context.Context, w work, address string, calls []call, some []int, each func(int, rueidis.RedisResult, error), again bool) (moved []int) {
	node := s.client.node(address)
	if node == nil {
		for _, k := range some {
			each(k, rueidis.NewErrorResult(rueidis.ErrNoSlot), rueidis.ErrNoSlot)
		}
		return nil
	}
	conn, release, err := s.client.dedicate(ctx, node)
	if err != nil {
		for _, k := range some {
			each(k, rueidis.NewErrorResult(err), err)
		}
		return nil
	}
	defer release()
	selected := make([]call, len(some))
	for i, k := range some {
		selected[i] = calls[k]
	}
	results := w.runAll(ctx, conn, selected)
	if w.safety == visible {
		err = s.waitForReplicas(ctx, conn, address, selected[0].keys[0], s.patience(address, s.longWait()))
	} else {
		err = s.wait(ctx, conn, address)
	}
	for i, k := range some {
		r := results[i]
		if reply, ok := rueidis.IsRedisErr(r.Error()); ok && again && s.owners != nil {
			if _, is := reply.IsMoved(); is {
				moved = append(moved, k)
				continue
			}
		}
		if r.Error() != nil {
			each(k, r, r.Error())
			continue
		}
		each(k, r, err)
	}
	return moved
}

// How long is waited for replicas. Those that are well answer much sooner, and those that wait keep
// others from reading, or wait for what is known not to be there.
const (
	visibleWait = 2 * time.Second
	fewWait     = 300 * time.Millisecond // where too few replicas are known to be there
)

// fewPatience is how long people see nothing new while there are too few replicas. After that they
// see what the primary has, although the next failover may lose it: but if this is a primary that
// others have replaced already, it has been found out by then.
const fewPatience = 30 * time.Second

// longWait is how long replicas are given before too few are known to be there.
func (s *store) longWait() time.Duration { return min(visibleWait, s.cfg.Timeout/2) }

// waitForReplicas waits until what was written or read by a connection is at replicas of its
// server. From Redis 7.2 on, WAIT waits for what the connection itself has written last: so it
// writes something.
func (s *store) waitForReplicas(ctx context.Context, conn rueidis.DedicatedClient, address, key string, limit time.Duration) error {
	if !s.waitaof {
		have, err := conn.Do(ctx, s.waitCommand(conn, limit)).AsInt64()
		return s.enough(address, have, limit, err)
	}
	touched := []string{s.keys.touched(key)}
	if s.owners != nil {
		if p := s.owners.partitionBeside(address, key); p >= 0 {
			touched = append(touched, s.keys.touched(s.keys.tails(p))) // should the slot of the first be on its way to another server
		}
	}
	var err error
	for _, key := range touched {
		touch := call{keys: []string{key}}
		results := conn.DoMulti(ctx, touchScript.evalsha(conn, touch), s.waitCommand(conn, limit))
		if noScript(results[0]) {
			results = conn.DoMulti(ctx, touchScript.eval(conn, touch), s.waitCommand(conn, limit))
		}
		if err = results[0].Error(); err == nil {
			have, err := results[1].AsInt64()
			return s.enough(address, have, limit, err)
		}
		if _, said := rueidis.IsRedisErr(err); !said {
			break
		}
	}
	return s.enough(address, 0, 0, err)
}

func (s *store) waitCommand(conn rueidis.DedicatedClient, limit time.Duration) rueidis.Completed {
	return conn.B().Wait().Numreplicas(int64(s.cfg.Ack.Replicas)).Timeout(max(1, limit.Milliseconds())).Build()
}

// wait waits until what was written by a connection is on disks, or at replicas.
func (s *store) wait(ctx context.Context, conn rueidis.DedicatedClient, address string) error {
	limit := s.cfg.Timeout
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)*9/10)
	}
	limit = s.patience(address, limit)
	if !s.cfg.Ack.Disk || !s.waitaof {
		have, err := conn.Do(ctx, s.waitCommand(conn, limit)).AsInt64()
		return s.enough(address, have, limit, err)
	}
	n, ms := s.cfg.Ack.Replicas, max(1, limit.Milliseconds())
	have, err := conn.Do(ctx, conn.B().Arbitrary("WAITAOF").Args("1", strconv.Itoa(n), strconv.FormatInt(ms, 10)).Blocking()).AsIntSlice()
	if err != nil || len(have) != 2 {
		return s.enough(address, 0, 0, fmt.Errorf("%w: WAITAOF: %v", chat.ErrOutcomeUnknown, err))
	}
	if have[0] < 1 {
		return fmt.Errorf("%w: it is stored, but not on the server's disk in time", chat.ErrOutcomeUnknown)
	}
	return s.enough(address, have[1], limit, nil)
}

// enough judges how many replicas of a server have something after so long a wait.
func (s *store) enough(address string, replicas int64, limit time.Duration, err error) error {
	if err != nil {
		return fmt.Errorf("%w: whether it is safe: %w", chat.ErrOutcomeUnknown, err)
	}
	n := s.cfg.Ack.Replicas
	if replicas < int64(n) {
		if limit >= s.longWait() {
			s.setFew(address, true)
		}
		return fmt.Errorf("%w: it is stored, but only %d of %d replicas have it", chat.ErrOutcomeUnknown, replicas, n)
	}
	if n > 0 {
		s.setFew(address, false)
	}
	return nil
}

// setFew takes note of whether a server has fewer replicas than Config.Ack asks for. When there are
// enough again, what could not be read meanwhile is looked at.
func (s *store) setFew(address string, few bool) {
	s.mu.Lock()
	one := s.standingOf(address)
	was := !one.few.IsZero()
	switch {
	case !few:
		one.few = time.Time{}
	case !was:
		one.few = time.Now()
	}
	s.mu.Unlock()
	if was && !few {
		s.enoughAgain()
	}
}

// hasFew reports whether any server has fewer replicas than Config.Ack asks for.
func (s *store) hasFew() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.standings {
		if !one.few.IsZero() {
			return true
		}
	}
	return false
}

// patience is how long to wait at most for replicas of a server.
func (s *store) patience(address string, limit time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.standingOf(address).few.IsZero() {
		return min(limit, fewWait)
	}
	return limit
}
