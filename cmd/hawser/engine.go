package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/auth"
	"github.com/hawser-ws/hawser/chat/bolt"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
)

// engine is what the chat keeps its messages in, and the key of its users' tokens.
type engine struct {
	chat.Engine
	tokens *auth.Tokens
	where  string             // for people
	store  *bolt.Store        // nil: the engine is a Redis
	broken func() error       // says why the store is closed for writing; nil as above
	usage  chat.UsageExchange // tells other nodes what was used of the limits; nil: there are none
}

// openEngine opens the engine that is configured: Redis, or the store in the data folder. With inherit, it is another
// process's still: see engine.inherit.
func openEngine(cfg config.Config, inherit bool, log *slog.Logger) (*engine, error) {
	if cfg.Redis.On() {
		return openRedis(cfg, inherit, log)
	}
	store, tokens, err := openData(cfg.Data, bolt.Options{Log: log, SessionLife: cfg.Chat.SessionLifetime, Inherit: inherit})
	if err != nil {
		return nil, err
	}
	return &engine{Engine: store.Parts(), tokens: tokens, where: "data in " + cfg.Data, store: store, broken: store.Broken}, nil
}

// abandon closes the engine of a server that could not start because of err.
func (e *engine) abandon(err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return errors.Join(err, e.Health.Close(ctx))
}

// status returns what /readyz says of the engine, and nil if it does all that it should. The
// words are for strangers, the error is for the log.
func (e *engine) status() (words string, err error) {
	err = e.Health.Healthy()
	switch {
	case err == nil:
		return "ready", nil
	case e.broken == nil:
		return "the store does not work", err
	case e.broken() != nil:
		return "the store is closed for writing", err
	}
	return "the disk is full", err
}

// errInRedis is the error of a command on a data folder, where there is none.
func errInRedis(command string) error {
	what := "the users and messages are in Redis"
	switch command {
	case "backup", "restore":
		what += ", which is backed up and restored with its own means"
	case "upgrade":
		return fmt.Errorf("%s: %s, so there is no data folder by which the command finds the server: send SIGUSR2 to its process instead (kill -USR2 PID)", command, what)
	case "check":
		what += ", and no folder has data to check"
	case "new-key":
		return fmt.Errorf("%s: %s, and the key for their tokens is in token_key_file: \"hawser new-key FILE\" makes one", command, what)
	}
	return fmt.Errorf("%s: %s (redis or redis_file is set). If a folder is meant, name it with --data", command, what)
}
