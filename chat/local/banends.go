package local

import (
	"container/heap"
	"slices"

	"github.com/hawser-ws/hawser/chat"
)

// banEnds are the ends of bans, a heap with the earliest one first. A ban that was replaced or
// lifted stays until it is reached, or until most entries are stale.
type banEnds []banEnd

type banEnd struct {
	until   int64
	subject string
}

func (e banEnds) Len() int           { return len(e) }
func (e banEnds) Less(i, j int) bool { return e[i].until < e[j].until }
func (e banEnds) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *banEnds) Push(x any)        { *e = append(*e, x.(banEnd)) }

func (e *banEnds) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last] = banEnd{}
	*e = (*e)[:last]
	return x
}

// noteEnd adds the end of a ban. Called with mu held.
func (b *Bans) noteEnd(one *chat.Ban) {
	if one.Until == 0 {
		return
	}
	heap.Push(&b.ends, banEnd{one.Until, one.Subject()})
	if len(b.ends) > 64+2*(len(b.users)+len(b.networks)) {
		b.ends = slices.DeleteFunc(b.ends, func(e banEnd) bool { return !b.endsSo(e) })
		heap.Init(&b.ends)
	}
}

// endsSo reports whether a subject is banned until then. Called with mu held.
func (b *Bans) endsSo(e banEnd) bool {
	one, known := b.last(e.subject)
	return known && one.Until == e.until
}

// Ended returns at most limit bans that ended more than the given number of ms ago, the
// earliest first.
func (b *Bans) Ended(limit int, ago int64) (ended []chat.Ban) {
	then := b.cfg.Now() - ago
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(ended) < limit && len(b.ends) > 0 && b.ends[0].until <= then {
		e := heap.Pop(&b.ends).(banEnd)
		one, known := b.last(e.subject)
		if known && one.Until == e.until && !slices.Contains(ended, one) {
			ended = append(ended, one)
		}
	}
	for _, one := range ended {
		heap.Push(&b.ends, banEnd{one.Until, one.Subject()})
	}
	return ended
}
