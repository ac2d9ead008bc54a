package sequence

import "slices"

// Verdict is what one arrival says.
type Verdict uint8

const (
	// InOrder: it is the next one, or the first after a gap.
	InOrder Verdict = iota
	// Late: it was missing, and comes after one with a higher number.
	Late
	// Doubled: it has been here before.
	Doubled
)

// maxGaps bounds the memory for missing messages. A stream with more gaps
// forgets the oldest: they stay lost, even if they arrive.
const maxGaps = 1024

// Tracker follows one stream, whose numbers begin at 0. Its zero value is ready.
type Tracker struct {
	next uint32
	lost uint64 // in gaps that were forgotten
	gaps []span // ascending, disjoint
}

// span is the missing numbers from a on, before b.
type span struct{ a, b uint32 }

// Next is one more than the highest number that has arrived.
func (t *Tracker) Next() uint32 { return t.next }

// Arrive takes the number of a message that arrived.
func (t *Tracker) Arrive(seq uint32) Verdict {
	switch {
	case seq == t.next:
		t.next++
		return InOrder
	case seq > t.next:
		t.miss(span{t.next, seq})
		t.next = seq + 1
		return InOrder
	}
	i, found := slices.BinarySearchFunc(t.gaps, seq, func(g span, seq uint32) int {
		switch {
		case seq < g.a:
			return 1
		case seq >= g.b:
			return -1
		}
		return 0
	})
	if !found {
		return Doubled
	}
	switch g := &t.gaps[i]; {
	case g.b-g.a == 1:
		t.gaps = slices.Delete(t.gaps, i, i+1)
	case seq == g.a:
		g.a++
	case seq == g.b-1:
		g.b--
	default:
		t.gaps = slices.Insert(t.gaps, i+1, span{seq + 1, g.b})
		t.gaps[i].b = seq
	}
	return Late
}

func (t *Tracker) miss(g span) {
	if len(t.gaps) >= maxGaps {
		t.lost += uint64(t.gaps[0].b - t.gaps[0].a)
		t.gaps = slices.Delete(t.gaps, 0, 1)
	}
	t.gaps = append(t.gaps, g)
}

// Missing is how many numbers below sent have not arrived. sent is how many
// messages the stream has.
func (t *Tracker) Missing(sent uint32) uint64 {
	n := t.lost
	for _, g := range t.gaps {
		n += uint64(g.b - g.a)
	}
	if sent > t.next {
		n += uint64(sent - t.next)
	}
	return n
}

// FirstMissing is the lowest number below sent that has not arrived and was not
// forgotten.
func (t *Tracker) FirstMissing(sent uint32) (seq uint32, ok bool) {
	if len(t.gaps) > 0 {
		return t.gaps[0].a, true
	}
	return t.next, sent > t.next
}
