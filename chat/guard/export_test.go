package guard

// Counted returns how many users and networks are counted.
func (g *Guard) Counted() (users, networks int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.users), len(g.networks)
}
