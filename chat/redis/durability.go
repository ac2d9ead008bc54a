package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"
)

// checkDurability verifies that every primary can keep what Config.Ack promises. A server to which
// another one fails over may have other settings, so this is repeated.
func (s *store) checkDurability(ctx context.Context) error {
	if s.cfg.Ack == (Ack{}) {
		return nil
	}
	servers := map[string]rueidis.Client{"": s.client.Client}
	if s.owners != nil {
		servers = s.client.Nodes()
	}
	for address, server := range servers {
		if s.owners != nil && !s.owners.has(address) {
			continue // a replica
		}
		if err := s.checkServer(ctx, server); err != nil {
			if address != "" {
				return fmt.Errorf("%s: %w", address, err)
			}
			return err
		}
	}
	return nil
}

func (s *store) checkServer(ctx context.Context, server rueidis.Client) error {
	if s.cfg.Ack.Disk {
		if err := s.checkDisk(ctx, server); err != nil {
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
		return fmt.Errorf("%w: messages must be at %d replicas, and %d are connected", errReplicas, s.cfg.Ack.Replicas, n)
	}
	return nil
}

// errReplicas is no reason to refuse messages: replicas come and go, and WAIT counts them.
var errReplicas = errors.New("too few replicas")

// errRewriting says that the server's file may not be used yet: if it was switched on just now, or
// after a replica was filled anew, nothing that is stored is in the file before it is written.
var errRewriting = errors.New("messages must be on disk, and the server is writing its file anew")

func (s *store) checkDisk(ctx context.Context, server rueidis.Client) error {
	if s.waitaof {
		info, err := persistence(ctx, server)
		if err != nil {
			return err
		}
		if infoField(info, "aof_enabled") != "1" {
			return errors.New("messages must be on disk, and the server keeps none: set appendonly to yes")
		}
		return nil
	}
	settings, err := server.Do(ctx, server.B().ConfigGet().Parameter("append*").Build()).AsStrMap()
	if _, ok := rueidis.IsRedisErr(err); ok {
		return fmt.Errorf("messages must be on disk, and the server does not say whether they are (CONFIG GET): %w", err)
	} else if err != nil {
		return err
	}
	if settings["appendonly"] != "yes" || settings["appendfsync"] != "always" {
		return fmt.Errorf("messages must be on disk, and the server has appendonly %s and appendfsync %s: before Redis 7.2 that takes yes and always",
			settings["appendonly"], settings["appendfsync"])
	}
	// Asked after the settings: if the file was switched on in between, this shows that it is being
	// written.
	info, err := persistence(ctx, server)
	if err != nil {
		return err
	}
	s.mu.Lock()
	safe := s.safe
	s.mu.Unlock()
	if rewriting := infoField(info, "aof_rewrite_in_progress") == "1" || infoField(info, "aof_rewrite_scheduled") == "1"; rewriting && !safe {
		return errRewriting // otherwise it does so now and then, and the old file is used meanwhile
	}
	return nil
}

func persistence(ctx context.Context, server rueidis.Client) (info string, err error) {
	return server.Do(ctx, server.B().Info().Section("persistence").Build()).ToString()
}
