package local

import (
	"context"
	"sync"

	"github.com/hawser-ws/hawser/chat"
)

// Sessions is a chat.Sessions of one process.
type Sessions struct {
	mu   sync.Mutex
	open map[string]chat.SessionRecord // Guarded by mu.
}

// Begin implements chat.Sessions.
func (s *Sessions) Begin(_ context.Context, r chat.SessionRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[string]chat.SessionRecord)
	}
	s.open[r.ID] = r
	return nil
}

// End implements chat.Sessions.
func (s *Sessions) End(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, id)
}

// Bans is a chat.Bans of one process.
type Bans struct {
	mu      sync.Mutex
	reasons map[string]string // Guarded by mu. By user id.
}

// Ban bans a user from now on, for a reason that is not empty.
func (b *Bans) Ban(userID, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reasons == nil {
		b.reasons = make(map[string]string)
	}
	b.reasons[userID] = reason
}

// Banned implements chat.Bans.
func (b *Bans) Banned(_ context.Context, userID string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reasons[userID], nil
}
