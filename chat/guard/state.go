package guard

import (
	"math"
	"net/netip"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// This file hands what a Guard has counted to the Guard of another process. Bans are the engine's. Times
// are ages; fields have numbers, and those that a reader does not know are skipped.

const (
	fieldUser    = 1 // of the record of a Guard; any number of them
	fieldNetwork = 2
	fieldOffence = 3 // a counter
	fieldBan     = 4 // the age of one
	fieldAttack  = 5
	fieldVoucher = 6
	fieldBegan   = 7

	fieldSubject = 1 // of the record of a conduct
	fieldAct     = 2
	fieldLast    = 3
	fieldSpared  = 4
)

// State returns what Restore needs to know.
func (g *Guard) State() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.cfg.Clock.Monotonic()
	var b []byte
	for id, c := range g.users {
		b = snapshot.AppendField(b, fieldUser, c.append(snapshot.AppendStringField(nil, fieldSubject, id), now))
	}
	for p, c := range g.networks {
		name, _ := p.MarshalBinary() // there are no errors
		b = snapshot.AppendField(b, fieldNetwork, c.append(snapshot.AppendField(nil, fieldSubject, name), now))
	}
	for kind, n := range g.offences {
		if n > 0 {
			b = snapshot.AppendField(b, fieldOffence, pair(uint64(kind), n))
		}
	}
	for _, at := range g.bans {
		b = snapshot.AppendField(b, fieldBan, snapshot.AppendUint(nil, age(now, at)))
	}
	if g.attack != 0 {
		b = snapshot.AppendField(b, fieldAttack, snapshot.AppendUint(nil, age(now, g.attack)))
	}
	for id, at := range g.vouchers {
		b = snapshot.AppendField(b, fieldVoucher, snapshot.AppendUint(snapshot.AppendString(nil, id), age(now, at)))
	}
	return snapshot.AppendField(b, fieldBegan, snapshot.AppendUint(nil, age(now, g.began)))
}

// age is at least 1, so that 0 means that there is none.
func age(now, at time.Duration) uint64 { return uint64(max(now-at, 1)) }

func pair(a, b uint64) []byte { return snapshot.AppendUint(snapshot.AppendUint(nil, a), b) }

// append appends the conduct of a user or network. A ban that is being imposed either takes effect
// or follows the next offence.
func (c *conduct) append(b []byte, now time.Duration) []byte {
	for _, a := range c.acts {
		b = snapshot.AppendField(b, fieldAct, pair(age(now, a.at), uint64(a.points)))
	}
	for kind, at := range c.last {
		if at != 0 {
			b = snapshot.AppendField(b, fieldLast, pair(uint64(kind), age(now, at)))
		}
	}
	if c.spared != 0 {
		b = snapshot.AppendUintField(b, fieldSpared, age(now, c.spared))
	}
	return b
}

// Restore restores what State of another process's Guard has returned. The Guard must be new.
func (g *Guard) Restore(state []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.cfg.Clock.Monotonic()
	r := snapshot.NewReader(state)
	for number, v := range r.Fields() {
		switch number {
		case fieldUser:
			id, c := readConduct(v, now)
			if len(g.users) < maxCounted {
				g.users[string(id)] = c
			}
		case fieldNetwork:
			name, c := readConduct(v, now)
			var p netip.Prefix
			if p.UnmarshalBinary(name) != nil {
				v.Fail()
			} else if len(g.networks) < maxCounted {
				g.networks[p] = c
			}
		case fieldOffence:
			if kind, n := v.Uint(math.MaxUint64), v.Uint(math.MaxUint64); kind < uint64(chat.NumOffenceKinds) {
				g.offences[kind] = n
			}
		case fieldBan:
			if at := readAge(v, now); len(g.bans) < attackBans {
				g.bans = append(g.bans, at)
			}
		case fieldAttack:
			g.attack = readAge(v, now)
		case fieldVoucher:
			g.vouchers.take(v.String(v.Len()), readAge(v, now), 0)
		case fieldBegan:
			g.began = readAge(v, now)
		default:
			continue
		}
		if err := v.End(); err != nil {
			return err
		}
	}
	return r.End()
}

func readAge(v *snapshot.Reader, now time.Duration) time.Duration {
	return now - time.Duration(v.Uint(math.MaxInt64))
}

func readConduct(r *snapshot.Reader, now time.Duration) (subject []byte, c *conduct) {
	c = &conduct{}
	for number, v := range r.Fields() {
		switch number {
		case fieldSubject:
			subject = v.Rest()
		case fieldAct:
			at := readAge(v, now)
			c.acts = append(c.acts, act{at, v.Int(math.MaxInt32)})
		case fieldLast:
			kind := v.Uint(math.MaxUint64)
			if at := readAge(v, now); kind < uint64(chat.NumOffenceKinds) {
				c.last[kind] = at
			}
		case fieldSpared:
			c.spared = readAge(v, now)
		}
		if v.Err() != nil {
			r.Fail()
		}
	}
	return subject, c
}
