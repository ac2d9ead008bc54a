package redis

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// commit executes the append script for each of the calls, which are of different conversations,
// and calls each with the results when they count as stored: one at a time, and those of a server
// without waiting for another one.
func (s *store) commit(ctx context.Context, calls []call, each func(k int, r rueidis.RedisResult, err error)) {
	if s.owners == nil {
		s.commitAt(ctx, "", calls, each)
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
			s.commitAt(ctx, address, some, func(i int, r rueidis.RedisResult, err error) {
				mu.Lock()
				defer mu.Unlock()
				each(members[i], r, err)
			})
		})
	}
	wg.Wait()
}

// commitAt does so for the conversations of one server.
func (s *store) commitAt(ctx context.Context, address string, calls []call, each func(k int, r rueidis.RedisResult, err error)) {
	if !s.waits() {
		for k, r := range s.append.runAll(ctx, s.client, calls) {
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
		left = s.commitAndWait(ctx, address, calls, left, each, try < 3)
		if len(left) > 0 {
			s.owners.refresh(ctx)
			address = s.owners.of(calls[left[0]].keys[0])
		}
	}
}

// waits reports whether a command must follow that waits until what is stored is safe.
func (s *store) waits() bool {
	return s.cfg.Ack.Replicas > 0 || s.cfg.Ack.Disk && s.waitaof
}

// commitAndWait executes some of the calls on one connection, and waits there. It returns those
// whose slot is at another server, if they may be tried again; nothing of them is stored.
func (s *store) commitAndWait(ctx context.Context, address string, calls []call, some []int, each func(int, rueidis.RedisResult, error), again bool) (moved []int) {
	node := s.client.node(address)
	if node == nil {
		for _, k := range some {
			each(k, rueidis.RedisResult{}, rueidis.ErrNoSlot)
		}
		return nil
	}
	conn, release := node.Dedicate()
	defer release()
	selected := make([]call, len(some))
	for i, k := range some {
		selected[i] = calls[k]
	}
	results := s.append.runAll(ctx, conn, selected)
	err := s.wait(ctx, conn)
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

// wait waits until what was written by a connection is on disks, or at replicas.
func (s *store) wait(ctx context.Context, conn rueidis.DedicatedClient) error {
	limit := s.cfg.Timeout
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)*9/10)
	}
	ms := max(1, limit.Milliseconds())
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
	if n := s.cfg.Ack.Replicas; replicas < int64(n) {
		return fmt.Errorf("%w: it is stored, but only %d of %d replicas have it", chat.ErrOutcomeUnknown, replicas, n)
	}
	return nil
}
