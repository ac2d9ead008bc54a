package load

import (
	"cmp"
	"strconv"
	"sync/atomic"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/sequence"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/stamp"
)

// Dialer makes connections.
type Dialer interface {
	// Dial begins to connect m, without blocking. It reports to m.Shard.Opened or
	// Refused from another goroutine.
	Dial(m *Member)
}

// Load is one worker's part of a run.
type Load struct {
	// Immutable.
	Plan   *Plan
	Shards []*Shard
	now    func() int64
	maker  *stamp.Maker
	dial   Dialer

	foreign int64 // see SetForeignClock
	oneWay  bool

	members []*Member
	groups  []*group
	rooms   map[int][]string
	known   atomic.Int64  // members that have a token, and no connection yet
	apart   atomic.Int64  // members that have logged in and wait for Connect to have them join
	ready   atomic.Int64  // members that are
	gone    atomic.Int64  // members that were refused or broke, and are not to come back
	news    chan struct{} // one of the four has changed
}

// New returns a load that divides its share of the plan among a number of shards. now is
// the monotonic clock in nanoseconds.
func New(plan *Plan, share Share, shards int, now func() int64, dial Dialer) *Load {
	maker := stamp.NewMaker(stamp.Options{Size: plan.Size, Binary: plan.Binary, Filler: plan.Filler, Seed: plan.Seed, Deflate: plan.Deflate})
	l := &Load{Plan: plan, rooms: map[int][]string{}, news: make(chan struct{}, 1), now: now, dial: dial, maker: maker, oneWay: true}
	for i := range shards {
		l.Shards = append(l.Shards, &Shard{load: l, plan: plan, index: i, lastSweep: now()})
	}
	for id := share.From; id < share.To; id++ {
		l.addMember(uint32(id), share)
	}
	return l
}

// ringSize is how many publications of a stream can be on their way at once. If there are
// more, the oldest are no longer followed to their last receiver.
const ringSize = 4096

func (l *Load) addMember(id uint32, share Share) {
	p := l.Plan
	m := &Member{ID: id, Shard: l.Shards[int(id)%len(l.Shards)]}
	m.Vars.Conn, m.Vars.Rooms = id, []string{cmp.Or(p.RoomName, "bench")}
	if p.HasRooms() {
		m.Vars.Rooms = l.roomsOf(int(id) / p.RoomSize)
	}
	m.Vars.Room = m.Vars.Rooms[0]
	if p.Grouped() {
		l.join(m, share)
	} else if p.Sends() || p.Scenario == Churn {
		m.out = &stream{sender: m}
	}
	if p.Scenario == Slow && int(id) >= p.Publishers {
		// Spread evenly: the k'th is slow if k*share passes a whole number.
		k := float64(int(id) - p.Publishers)
		m.slow = int((k+1)*p.SlowShare) > int(k*p.SlowShare)
	}
	l.members = append(l.members, m)
	m.Shard.members = append(m.Shard.members, m)
	if m.out != nil {
		m.Shard.senders = append(m.Shard.senders, m)
	}
}

// roomsOf are the rooms of all that belong to the same group.
func (l *Load) roomsOf(group int) []string {
	rooms := l.rooms[group]
	if rooms == nil {
		first := cmp.Or(l.Plan.RoomName, "bench") + "-" + strconv.Itoa(group)
		rooms = []string{first}
		for i := 1; i < l.Plan.Rooms; i++ {
			rooms = append(rooms, first+"-"+strconv.Itoa(i))
		}
		l.rooms[group] = rooms
	}
	return rooms
}

// join puts a member into its group.
func (l *Load) join(m *Member, share Share) {
	p := l.Plan
	room, publishers, first := 0, p.Publishers, uint32(0)
	if p.Scenario == Chat {
		room = int(m.ID) / p.RoomSize
		first = uint32(room * p.RoomSize)
		publishers = min(p.RoomSize, p.Conns-int(first))
		m.Shard = l.Shards[room%len(l.Shards)]
	}
	base := 0
	if p.Scenario == Chat {
		base = share.From / p.RoomSize
	}
	for len(l.groups) <= room-base {
		l.groups = append(l.groups, nil)
	}
	g := l.groups[room-base]
	if g == nil {
		g = &group{first: first, streams: make([]*stream, publishers), self: p.Self}
		l.groups[room-base] = g
	}
	m.group = g
	m.from = make([]sequence.Tracker, publishers)
	if at := int(m.ID - first); at < publishers {
		size := ringSize
		for size > 64 && size*p.Members() > 1<<22 && p.Scenario == Chat {
			size /= 2
		}
		for size < 4*p.Inflight {
			size *= 2
		}
		m.out = &stream{sender: m, ring: make([]atomic.Uint64, size)}
		g.streams[at] = m.out
	}
}

// SetForeignClock sets what to add to the due times in other workers' messages to convert
// them to this worker's clock, in nanoseconds. If oneWay is false, that is not known well
// enough to measure their latency. It must be called before Start.
func (l *Load) SetForeignClock(add int64, oneWay bool) { l.foreign, l.oneWay = add, oneWay }

// Members are the worker's connections.
func (l *Load) Members() []*Member { return l.members }

// Ready returns how many members are connected and have finished their opening, and how
// many are gone for good.
func (l *Load) Ready() (ready, gone int) {
	return int(l.ready.Load() + l.apart.Load()), int(l.gone.Load())
}

// Reached is how many have come as far as a stage, or are not to be waited for.
func (l *Load) Reached(to Stage) int {
	n := l.ready.Load() + l.gone.Load()
	if to != All {
		n += l.apart.Load()
	}
	if to == Known {
		n += l.known.Load()
	}
	return int(n)
}

// News is sent to when Reached may say more than before.
func (l *Load) News() <-chan struct{} { return l.news }

func (l *Load) count(n *atomic.Int64, by int64) {
	n.Add(by)
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// senders returns how many members, of all workers, send the messages that the rate
// counts.
func (l *Load) senders() int {
	if p := l.Plan; p.Scenario == Fanout || p.Scenario == Slow {
		return p.Publishers
	}
	return l.Plan.Conns
}

// Start begins the load at the given time. worker is this worker's number among workers.
func (l *Load) Start(at int64, worker, workers int) {
	for _, s := range l.Shards {
		s.start(at, worker*len(l.Shards)+s.index, workers*len(l.Shards))
	}
}

// Stop ends the load: nothing more is sent, but answers are still received.
func (l *Load) Stop() {
	for _, s := range l.Shards {
		s.stop()
	}
}

// Take returns what was counted since the last call.
func (l *Load) Take() (t Tally) {
	for _, s := range l.Shards {
		s.mu.Lock()
		part := s.tally.take()
		s.mu.Unlock()
		t.Add(&part)
	}
	return t
}

// Sent returns how many messages each stream of this worker has, by the stream's number:
// receivers in other workers need to know that in the end.
func (l *Load) Sent() map[uint32]uint32 {
	sent := map[uint32]uint32{}
	if l.Plan.Grouped() {
		for _, m := range l.members {
			if m.out != nil {
				sent[m.ID] = m.out.sent.Load()
			}
		}
	}
	return sent
}
