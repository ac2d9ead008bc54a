package enginetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// lacking says which stored messages an open connection has not heard, or which room of its user it
// is not in. Called with the socket's mu held.
func (p *performance) lacking(s *socket, histories map[chat.Conversation]chat.Page, members map[membership]bool) (lacks string) {
	m, err := replay(s)
	if err != nil {
		return "" // check says so
	}
	for c, page := range histories {
		v := m.talks[c]
		if room, ok := c.Room(); ok {
			v = m.in[room]
			if want := members[membership{s.user, room}] && m.muted[room] == nil; want != (v != nil) {
				return fmt.Sprintf("to hear %s: %t", room, want)
			}
		} else if p.firstSince(s, c, page) == 0 {
			continue
		} else if v == nil {
			return fmt.Sprintf("%d of %s", p.firstSince(s, c, page), c)
		}
		end := uint64(len(page.Messages))
		if v != nil && (v.epoch != page.Epoch || v.unheard || v.last < end) && !(v.unheard && (v.anything || v.epoch != page.Epoch)) {
			return fmt.Sprintf("%d of %s", end, c)
		}
	}
	return ""
}

// settlePresence waits until exactly those users are in a room who have entered it, with a
// connection that is open, and not left it.
func (p *performance) settlePresence() error {
	for deadline := time.Now().Add(p.patience); ; time.Sleep(time.Millisecond) {
		problem, err := p.unsettledPresence()
		if err != nil || problem == "" {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New(problem)
		}
	}
}

// unsettledPresence asks the connections each time: one that has unsubscribed may be told late that
// its user has left meanwhile, and joined again.
func (p *performance) unsettledPresence() (problem string, err error) {
	want := make(map[string]map[string]bool)
	memberships := 0
	for _, s := range p.open {
		s.mu.Lock()
		m, err := replay(s)
		s.mu.Unlock()
		if err != nil {
			return "", err
		}
		for room := range m.in {
			if want[room] == nil {
				want[room] = make(map[string]bool)
			}
			want[room][s.user] = true
			memberships++
		}
	}
	if n := p.members(); n != memberships && p.fanout == nil {
		problem = fmt.Sprintf("%d connections are sent to in rooms, want %d%s", n, memberships, p.strangers())
	}
	for _, room := range rooms {
		users, _, err := p.Presence.Users(ctx, room, 100)
		if err != nil {
			return "", err
		}
		got := make(map[string]bool)
		for _, u := range users {
			got[u.ID] = true
		}
		if !maps.Equal(got, want[room]) {
			problem = fmt.Sprintf("in %s are %v, want %v", room, got, want[room])
		}
	}
	return problem, nil
}

// firstSince is the seq of the first message of a private conversation that must reach a
// connection; 0 if there is none.
func (p *performance) firstSince(s *socket, c chat.Conversation, page chat.Page) uint64 {
	if one, other, _ := c.Users(); one != s.user && other != s.user {
		return 0
	}
	for _, m := range page.Messages {
		if i, err := strconv.Atoi(m.Content); err == nil && p.said[i].step > s.client.opened {
			return m.Seq
		}
	}
	return 0
}

// check compares the notes of all connections with the model, with each other and with what is
// stored.
func (p *performance) check() error {
	histories, err := p.histories()
	if err != nil {
		return err
	}
	stands := make(map[place]string) // the contents and ids of the messages
	where := make(map[string]place)  // of each content in an epoch, if no message is sent twice
	note := func(at place, content, id string) error {
		what := content + " as " + id
		if old, ok := stands[at]; ok && old != what {
			return fmt.Errorf("at %v stands %q, and also %q", at, old, what)
		}
		if old, ok := where[content+at.epoch]; ok && old != at {
			return fmt.Errorf("%q stands at %v and at %v", content, old, at)
		}
		stands[at], where[content+at.epoch] = what, at
		return nil
	}
	for c, page := range histories {
		for i, m := range page.Messages {
			n, err := strconv.Atoi(m.Content)
			if err != nil || n >= len(p.said) || p.said[n].in != c || p.said[n].by != m.Sender || m.Seq != uint64(i+1) {
				return fmt.Errorf("in %s is stored %+v, at %d", c, m, i+1)
			}
			if err := note(place{c, page.Epoch, m.Seq}, m.Content, m.ID); err != nil {
				return err
			}
		}
	}
	attempts := p.attempts()
	for _, s := range p.all {
		m, err := replay(s)
		if err != nil {
			return err
		}
		if err := p.checkMembership(s, attempts); err != nil {
			return err
		}
		ended := slices.ContainsFunc(s.notes, func(ev event) bool { return ev.Type == "error" && ev.Reason == "session_ended" })
		if ended && !p.mayBeEnded(s.login) {
			return fmt.Errorf("%s was told that the session has ended, which it has not, in %s", s.user, s.story())
		}
		for _, r := range m.reloads {
			if r.unfounded && !p.lost[r.in] { // a node may notice a loss late
				return fmt.Errorf("%s was told to read %s again, and had heard the same history, holding%s, in %s", s.user, r.in, s.base.holds(), s.story())
			}
		}
		for _, ev := range slices.Concat(s.notes, s.missed()) {
			content := ev.Content
			if ev.Type == "ack" {
				content = ev.Ref
			}
			at := m.place(ev)
			if ev.ID == "" {
				continue
			}
			if err := note(at, content, ev.ID); err != nil {
				return err
			}
			if page := histories[at.in]; at.epoch == page.Epoch && at.seq > uint64(len(page.Messages)) {
				return fmt.Errorf("%s was told of %v, which is not stored", s.user, at)
			}
		}
		for c, v := range m.talks {
			if first := p.firstSince(s, c, histories[c]); first > 0 && v.epoch == histories[c].Epoch && v.first > first {
				return fmt.Errorf("%s missed %d of %s, and heard it from %d on, in %s", s.user, first, c, v.first, s.story())
			}
		}
	}
	return nil
}
