package load

import "sync/atomic"

// group is a set of members that share messages: a room, or all of a fan-out.
type group struct {
	first   uint32    // number of the first stream
	streams []*stream // by number; nil where another worker has the sender
	self    bool      // a publisher is sent its own messages
	open    atomic.Int32
}

// stream is what one member sends.
type stream struct {
	sender *Member
	sent   atomic.Uint32

	// For groups: the publications that not all receivers have yet.
	ring    []atomic.Uint64 // by number: see publication
	done    atomic.Uint32   // publications that are complete, or have lost a copy
	ignored uint32          // publications given up. Guarded by the sender's Shard.mu.
}

// A publication is one word: its number plus one, how many receivers still wait
// for it, and whether a copy was lost.
const (
	flawed   = 1 << 31
	waitMask = flawed - 1
)

func (st *stream) at(seq uint32) *atomic.Uint64 { return &st.ring[seq&uint32(len(st.ring)-1)] }

// publish begins a publication to n receivers.
func (st *stream) publish(seq uint32, n int32) {
	if n <= 0 {
		st.done.Add(1)
		return
	}
	st.at(seq).Store(uint64(seq+1)<<32 | uint64(n))
}

// receipt counts one copy, or its loss. last reports whether it was the last copy, and
// whole that none was lost.
func (st *stream) receipt(seq uint32, lost bool) (last, whole bool) {
	word := st.at(seq)
	for {
		old := word.Load()
		if uint32(old>>32) != seq+1 || old&waitMask == 0 {
			return false, false // given up, or overtaken by as many as the ring holds
		}
		now := old - 1
		if lost {
			now |= flawed
		}
		if now&waitMask == 0 {
			now &= flawed // no longer in use
		}
		if word.CompareAndSwap(old, now) {
			if now>>32 == 0 {
				st.done.Add(1)
				return true, now&flawed == 0
			}
			return false, false
		}
	}
}

// giveUp drops the publications that are not complete.
func (st *stream) giveUp() {
	sent := st.sent.Load()
	for i := range st.ring {
		old := st.ring[i].Load()
		if old>>32 != 0 && uint32(old>>32) <= sent && st.ring[i].CompareAndSwap(old, 0) {
			st.ignored++
		}
	}
	// Publications that the ring had no room for are given up as well.
	if d := st.done.Load(); int32(sent-d-st.ignored) > 0 {
		st.ignored = sent - d
	}
}

// inflight returns how many publications are not complete. Called with the sender's
// Shard.mu held.
func (st *stream) inflight() int32 { return int32(st.sent.Load() - st.done.Load() - st.ignored) }
