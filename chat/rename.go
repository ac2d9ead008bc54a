package chat

// Rename tells a hub that a user has another name, after the store has it. What the
// user says from now on carries the new name, and so does every list of who is there.
// Those who watch a room in which the user is are told at once; anybody else sees the
// name with the user's next message.
func (h *Hub) Rename(u User) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.renames.Add(1)
	o := h.online[u.ID]
	if o == nil {
		return
	}
	before := o.profile.Swap(&u)
	for r := range o.rooms {
		h.tellWatchers(r, "renamed", before.Name+" is now called "+u.Name, &u)
	}
}
