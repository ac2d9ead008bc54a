package run

import (
	"context"
	"errors"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/terminal"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/drive"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/worker"
)

// connect makes the connections, in two stages if their memory is measured.
func (r *running) connect(ctx context.Context) error {
	if r.o.Plan.Scenario == load.Connect {
		return nil
	}
	r.began = time.Now()
	r.phase = Connecting
	idle := r.o.Plan.Scenario == load.Idle
	ramp := &r.res.Ramp.Tally
	var sixth samples
	var sixthReady int
	stage := load.All
	if idle && r.o.Plan.HasRooms() {
		stage = load.Apart
	}
	if idle && r.o.Plan.Conns >= 6 {
		if err := r.connectPart(ctx, 1, 6, stage); err != nil {
			return err
		}
		if err := r.hold(ctx); err != nil {
			return err
		}
		var err error
		if sixth, err = r.sample(ctx, ramp); err != nil {
			return err
		}
		sixthReady = r.ready
	}
	if err := r.connectPart(ctx, 1, 1, stage); err != nil {
		return err
	}
	r.res.Ramp.Seconds = time.Since(r.began).Seconds()
	now, err := r.sample(ctx, ramp)
	if err != nil {
		return err
	}
	if now.server != nil && r.ready > 0 {
		r.res.Ramp.ServerCPU = (now.server.CPU - r.before.server.CPU) / time.Duration(r.ready)
	}
	if r.ready == 0 {
		return r.target(r.nobody(ctx))
	}
	if idle {
		if err := r.hold(ctx); err != nil {
			return err
		}
		if now, err = r.sample(ctx, ramp); err != nil {
			return err
		}
		r.weigh(sixth, sixthReady, now)
	}
	if stage == load.Apart {
		return r.join(ctx, now)
	}
	return nil
}

// join has the connections join their rooms, and weighs that.
func (r *running) join(ctx context.Context, apart samples) error {
	if err := r.connectPart(ctx, 1, 1, load.All); err != nil {
		return err
	}
	if err := r.hold(ctx); err != nil {
		return err
	}
	joined, err := r.sample(ctx, &r.res.Ramp.Tally)
	if err == nil && joined.server != nil && r.ready > 0 {
		r.res.Idle.Joins = float64(joined.server.RSS-apart.server.RSS) / float64(r.ready)
	}
	return err
}

// logins logs every member in, which is measured. The accounts of returning members are
// made before.
func (r *running) logins(ctx context.Context) error {
	p := &r.o.Plan
	r.began, r.phase = time.Now(), Connecting
	if p.Returning {
		if err := r.connectPart(ctx, 1, 1, load.Known); err != nil {
			return err
		}
	}
	s, err := r.sample(ctx, &r.res.Ramp.Tally)
	if err != nil {
		return err
	}
	r.start, r.last, r.from, r.phase = s, s, s.at, Measuring
	done := r.bring(ctx, 1, 1, load.All)
	tick := time.NewTicker(r.o.Interval)
	defer tick.Stop()
	for {
		select {
		case err = <-done:
			done = nil
		case <-tick.C:
		}
		if err != nil {
			return r.target(err)
		}
		v, err := r.interval(ctx, r.from)
		if err != nil {
			return err
		}
		r.o.notify(Progress{Phase: Connecting, Ready: r.ready, Of: p.Members(), Interval: v, SoFar: r.res})
		switch {
		case done != nil:
		case r.ready == 0:
			return r.target(r.nobody(ctx))
		default:
			return nil
		}
	}
}

// atOnce is how many connections a worker may bring to a stage at a time; 0: as it likes.
func (r *running) atOnce(worker int, to load.Stage) int {
	p := &r.o.Plan
	switch {
	case to != load.All:
		return 0
	case p.AtOnce == 0 && p.Scenario == load.Idle && p.HasRooms():
		return p.Conns
	case p.AtOnce == 0:
		return 0
	}
	k := len(r.shares) // they share it
	return max(1, p.AtOnce*(worker+1)/k-p.AtOnce*worker/k)
}

// bring has every worker bring part/of of its connections to a stage. How that went is
// sent on the channel.
func (r *running) bring(ctx context.Context, part, of int, to load.Stage) <-chan error {
	done := make(chan error, 1)
	go func() {
		done <- r.each(func(i int, w worker.Worker) error {
			n := (r.shares[i].To - r.shares[i].From) * part / of
			return w.Connect(ctx, drive.Ramp{Conns: n, AtOnce: r.atOnce(i, to), To: to})
		})
	}()
	return done
}

// connectPart is bring, and waits until it is done.
func (r *running) connectPart(ctx context.Context, part, of int, to load.Stage) error {
	done := r.bring(ctx, part, of, to)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return r.target(err)
		case <-tick.C:
			if _, err := r.sample(ctx, &r.res.Ramp.Tally); err != nil {
				return err
			}
			r.o.notify(Progress{Phase: Connecting, Ready: r.ready, Of: r.o.Plan.Members()})
		}
	}
}

func (r *running) hold(ctx context.Context) error {
	r.o.notify(Progress{Phase: Holding, Ready: r.ready, Of: r.o.Plan.Members(), Total: r.o.Hold})
	select {
	case <-time.After(r.o.Hold):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// nobody explains why no connection was made.
func (r *running) nobody(ctx context.Context) error {
	text := "none of the connections came about"
	r.each(func(i int, w worker.Worker) error {
		f, err := w.Finish(ctx, worker.Ending{})
		for reason := range f.Ends {
			text += "\n  " + terminal.Escape(reason)
		}
		return err
	})
	return errors.New(text)
}
