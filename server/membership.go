package server

import "slices"

// memberships are a connection's places in the groups that it joined.
type memberships struct {
	places []place
	index  map[uint32]uint32 // by place.group, into places; nil while there are few
}

// place is a position in a group.
type place struct {
	group uint32 // index into loop.groups
	at    uint32 // index into members.slots
}

// maxUnindexed is how many places are searched one by one.
const maxUnindexed = 32

// find returns the index of the place in a group, or -1.
func (m *memberships) find(group uint32) int {
	switch {
	case m == nil:
		return -1
	case m.index != nil:
		if i, ok := m.index[group]; ok {
			return int(i)
		}
		return -1
	}
	return slices.IndexFunc(m.places, func(p place) bool { return p.group == group })
}

func (m *memberships) add(p place) {
	m.places = append(m.places, p)
	if m.index != nil {
		m.index[p.group] = uint32(len(m.places) - 1)
	} else if len(m.places) > maxUnindexed {
		m.index = make(map[uint32]uint32, 2*maxUnindexed)
		for i, p := range m.places {
			m.index[p.group] = uint32(i)
		}
	}
}

// remove removes the place with the given index; the last one takes its index.
func (m *memberships) remove(i int) {
	last := len(m.places) - 1
	if m.index != nil {
		delete(m.index, m.places[i].group)
		if i < last {
			m.index[m.places[last].group] = uint32(i)
		}
	}
	m.places[i] = m.places[last]
	m.places = m.places[:last]
	if last == 0 {
		m.places, m.index = nil, nil
	}
}

// groups are the groups that have members on a loop. A number is half as long as a
// pointer, and a connection may be in many groups.
type groups struct {
	list []*members // nil where one was removed
	free []uint32   // indexes of these
}

func (g *groups) add(m *members) {
	if n := len(g.free); n > 0 {
		m.index = g.free[n-1]
		g.free = g.free[:n-1]
		g.list[m.index] = m
		return
	}
	m.index = uint32(len(g.list))
	g.list = append(g.list, m)
}

func (g *groups) remove(m *members) {
	m.slots = nil
	g.list[m.index] = nil
	g.free = append(g.free, m.index)
}
