package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// standing is what is known of a primary. The others may be well while one is not.
type standing struct {
	few    time.Time // since when it has fewer replicas than Config.Ack asks for; zero: it has enough
	unsafe error     // why it does not keep what is stored as Config.Ack says; nil: it does, as far as is known
	sure   string    // the run of the server whose file has everything; "": none is known
}

// standingOf is what is known of the server with this address. Called with mu held.
func (s *store) standingOf(address string) *standing {
	one := s.standings[address]
	if one == nil {
		one = new(standing)
		s.standings[address] = one
	}
	return one
}

// checkDurability verifies that every primary can keep what Config.Ack promises. A server to which
// another one fails over may have other settings, so this is repeated. What is wrong at all of the
// servers is in the error, but nothing that will pass by itself where something else is wrong.
func (s *store) checkDurability(ctx context.Context) error {
	if s.cfg.Ack == (Ack{}) {
		return nil
	}
	servers := map[string]rueidis.Client{"": s.client.Client}
	if s.owners != nil {
		servers = s.client.Nodes()
		maps.DeleteFunc(servers, func(address string, _ rueidis.Client) bool { return !s.owners.has(address) }) // replicas
		s.mu.Lock()
		maps.DeleteFunc(s.standings, func(address string, _ *standing) bool { return servers[address] == nil })
		s.mu.Unlock()
	}
	addresses := slices.Sorted(maps.Keys(servers))
	errs := make([]error, len(addresses))
	var all sync.WaitGroup
	for i, address := range addresses {
		all.Go(func() {
			if errs[i] = s.checkServer(ctx, address, servers[address]); errs[i] != nil && address != "" {
				errs[i] = fmt.Errorf("%s: %w", address, errs[i])
			}
		})
	}
	all.Wait()
	if lasting := slices.DeleteFunc(slices.Clone(errs), func(err error) bool {
		return err == nil || errors.Is(err, errReplicas) || errors.Is(err, errRewriting)
	}); len(lasting) > 0 {
		errs = lasting
	}
	return errors.Join(errs...)
}

// checkServer verifies what one server can keep. If it does not answer, what was known of it stays.
func (s *store) checkServer(ctx context.Context, address string, server rueidis.Client) error {
	if s.cfg.Ack.Disk {
		if err := s.checkDisk(ctx, address, server); err != nil {
			return err
		}
	}
	if s.cfg.Ack.Replicas == 0 {
		return nil
	}
	info, err := server.Do(ctx, server.B().Info().Section("replication").Build()).ToString()
	if err != nil {
		return err
	}
	if n, _ := strconv.Atoi(infoField(info, "connected_slaves")); n < s.cfg.Ack.Replicas {
		s.setFew(address, true)
		return fmt.Errorf("%w: messages must be at %d replicas, and %d are connected", errReplicas, s.cfg.Ack.Replicas, n)
	}
	return s.askReplicas(ctx, address, server)
}

// askReplicas finds out whether there are enough replicas again. That they are connected does not
// say that they go on.
func (s *store) askReplicas(ctx context.Context, address string, server rueidis.Client) error {
	s.mu.Lock()
	few := !s.standingOf(address).few.IsZero()
	s.mu.Unlock()
	if !few {
		return nil
	}
	p := 0
	if s.owners != nil {
		if p = s.owners.partitionAt(address); p < 0 {
			return nil
		}
	}
	conn, release, err := s.client.dedicate(ctx, server)
	if err != nil {
		return err
	}
	defer release()
	if err := s.waitForReplicas(ctx, conn, address, s.keys.tails(p), s.longWait()); err != nil {
		return fmt.Errorf("%w: %w", errReplicas, err)
	}
	return nil
}

// errReplicas is no reason to refuse messages: replicas come and go, and WAIT counts them.
var errReplicas = errors.New("too few replicas")

// errDisk is a reason to refuse messages.
var errDisk = errors.New("messages must be on disk")

// errRewriting says that the server's file may not be used yet: if it was switched on just now, or
// after a replica was filled anew, nothing that is stored is in the file before it is written.
var errRewriting = fmt.Errorf("%w, and the server is writing its file anew", errDisk)

// checkDisk finds out whether what a server stores is on its disk.
func (s *store) checkDisk(ctx context.Context, address string, server rueidis.Client) error {
	run, err := s.diskOf(ctx, address, server)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch one := s.standingOf(address); {
	case err == nil:
		one.unsafe, one.sure = nil, run
	case errors.Is(err, errDisk):
		one.unsafe, one.sure = err, ""
	}
	return err
}

// diskOf returns the run of a server that keeps on disk what it stores.
func (s *store) diskOf(ctx context.Context, address string, server rueidis.Client) (run string, err error) {
	if !s.waitaof {
		if err := checkSettings(ctx, server); err != nil {
			return "", err
		}
	}
	// Asked after the settings: if the file was switched on in between, this shows that it is being
	// written.
	info, err := server.Do(ctx, server.B().Info().Section("persistence", "server").Build()).ToString()
	if err != nil {
		return "", err
	}
	run = infoField(info, "run_id")
	if s.waitaof {
		if infoField(info, "aof_enabled") != "1" {
			return run, fmt.Errorf("%w, and the server keeps none: set appendonly to yes", errDisk)
		}
		return run, nil
	}
	s.mu.Lock()
	sure := s.standingOf(address).sure
	s.mu.Unlock()
	if rewriting := infoField(info, "aof_rewrite_in_progress") == "1" || infoField(info, "aof_rewrite_scheduled") == "1"; rewriting && sure != run {
		return run, errRewriting // otherwise it does so now and then, and the old file is used meanwhile
	}
	return run, nil
}

// checkSettings verifies the settings of a server that cannot say when something is on its disk.
func checkSettings(ctx context.Context, server rueidis.Client) error {
	settings, err := server.Do(ctx, server.B().ConfigGet().Parameter("append*", "no-appendfsync-on-rewrite").Build()).AsStrMap()
	if _, ok := rueidis.IsRedisErr(err); ok {
		return fmt.Errorf("%w, and the server does not say whether they are (CONFIG GET): %w", errDisk, err)
	} else if err != nil {
		return err
	}
	if settings["appendonly"] != "yes" || settings["appendfsync"] != "always" {
		return fmt.Errorf("%w, and the server has appendonly %s and appendfsync %s: before Redis 7.2 that takes yes and always",
			errDisk, settings["appendonly"], settings["appendfsync"])
	}
	if settings["no-appendfsync-on-rewrite"] == "yes" {
		return fmt.Errorf("%w, and the server has no-appendfsync-on-rewrite yes: before Redis 7.2 that takes no", errDisk)
	}
	return nil
}
