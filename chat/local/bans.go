package local

import (
	"context"
	"maps"
	"sync"

	"github.com/hawser-ws/hawser/chat"
)

// Bans is a chat.Bans of one process, in memory.
type Bans struct {
	sessions *Sessions // of which those of a banned user end

	mu      sync.Mutex
	reasons map[string]string // Guarded by mu. By user id.
}

// NewBans returns Bans of the users in saved, with their reasons, which end sessions.
func NewBans(sessions *Sessions, saved map[string]string) *Bans {
	b := &Bans{sessions: sessions, reasons: make(map[string]string)}
	maps.Copy(b.reasons, saved)
	return b
}

// Ban implements chat.Bans.
func (b *Bans) Ban(ctx context.Context, userID, reason string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.Apply(userID, reason)
	return nil
}

// Apply bans a user as Ban does. An engine that stores bans calls it when one is stored. It
// does not block.
func (b *Bans) Apply(userID, reason string) {
	b.mu.Lock()
	if reason == "" {
		delete(b.reasons, userID)
	} else {
		b.reasons[userID] = reason
	}
	b.mu.Unlock()
	if reason != "" {
		b.sessions.end(userID, "", chat.UserBanned)
	}
}

// Banned implements chat.Bans.
func (b *Bans) Banned(ctx context.Context, userID string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reasons[userID], ctx.Err()
}
