package autobahn

import "strings"

// play is what a case number stands for.
type play struct {
	c, part *Case
	index   int // of c among the cases, from 1
}

// plays are what the numbers from 1 stand for.
func (t *ClientTester) plays() []play {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.numbers == nil {
		for i, c := range t.Cases {
			for _, part := range t.Options.connections(c) {
				t.numbers = append(t.numbers, play{c, part, i + 1})
			}
		}
	}
	return t.numbers
}

// byID finds the case or the part with an id. The id of a case with parts stands for the
// next part that the agent has not played.
func (t *ClientTester) byID(o *order, id string) bool {
	name, _, _ := strings.Cut(id, "/")
	for _, p := range t.plays() {
		if p.c.ID != name || id != name && p.part.ID != id {
			continue
		}
		if o.play == nil || !t.played(o.agent, p.part) {
			o.c, o.play, o.index = p.c, p.part, p.index
		}
		if !t.played(o.agent, p.part) {
			break
		}
	}
	return o.play != nil
}

func (t *ClientTester) played(agent string, part *Case) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.results[agent][part.ID] != nil
}

// partStatus is an agent's progress through the parts of a case.
type partStatus struct {
	partResults
	whole bool // the case has its result
}

// storePart takes the result of a part, and returns the case's when it is the last one.
// mu is held.
func (t *ClientTester) storePart(o *order, r *Result) *Result {
	if t.parts == nil {
		t.parts = map[string]map[string]*partStatus{}
	}
	if t.parts[r.Agent] == nil {
		t.parts[r.Agent] = map[string]*partStatus{}
	}
	p := t.parts[r.Agent][o.c.ID]
	if p == nil || p.has(o.play) {
		p = &partStatus{}
		t.parts[r.Agent][o.c.ID] = p
	}
	p.add(r)
	total := len(t.Options.connections(o.c))
	if p.whole || !p.enough() && len(p.list) < total {
		return nil
	}
	p.whole = true
	whole := p.merged(o.c, total)
	whole.Skipped = r.Skipped
	return whole
}

// enough reports whether an order asks for a part of a case that already has its result.
func (t *ClientTester) enough(o *order) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.parts[o.agent][o.c.ID]
	return p != nil && p.whole && !p.has(o.play)
}
