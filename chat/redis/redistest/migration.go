//go:build unix

package redistest

import "slices"

// Migration is a slot that moves from one master to another. While it does, the old master
// answers ASK for the keys that have moved, and for new ones.
type Migration struct {
	c        *Cluster
	slot     int
	from, to *Server
}

// Migrate moves the slots first to last, with their keys, to a master, one slot after the other,
// while clients use them. Slots that the master has already stay.
func (c *Cluster) Migrate(first, last int, to *Server) {
	c.t.Helper()
	for slot := first; slot <= last; slot++ {
		if c.Owner(slot) == to {
			continue
		}
		m := c.BeginMigration(slot, to)
		for m.MoveKeys(100) > 0 {
		}
		m.Finish()
	}
}

// BeginMigration begins to move a slot to another master.
func (c *Cluster) BeginMigration(slot int, to *Server) *Migration {
	c.t.Helper()
	m := &Migration{c: c, slot: slot, from: c.Owner(slot), to: to}
	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", c.ids[m.from])
	m.from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", c.ids[to])
	return m
}

// MoveKeys moves at most n keys, and returns how many it moved. With 0, there are none left.
func (m *Migration) MoveKeys(n int) int {
	m.c.t.Helper()
	keys := m.from.Do("CLUSTER", "GETKEYSINSLOT", m.slot, n).([]any)
	if len(keys) == 0 {
		return 0
	}
	command := []any{"MIGRATE", "127.0.0.1", m.to.Port, "", 0, int(patience.Milliseconds())}
	if m.to.password != "" {
		command = append(command, "AUTH", m.to.password)
	}
	m.from.Do(slices.Concat(command, []any{"KEYS"}, keys)...)
	return len(keys)
}

// Finish gives the slot to its new master. All its keys must have been moved.
func (m *Migration) Finish() {
	m.c.t.Helper()
	// The new owner is told first: nobody may be without an owner if this process ends.
	for _, s := range append([]*Server{m.to, m.from}, m.c.Masters()...) {
		s.Do("CLUSTER", "SETSLOT", m.slot, "NODE", m.c.ids[m.to])
	}
}
