package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
)

// minPublishKey is the minimum length of a key that cannot be guessed.
const minPublishKey = 16

// publishKey returns the key for POST /api/publish; "" if there is none.
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
		return "", fmt.Errorf("%s does not contain a key, which is one word of at least %d ASCII characters", source, minPublishKey)
	}
	return key, nil
}
