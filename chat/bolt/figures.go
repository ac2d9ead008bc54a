package bolt

import "github.com/hawser-ws/hawser/chat"

// figures are what a store measures of itself, in addition to its other
// counters.
type figures struct {
	transactions *chat.Histogram // of how many messages and other changes each stored
	syncs        *chat.Histogram // of the seconds that their writing and syncing took
	checkpoints  *chat.Histogram // of the seconds of a piece
}

func newFigures() figures {
	return figures{
		transactions: chat.NewHistogram(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
		syncs:        chat.NewHistogram(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3),
		checkpoints:  chat.NewHistogram(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3),
	}
}

// stored notes that a transaction has stored the data of some jobs.
func (f *figures) stored(jobs []*job, w *writer) {
	n := 0
	for _, j := range jobs {
		n += len(j.entries)
		if j.change != nil {
			n++
		}
	}
	stats := w.tx.Stats()
	f.transactions.Observe(float64(n))
	f.syncs.Observe(stats.GetWriteTime().Seconds())
}

// Figures implements chat.Measured.
func (s *Store) Figures() []chat.Figure {
	s.mu.RLock()
	changes := s.changes
	s.mu.RUnlock()
	return []chat.Figure{
		{Name: "damaged_records_total", Help: "Damaged records that were found.", Kind: chat.Counter, Value: float64(s.Damaged())},
		{Name: "unindexed_changes", Help: "Changes since the last checkpoint, which are read when the file is opened.", Kind: chat.Gauge, Value: float64(changes)},
		{Name: "checkpoint_seconds", Help: "Time that the pieces of checkpoints took. Nothing else is stored during one.", Kind: chat.Distribution, Histogram: s.figures.checkpoints.Data()},
		{Name: "transaction_entries", Help: "Messages, users and bans that one transaction stored.", Kind: chat.Distribution, Histogram: s.figures.transactions.Data()},
		{Name: "sync_seconds", Help: "Time that it took to write a transaction to disk, the sync included.", Kind: chat.Distribution, Histogram: s.figures.syncs.Data()},
	}
}
