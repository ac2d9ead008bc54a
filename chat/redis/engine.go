package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// Engine is a connection to a Redis that other nodes may share.
type Engine struct {
	// Immutable.
	cfg      Config
	client   *bounded
	store    *store
	broker   *broker
	sessions *sessions
	bans     *bans
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	reborn   chan struct{}
	checkNow chan struct{}
	frozen   frozen

	begun bool // Open's, then getReadyLater's: what goes on in the background has begun

	mu      sync.Mutex
	problem error // Guarded by mu. Why Redis could not be used the last time.
}

// How often what is repeated is repeated.
const (
	controlEvery = time.Second
	startEvery   = time.Second
	sweepEvery   = time.Second
	sweepSome    = 8 // partitions a sweep
)

func newEngine(cfg Config, client, heart *bounded) *Engine {
	e := &Engine{cfg: cfg, client: client, reborn: make(chan struct{}, 1), checkNow: make(chan struct{}, 1)}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.store = newStore(cfg, client)
	e.broker = newBroker(&e.cfg, client, heart, e.store, e.store)
	e.store.owners = e.broker.listener.owners
	e.store.position, e.store.result = e.broker.position, e.broker.result
	e.store.appended, e.store.ring, e.store.renamed = e.broker.appended, e.broker.ringFor, e.broker.renamed
	e.store.enoughAgain = e.broker.enoughAgain
	e.sessions = newSessions(e.store, e.broker)
	e.sessions.ended = e.broker.end
	e.bans = newBans(e.store, e.broker, e.sessions)
	e.sessions.banned = func(userID string) bool {
		_, banned := e.bans.OfUser(userID)
		return banned
	}
	e.broker.keep = e.store.keepAll
	e.broker.bans = e.bans
	if !cfg.Inherit {
		e.broker.registry.self = e.sessions.self
	}
	e.broker.reborn = func() string {
		defer e.refreshSoon()
		return e.sessions.reborn()
	}
	return e
}

// Parts returns the engine in the form that a hub takes. Several hubs may use it at once.
func (e *Engine) Parts() chat.Engine {
	return chat.Engine{
		Log: e.store, Directory: directory{e.store, e.sessions}, Members: e.store, Broker: e.broker, Presence: presence{e.broker},
		Sessions: e.sessions, Bans: e.bans, Health: e, Takeover: takeover{e}, RefLifetime: e.cfg.RefLifetime,
	}
}

// begin begins what goes on in the background.
func (e *Engine) begin(ctx context.Context) error {
	if err := e.knowOwners(ctx); err != nil {
		return err
	}
	if err := e.check(ctx); err != nil && !errors.Is(err, errReplicas) && !errors.Is(err, errRewriting) && !(e.store.owners != nil && unreachable(err)) {
		return err
	}
	if err := e.broker.pulse(ctx); err != nil {
		return err
	}
	if err := e.listen(ctx); err != nil {
		return err
	}
	e.repeat()
	return nil
}

// knowOwners finds out which servers a cluster consists of, if it is one.
func (e *Engine) knowOwners(ctx context.Context) error {
	if owners := e.broker.listener.owners; owners != nil {
		return owners.refresh(ctx)
	}
	return nil
}

// listen begins to listen to what all nodes must hear.
func (e *Engine) listen(ctx context.Context) error {
	if err := e.broker.startControl(ctx); err != nil {
		return err
	}
	return e.broker.listener.acquire(ctx, e.broker.keys.controlChannel())
}

// repeat begins what is done from time to time.
func (e *Engine) repeat() {
	e.every(e.cfg.PresenceTTL/4, e.checkNow, e.check)
	e.every(e.cfg.PresenceTTL/4, e.bans.now, e.bans.check)
	e.often(e.cfg.beatEvery(), e.broker.beatNow, e.broker.heartbeat)
	e.every(controlEvery, e.broker.controlNow, e.broker.readControl)
	e.every(listEvery, nil, e.store.flushRooms)
	next := rand.IntN(Partitions)
	e.every(sweepEvery, nil, func(ctx context.Context) error {
		for range sweepSome {
			if e.broker.gate.isShut() {
				return nil
			}
			if err := errors.Join(e.store.sweep(ctx, next), e.sessions.sweep(ctx, next)); err != nil {
				return err
			}
			next = (next + 1) % Partitions
		}
		return nil
	})
	e.often(e.refreshEvery(), e.reborn, e.refresh)
}

// refreshEvery is how often to say that sessions are in use.
func (e *Engine) refreshEvery() time.Duration { return e.cfg.SessionLife / 3 }

// every calls f from time to time, and when now says so, whenever the gate is open. Each call has a limit.
func (e *Engine) every(d time.Duration, now <-chan struct{}, f func(context.Context) error) {
	e.often(d, now, func(ctx context.Context) error {
		if err := e.broker.gate.enter(ctx); err != nil {
			return err
		}
		defer e.broker.gate.leave()
		ctx, cancel := context.WithTimeout(ctx, e.cfg.Timeout)
		defer cancel()
		return f(ctx)
	})
}

// often calls f from time to time, and when now says so, until the engine is closed. What f could not do is done the
// next time; Healthy says whether Redis is well.
func (e *Engine) often(d time.Duration, now <-chan struct{}, f func(context.Context) error) {
	e.wg.Go(func() {
		t := time.NewTicker(d)
		defer t.Stop()
		for {
			select {
			case <-e.ctx.Done():
				return
			case <-t.C:
			case <-now:
			}
			f(e.ctx)
		}
	})
}

// check finds out how Redis is.
func (e *Engine) check(ctx context.Context) (err error) {
	defer func() {
		if e.ctx.Err() == nil {
			e.note(err)
		}
	}()
	e.store.forgetHints(false)
	before := e.store.knownEpoch()
	after, err := e.store.readEpoch(ctx)
	if err != nil {
		return err
	}
	if before != "" && before != after {
		e.cfg.Log.Warn("chat/redis: Redis has lost its data, or has others", "epoch", after, "before", before)
		e.store.forgetHints(true)
		e.broker.gap(time.Now())
		e.refreshSoon() // there may be sessions without a user
	}
	if err := e.tellTime(ctx); err != nil {
		return err
	}
	return errors.Join(e.store.checkDurability(ctx), e.bans.healthy())
}

// tellTime reads Redis's time.
func (e *Engine) tellTime(ctx context.Context) error {
	ms, err := e.store.redisTime(ctx)
	if err == nil {
		e.store.tellTime(ms)
	}
	return err
}

// refreshSoon has the sessions refreshed before their time.
func (e *Engine) refreshSoon() {
	e.sessions.refreshDue()
	select {
	case e.reborn <- struct{}{}:
	default:
	}
}

// refresh says that the sessions of connections here are in use. Those that have ended although
// nobody has told are ended here, too.
func (e *Engine) refresh(ctx context.Context) error {
	return e.sessions.refresh(ctx, func(id, userID string) {
		for _, n := range e.broker.all() {
			n.ended(userID, id, chat.LoggedOut)
		}
	})
}

// note takes note of whether Redis can be used, and logs when that changes.
func (e *Engine) note(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err != nil && e.problem == nil:
		e.cfg.Log.Error("chat/redis: Redis cannot be used", "error", err)
	case err == nil && e.problem != nil:
		e.cfg.Log.Info("chat/redis: Redis can be used again")
	}
	e.problem = err
}

// Healthy implements chat.Health.
func (e *Engine) Healthy() error {
	e.mu.Lock()
	problem := e.problem
	e.mu.Unlock()
	problem = cmp.Or(problem, e.broker.beating())
	if problem == nil && !e.store.ready.Load() {
		problem = errNotReady
	}
	if problem != nil {
		return fmt.Errorf("chat/redis: Redis cannot be used: %w", problem)
	}
	return e.broker.listener.healthy()
}

// Close implements chat.Health. The nodes have been detached. What belongs to another process is left alone.
func (e *Engine) Close(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Timeout)
	defer cancel()
	if e.broker.gate.isShut() {
		e.broker.cancel()
	}
	e.sessions.close(ctx)
	if !e.broker.gate.isShut() {
		err = e.store.flushRooms(ctx)
	}
	e.broker.unregister(ctx, e.sessions.process())
	e.cancel()
	e.wg.Wait()
	e.broker.close()
	e.client.Close()
	e.broker.heart.Close()
	return err
}
