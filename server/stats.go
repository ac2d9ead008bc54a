package server

import (
	"errors"
	"math/bits"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// Stats are a Server's counters since it was made, and what it holds now.
type Stats struct {
	Handshaking int // connections accepted by Serve that are not WebSockets, or not yet
	Open        int // connections on the loops, closing ones included
	Closing     int // the part of Open on which either side has begun to close

	// Handshakes counts the requests that the Server answered as opening handshakes, by
	// HTTP status. Requests of any kind that a limit refused before are among them; what
	// Config.HTTP answers itself is not.
	Handshakes map[int]uint64

	HandshakesOnLoops uint64 // the part of Handshakes[101] that loops have answered (see Serve)

	// Limited counts, by Limit, the requests that a limit refused, and the connections that
	// had to wait for LimitAccepts.
	Limited [NumLimits]uint64

	Opened      uint64 // connections taken over
	MessagesIn  uint64 // delivered to the Handler
	MessagesOut uint64 // queued for a connection
	BytesIn     uint64 // read, under TLS after decryption
	BytesOut    uint64 // written, under TLS before encryption

	Queued     int64 // bytes that wait to be written, or for a loop to take them
	Assembling int64 // bytes received of incomplete messages

	Ended     Ended  // why connections ended
	Evicted   uint64 // the part of Ended that did not keep up: WriteTimeout, QueueFull and Shed
	Dropped   uint64 // messages that were left out under the policy Drop
	Coalesced uint64 // messages that were replaced by a newer one

	SlowHandlers uint64 // times that a callback blocked its loop for over 100 ms
	Panics       uint64 // in callbacks
	Refused      uint64 // connections that the system would not watch
	Cut          uint64 // connections that Shutdown or Drain cut

	// Iterations is a histogram of the time that the loops' iterations took, not
	// counting the wait for events. [i] counts those of at least 1<<(i-1) and less
	// than 1<<i µs; the last one counts all longer ones as well.
	Iterations [latencyBuckets]uint64
	Busy       time.Duration // all of them together
}

// Ended counts ended connections, and closing ones, by their first cause.
type Ended struct {
	ByPeer          uint64 // the peer's Close frame
	ByUs            uint64 // Conn.Close, Shutdown
	Lost            uint64 // end of stream or an error of the descriptor, without a Close frame
	ProtocolError   uint64 // the peer violated the protocol or one of Config's limits on messages
	PingTimeout     uint64
	AssemblyTimeout uint64
	WriteTimeout    uint64
	QueueFull       uint64
	Shed            uint64 // over the memory budget
	ControlRate     uint64
	Panic           uint64
}

const latencyBuckets = 24

// counters are a loop's. Any goroutine may read them; only the loop writes them.
type counters struct {
	iterations atomic.Uint64
	open       atomic.Int64
	closing    atomic.Int64
	opened     atomic.Uint64
	ended      [numCauses]atomic.Uint64
	dropped    atomic.Uint64
	coalesced  atomic.Uint64
	slow       atomic.Uint64
	panics     atomic.Uint64
	refused    atomic.Uint64 // by the kernel
	cut        atomic.Uint64 // by Shutdown
	traffic    [numTraffic]atomic.Uint64
	latency    [latencyBuckets]atomic.Uint64
}

// What is counted for every message or read. The loop adds to plain numbers, and
// publishes those that changed at the end of each iteration.
const (
	messagesIn = iota
	messagesOut
	bytesIn
	bytesOut
	queued     // bytes in outboxes now
	assembling // bytes of unfinished messages now
	busy       // µs that iterations took
	numTraffic
)

type cause uint8

const (
	byPeer cause = iota
	byUs
	lost
	protocolError
	pingTimeout
	assemblyTimeout
	writeTimeout
	queueFull
	overBudget
	controlRate
	panicked
	numCauses
)

var causes = map[error]cause{
	ErrPingTimeout: pingTimeout, ErrAssemblyTimeout: assemblyTimeout, ErrWriteTimeout: writeTimeout,
	ErrQueueFull: queueFull, ErrOverBudget: overBudget, ErrControlRate: controlRate, ErrPanic: panicked,
}

// setCause records why a connection ends, unless a cause is recorded already.
func (l *loop) setCause(c *conn, why *CloseError) {
	if c.cause() != nil {
		return
	}
	l.keepCause(c, why)
	l.stats.ended[causeOf(why)].Add(1)
}

func (l *loop) keepCause(c *conn, why *CloseError) {
	if l.causes == nil {
		l.causes = map[uint32]*CloseError{}
	}
	l.causes[c.slot] = why
}

func causeOf(why *CloseError) cause {
	var peer *wsproto.PeerError
	var errno syscall.Errno
	switch {
	case why.Err == nil && why.Local:
		return byUs
	case why.Err == nil:
		return byPeer
	case errors.As(why.Err, &peer):
		return protocolError
	case errors.As(why.Err, &errno):
		return lost
	}
	if c, ok := causes[why.Err]; ok {
		return c
	}
	if why.Local {
		return byUs
	}
	return lost
}

// publishStats makes what was counted in an iteration visible to Stats.
func (l *loop) publishStats() {
	took := uint64((l.cfg.now() - l.woke) / time.Microsecond)
	l.traffic[busy] += took
	for i, n := range l.traffic {
		if n != l.published[i] {
			l.stats.traffic[i].Store(n)
		}
	}
	if n := l.unpublishedBytes(); n != 0 {
		l.budget.used.Add(n)
	}
	l.published = l.traffic
	l.stats.latency[min(bits.Len64(took), latencyBuckets-1)].Add(1)
	l.stats.iterations.Add(1)
}

// Stats returns the sums over all loops.
func (s *Server) Stats() Stats {
	sum := Stats{Handshaking: s.http.open(), Handshakes: s.answers.byStatus(), HandshakesOnLoops: s.onLoops.Load(), Limited: s.limited.counts()}
	var ended [numCauses]uint64
	for _, l := range s.loops {
		c := &l.stats
		sum.Open += int(c.open.Load())
		sum.Closing += int(c.closing.Load())
		sum.Opened += c.opened.Load()
		sum.MessagesIn += c.traffic[messagesIn].Load()
		sum.MessagesOut += c.traffic[messagesOut].Load()
		sum.BytesIn += c.traffic[bytesIn].Load()
		sum.BytesOut += c.traffic[bytesOut].Load()
		sum.Queued += int64(c.traffic[queued].Load()) + l.box.used()
		sum.Assembling += int64(c.traffic[assembling].Load())
		sum.Busy += time.Duration(c.traffic[busy].Load()) * time.Microsecond
		sum.Dropped += c.dropped.Load()
		sum.Coalesced += c.coalesced.Load()
		sum.SlowHandlers += c.slow.Load()
		sum.Panics += c.panics.Load()
		sum.Refused += c.refused.Load()
		sum.Cut += c.cut.Load()
		for i := range ended {
			ended[i] += c.ended[i].Load()
		}
		for i := range sum.Iterations {
			sum.Iterations[i] += c.latency[i].Load()
		}
	}
	sum.Ended = Ended{
		ByPeer: ended[byPeer], ByUs: ended[byUs], Lost: ended[lost], ProtocolError: ended[protocolError],
		PingTimeout: ended[pingTimeout], AssemblyTimeout: ended[assemblyTimeout], WriteTimeout: ended[writeTimeout],
		QueueFull: ended[queueFull], Shed: ended[overBudget], ControlRate: ended[controlRate], Panic: ended[panicked],
	}
	sum.Evicted = sum.Ended.WriteTimeout + sum.Ended.QueueFull + sum.Ended.Shed
	return sum
}

// answers counts HTTP answers by status. Any goroutine.
type answers [600]atomic.Uint64

func (a *answers) count(status int) {
	if status >= 0 && status < len(a) {
		a[status].Add(1)
	}
}

func (a *answers) byStatus() map[int]uint64 {
	m := map[int]uint64{}
	for status := range a {
		if n := a[status].Load(); n > 0 {
			m[status] = n
		}
	}
	return m
}
