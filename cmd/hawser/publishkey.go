package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
)

// minPublishKey is the length of a key that is not guessed.
const minPublishKey = 16

// publishKey is the key for POST /api/publish; "" if there is none.
func publishKey(cfg config.Config) (string, error) {
	key, source := cfg.PublishKey, "the variable HAWSER_PUBLISH_KEY"
	if cfg.PublishKeyFile != "" {
		b, err := os.ReadFile(cfg.PublishKeyFile)
		if err != nil {
			return "", fmt.Errorf("publish_key_file: %w", err)
		}
		key, source = strings.TrimSpace(string(b)), cfg.PublishKeyFile
	} else if key == "" {
		return "", nil
	}
	if len(key) < minPublishKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s holds no key: that is one word of %d ASCII characters or more", source, minPublishKey)
	}
	return key, nil
}
