package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/hawser-ws/hawser/chat/auth"
	"github.com/hawser-ws/hawser/chat/redis"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
)

// openRedis opens the Redis that the nodes share, and the key that they have in common.
func openRedis(cfg config.Config, inherit bool, log *slog.Logger) (*engine, error) {
	url, err := redisURL(cfg.Redis)
	if err != nil {
		return nil, err
	}
	rc, err := redisConfig(cfg, url, log)
	if err != nil {
		return nil, err
	}
	rc.Inherit = inherit
	tokens, err := auth.LoadFile(cfg.TokenKeyFile, nil)
	if err != nil {
		return nil, fmt.Errorf("token_key_file: %w; \"hawser new-key FILE\" makes a key, of which every node needs a copy", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTime)
	defer cancel()
	shared, err := redis.Open(ctx, rc)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	e := &engine{Engine: shared.Parts(), tokens: tokens, where: "users and messages in " + url.String(), usage: shared.Usage()}
	if err := checkKey(ctx, shared, tokens, cfg); err != nil {
		return nil, e.abandon(err)
	}
	return e, nil
}

// checkKey verifies that the key is that of the nodes that were here before.
func checkKey(ctx context.Context, shared *redis.Engine, tokens *auth.Tokens, cfg config.Config) error {
	id, err := shared.KeyID(ctx, tokens.KeyID())
	if err != nil {
		return err
	}
	if id != tokens.KeyID() {
		return fmt.Errorf("token_key_file: %s has another key (fingerprint %s) than the nodes that use this Redis with redis_prefix %q (fingerprint %s), so the users would be strangers here. Copy the file of another node, or choose another redis_prefix for another chat",
			cfg.TokenKeyFile, tokens.KeyID(), cfg.Redis.Prefix, id)
	}
	return nil
}

// redisURL returns the URL from the settings, or from the file that they name.
func redisURL(r config.Redis) (config.RedisURL, error) {
	if r.URLFile == "" {
		return r.URL, nil
	}
	b, err := os.ReadFile(r.URLFile)
	if err != nil {
		return config.RedisURL{}, fmt.Errorf("redis_file: %w", err)
	}
	url, err := config.ParseRedisURL(strings.TrimSpace(string(b)))
	if err != nil {
		return url, fmt.Errorf("redis_file: %s does not contain the URL of a Redis: %w", r.URLFile, err)
	}
	if (r.CA != "" || r.Cert != "") && !url.TLS {
		return url, fmt.Errorf("redis_ca, redis_cert: they are for TLS, and the URL in %s does not begin with rediss://", r.URLFile)
	}
	return url, nil
}

func redisConfig(cfg config.Config, url config.RedisURL, log *slog.Logger) (redis.Config, error) {
	r := cfg.Redis
	rc := redis.Config{
		Addresses:        url.Addresses,
		Username:         url.Username,
		Password:         url.Password,
		SentinelUsername: url.SentinelUsername,
		SentinelPassword: url.SentinelPassword,
		Master:           url.Master,
		Database:         url.Database,
		Prefix:           r.Prefix,
		Ack:              redis.Ack{Disk: r.Ack.Disk, Replicas: r.Ack.Replicas},
		RefLifetime:      r.RefLifetime,
		Messages:         r.History,
		Age:              r.HistoryAge,
		PresenceTTL:      r.PresenceTTL,
		SessionLife:      cfg.Chat.SessionLifetime,
		Log:              log,
	}
	if r.HistoryAge == 0 {
		rc.Age = -1 // no limit
	}
	var err error
	if url.TLS {
		rc.TLS, err = redisTLS(r)
	}
	return rc, err
}

func redisTLS(r config.Redis) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if r.CA != "" {
		b, err := os.ReadFile(r.CA)
		if err != nil {
			return nil, fmt.Errorf("redis_ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("redis_ca: %s contains no certificate in PEM", r.CA)
		}
	}
	if r.Cert != "" {
		pair, err := tls.LoadX509KeyPair(r.Cert, r.Key)
		if err != nil {
			return nil, errors.Join(errors.New("redis_cert, redis_key: they cannot be used"), err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
