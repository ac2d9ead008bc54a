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
	if !s.waits(visible) {
		return s.run(ctx, sc, keys, args)
	}
	once := func() {
		s.commit(ctx, work{sc, visible}, []call{{keys, args}}, func(_ int, one rueidis.RedisResult, err error) {
			if r = one; err != nil && one.Error() == nil {
				r = rueidis.NewErrorResult(err)
			}
		})
	}
	if once(); sc == readScript && broken(r.Error()) {
		once()
	}
	return r
}

// keepAll executes a script for each of the calls. What it writes is kept if it is as safe as what
// people see; if not, that is no error.
func (s *store) keepAll(ctx context.Context, sc *script, calls []call) (kept bool, err error) {
	kept = true
	if len(calls) == 0 {
		return kept, nil
	}
	if !s.waits(visible) {
		for _, r := range sc.runAll(ctx, s.client, calls) {
			err = cmp.Or(err, r.Error())
		}
		return kept, err
	}
	s.commit(ctx, work{sc, visible}, calls, func(_ int, r rueidis.RedisResult, unsafe error) {
		err, kept = cmp.Or(err, r.Error()), kept && unsafe == nil
	})
	return kept, err
}

// commitAt does so for the calls of one server.
func (s *store) commitAt(ctx context.Context, w work, address string, calls []call, each func(k int, r rueidis.RedisResult, err error)) {
	if !s.waits(w.safety) {
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

// waits reports whether a command must follow that waits until something is safe.
func (s *store) waits(safe safety) bool {
	if safe == acknowledged {
		return s.cfg.Ack.Replicas > 0 || s.cfg.Ack.Disk && s.waitaof
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.Ack.Replicas > 0 && (s.few.IsZero() || time.Since(s.few) < fewPatience)
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
	conn, release := node.Dedicate()
	defer release()
	selected := make([]call, len(some))
	for i, k := range some {
		selected[i] = calls[k]
	}
	results := w.runAll(ctx, conn, selected)
	var err error
	if w.safety == visible {
		err = s.waitForReplicas(ctx, conn, selected[0].keys[0])
	} else {
		err = s.wait(ctx, conn)
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

// waitForReplicas waits until what was written or read by a connection is at replicas. From Redis
// 7.2 on, WAIT waits for what the connection itself has written last: so it writes something.
func (s *store) waitForReplicas(ctx context.Context, conn rueidis.DedicatedClient, key string) error {
	n, limit := s.cfg.Ack.Replicas, s.patience(min(visibleWait, s.cfg.Timeout))
	wait := conn.B().Wait().Numreplicas(int64(n)).Timeout(limit.Milliseconds()).Build()
	cmds := rueidis.Commands{wait}
	if s.waitaof {
		touched := conn.B().Set().Key(s.keys.touched(key)).Value("").PxMilliseconds(1000).Build()
		cmds = rueidis.Commands{touched, wait}
	}
	results := conn.DoMulti(ctx, cmds...)
	if err := results[0].Error(); err != nil {
		return s.enough(0, err)
	}
	have, err := results[len(results)-1].AsInt64()
	return s.enough(have, err)
}

// wait waits until what was written by a connection is on disks, or at replicas.
func (s *store) wait(ctx context.Context, conn rueidis.DedicatedClient) error {
	limit := s.cfg.Timeout
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)*9/10)
	}
	ms := max(1, s.patience(limit).Milliseconds())
	n := s.cfg.Ack.Replicas
	if !s.cfg.Ack.Disk || !s.waitaof {
		have, err := conn.Do(ctx, conn.B().Wait().Numreplicas(int64(n)).Timeout(ms).Build()).AsInt64()
		return s.enough(have, err)
	}
	have, err := conn.Do(ctx, conn.B().Arbitrary("WAITAOF").Args("1", strconv.Itoa(n), strconv.FormatInt(ms, 10)).Blocking()).AsIntSlice()
	if err != nil || len(have) != 2 {
		return s.enough(0, fmt.Errorf("%w: WAITAOF: %v", chat.ErrOutcomeUnknown, err))
	}
	if have[0] < 1 {
		return fmt.Errorf("%w: it is stored, but not on the server's disk in time", chat.ErrOutcomeUnknown)
	}
	return s.enough(have[1], nil)
}

func (s *store) enough(replicas int64, err error) error {
	if err != nil {
		return fmt.Errorf("%w: whether it is safe: %w", chat.ErrOutcomeUnknown, err)
	}
	n := s.cfg.Ack.Replicas
	if replicas < int64(n) {
		s.setFew(true)
		return fmt.Errorf("%w: it is stored, but only %d of %d replicas have it", chat.ErrOutcomeUnknown, replicas, n)
	}
	if n > 0 {
		s.setFew(false)
	}
	return nil
}

// setFew takes note of whether there are fewer replicas than Config.Ack asks for. When there are
// enough again, what could not be read meanwhile is looked at.
func (s *store) setFew(few bool) {
	s.mu.Lock()
	was := !s.few.IsZero()
	switch {
	case !few:
		s.few = time.Time{}
	case !was:
		s.few = time.Now()
	}
	s.mu.Unlock()
	if was && !few {
		s.enoughAgain()
	}
}

// patience is how long to wait for replicas at most.
func (s *store) patience(limit time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.few.IsZero() {
		return min(limit, fewWait)
	}
	return limit
}
