package bolt

import (
	"log/slog"
	"sync"

	"github.com/hawser-ws/hawser/chat"
)

// damage is the damage found since the file was opened.
type damage struct {
	log  *slog.Logger
	path string

	mu sync.Mutex
	// Guarded by mu.
	known map[damagedRecord]bool
	count uint64
}

type damagedRecord struct {
	conversation chat.Conversation
	number       uint64
}

// maxKnown is how many damaged records are remembered, so that each is reported once.
const maxKnown = 100_000

// note counts a damaged record, and logs it once: a message of a conversation or, with
// number 0, another record that concerns it.
func (d *damage) note(c chat.Conversation, number uint64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := damagedRecord{c, number}
	if d.known[r] || len(d.known) == maxKnown {
		return
	}
	d.known[r] = true
	d.count++
	attrs := []any{"conversation", string(c), "file", d.path, "error", err}
	if number != 0 {
		attrs = append(attrs, "number", number)
	}
	d.log.Error("a record is damaged: \"hawser check\" lists all that are", attrs...)
}

// Damaged is how many damaged records were found since the file was opened.
func (s *Store) Damaged() uint64 {
	s.damage.mu.Lock()
	defer s.damage.mu.Unlock()
	return s.damage.count
}
