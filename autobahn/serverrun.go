package autobahn

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// This file owns a run against a server: which case is played when, and what happens to
// the cases when the server ends.
//
// With many connections at once it is not visible which of them ended the server. So when
// the server accepts no more connections, no new case begins, the cases under way finish,
// and the server is started again. Each case that was under way after the last sign of
// life is then played again, alone. If the server is gone again after one, that case is
// FAILED, and named; all others get their verdicts from that second time.

// serverRun is a run of TestServer.
type serverRun struct {
	ctx   context.Context
	t     *Target
	opt   *Options
	cases []*Case

	mu sync.Mutex
	// Guarded by mu.
	results   []*Result
	gone      bool
	dead      bool // gone, and not coming back
	lateAgain int  // repeats since one was not late
}

// TestServer runs cases against a server and returns a result for each, in the
// order of the cases. Once ctx is done, or if the server ends and does not come back, it
// returns the results so far.
func TestServer(ctx context.Context, t *Target, cases []*Case, opt *Options) []*Result {
	run := &serverRun{ctx: ctx, t: t, opt: opt, cases: cases, results: make([]*Result, len(cases))}
	begun := time.Now()
	run.phase(false, opt.parallel())
	run.phase(true, opt.heavyParallel())
	run.repeat(max(time.Since(begun), opt.scale(repeatTime)))
	return compact(run.results)
}

// compact leaves out the cases that an interrupted run did not reach.
func compact(results []*Result) []*Result {
	list := results[:0]
	for _, r := range results {
		if r != nil && !r.Skipped {
			list = append(list, r)
		}
	}
	return list
}

// phase plays the cases that are heavy, or those that are not, with a given number at
// once.
func (run *serverRun) phase(heavy bool, limit int) {
	var todo []int
	for i, c := range run.cases {
		if c.heavy == heavy {
			todo = append(todo, i)
		}
	}
	for len(todo) > 0 && run.ctx.Err() == nil && !run.dead {
		todo = run.play(todo, limit)
		if run.gone || run.ctx.Err() == nil && !run.alive() {
			todo = append(todo, run.recover()...)
		}
	}
}

// play plays cases until all are played or the server is gone, and returns those that
// have not begun.
func (run *serverRun) play(todo []int, limit int) []int {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, limit)
	for n, i := range todo {
		select {
		case slots <- struct{}{}:
		case <-run.ctx.Done():
			return todo[n:]
		}
		if run.isGone() {
			return todo[n:]
		}
		wg.Go(func() {
			defer func() { <-slots }()
			run.once(i)
		})
	}
	return nil
}

func (run *serverRun) isGone() bool {
	run.mu.Lock()
	defer run.mu.Unlock()
	return run.gone
}

// once plays a case, and keeps its result.
func (run *serverRun) once(i int) {
	r := testServer(run.ctx, run.t, run.cases[i], run.opt)
	if r == nil {
		return // its end was the tester's doing, not the server's
	}
	r.Index, r.ended = i+1, time.Now()
	run.mu.Lock()
	defer run.mu.Unlock()
	again := run.results[i] != nil
	run.results[i] = r
	if r.Unreachable || r.cut != "" {
		run.gone = true
	}
	if run.opt.Done != nil && !r.Skipped && !r.Unreachable && !again {
		run.opt.Done(r)
	}
}

// alive reports whether the server still accepts connections, and does not hang up at
// once because it is about to end.
func (run *serverRun) alive() bool {
	for range 2 {
		s := newSession(lookCase, true, run.opt)
		h, got, err := s.greet(run.ctx, run.t)
		if s.nc == nil {
			return run.ctx.Err() != nil
		}
		s.nc.Close()
		s.head.Wait()
		if h != nil || len(got) > 0 || errTime(err) {
			return true
		}
		time.Sleep(run.opt.scale(50 * time.Millisecond))
	}
	return true // it accepts connections, and ends them
}

// recover restarts the server, finds the case that ended it, and returns the cases that
// have not been played.
func (run *serverRun) recover() (todo []int) {
	suspects := run.suspects()
	how, back := run.restart()
	var names []string
	for i, r := range run.results {
		if r != nil && r.Unreachable {
			run.results[i] = nil
			todo = append(todo, i)
		}
	}
	for _, i := range suspects {
		names = append(names, run.cases[i].ID)
	}
	if !back {
		run.lose(names)
		return nil
	}
	found := false
	for _, i := range suspects {
		if run.ctx.Err() != nil {
			return todo
		}
		before := run.results[i]
		run.once(i)
		if run.gone || !run.alive() {
			found = true
			how, back = run.restart()
			run.blame(i, before, how)
			if !back {
				run.lose([]string{run.cases[i].ID})
				return nil
			}
		}
	}
	if !found {
		for _, i := range suspects {
			if r := run.results[i]; r != nil {
				r.Varies = fmt.Sprintf("the server ended%s, and one of these was under way: %s; alone, none of them ends it", how, strings.Join(names, ", "))
			}
		}
	}
	return todo
}

// suspects are the cases that were under way after the last sign of life, in the order in
// which they began.
func (run *serverRun) suspects() (list []int) {
	var alive time.Time
	for _, r := range run.results {
		if r != nil && r.alive.After(alive) {
			alive = r.alive
		}
	}
	for i, r := range run.results {
		if r != nil && !r.Unreachable && !r.Crashed && !r.Skipped && !r.ended.Before(alive) {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b int) int {
		return cmp.Compare(run.results[a].Started.UnixNano(), run.results[b].Started.UnixNano())
	})
	return list
}

// restart restarts the server, or waits for it.
func (run *serverRun) restart() (how string, back bool) {
	if run.opt.Restart != nil {
		how, err := run.opt.Restart(run.ctx)
		run.gone = err != nil
		return how, err == nil
	}
	nc, err := run.t.dialAgain(run.ctx, run.opt)
	if run.gone = err != nil; err == nil {
		nc.Close()
	}
	return "", err == nil
}

// blame gives the case that ended the server its verdict.
func (run *serverRun) blame(i int, before *Result, how string) {
	r := run.results[i]
	if r == nil || r.Unreachable {
		r = before
	}
	r.Behavior, r.Reason, r.Crashed, r.TimeAlone = Failed, "the server ended in this case"+how+r.cut, true, false
	run.results[i] = r
}

// lose ends a run whose server does not come back.
func (run *serverRun) lose(names []string) {
	run.dead = true
	if len(names) == 1 {
		for i, c := range run.cases {
			if c.ID == names[0] && run.results[i] != nil && !run.results[i].Crashed {
				run.blame(i, run.results[i], "")
			}
		}
	}
	if run.opt.Gone != nil {
		run.opt.Gone("the server has ended, and is not started again; one of these was under way: " + strings.Join(names, ", ") + "; --exec starts it again, and finds the one that ends it")
	}
}
