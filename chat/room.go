package chat

// room is a room that somebody is in. Guarded by Hub.mu, and changed by the
// committer only.
type room struct {
	name     string
	seq      uint64             // of the last message
	members  Fanout             // every session in the room
	watchers Fanout             // those of them with the feature presence; nil until there is one
	users    map[string]*member // by user id
}

// member is a user in a room.
type member struct {
	user     *onlineUser
	sessions int // of the user that are in the room
}

// enterRoom puts a session into a room whose last message is seq, unless it is there
// already. The answer, if any, comes before everything that it hears as a member.
// Called with mu held.
func (h *Hub) enterRoom(s *Session, name string, seq uint64, answer []byte) *room {
	r := h.rooms[name]
	if r == nil {
		r = &room{name: name, seq: seq, members: h.cfg.NewFanout(), users: make(map[string]*member)}
		h.rooms[name] = r
		if seq == 0 {
			h.unused.Set(name, r)
		}
	}
	if answer != nil {
		s.answer(answer)
	}
	if s.rooms[name] != nil {
		return r
	}
	if s.rooms == nil {
		s.rooms = make(map[string]*room)
	}
	s.rooms[name] = r
	r.members.Join(s.peer)
	if s.features&featurePresence != 0 {
		if r.watchers == nil {
			r.watchers = h.cfg.NewFanout()
		}
		r.watchers.Join(s.peer)
	}
	m := r.users[s.user.ID]
	if m == nil {
		m = &member{user: s.user}
		r.users[s.user.ID] = m
		if s.user.rooms == nil {
			s.user.rooms = make(map[*room]struct{})
		}
		s.user.rooms[r] = struct{}{}
		h.announce(r, "joined", m.user.profile.Load())
	}
	m.sessions++
	return r
}

// leaveRoom takes a session out of a room that it is in. Called with mu held.
func (h *Hub) leaveRoom(s *Session, r *room) {
	delete(s.rooms, r.name)
	r.members.Leave(s.peer)
	if s.features&featurePresence != 0 {
		r.watchers.Leave(s.peer)
	}
	m := r.users[s.user.ID]
	m.sessions--
	if m.sessions > 0 {
		return
	}
	delete(r.users, s.user.ID)
	delete(s.user.rooms, r)
	if len(r.users) == 0 {
		h.emptied = append(h.emptied, r)
		return
	}
	h.announce(r, "left", m.user.profile.Load())
}

// dropEmptyRooms forgets the rooms that a batch has emptied. Not sooner: operations
// of the same batch may count on a room that was there when it began.
func (h *Hub) dropEmptyRooms() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.emptied {
		if len(r.users) == 0 && h.rooms[r.name] == r {
			delete(h.rooms, r.name)
			h.unused.Delete(r.name)
		}
	}
	h.emptied = nil
}

// announce tells a room's watchers that a user joined or left. Called with mu held.
func (h *Hub) announce(r *room, event string, u *User) {
	h.tellWatchers(r, event, u.Name+" "+event, u)
}

// tellWatchers sends a room's watchers an event about a user. content is the event in
// words. Called with mu held.
func (h *Hub) tellWatchers(r *room, event, content string, u *User) {
	if r.watchers != nil {
		r.watchers.Send(text(appendSystem(nil, event, r.name, content, u, h.now())))
	}
}
