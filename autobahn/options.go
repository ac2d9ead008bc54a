package autobahn

import (
	"context"
	"crypto/tls"
	"hash/fnv"
	"math/rand/v2"
	"runtime"
	"time"
)

// Options say how cases are run. The zero value is useful.
type Options struct {
	// Agent names the testee in reports. "": for a server, its Server header; for a
	// client, its agent parameter.
	Agent string
	// TimeScale stretches every deadline and wait. 0: 1.
	TimeScale float64
	// Timeout ends any case, scaled. 0: each case's own.
	Timeout time.Duration
	// Parallel is how many cases run at once. 0: 32. Cases that take a core for
	// a while run two at a time for each core.
	Parallel int
	// Seed determines masking keys and what random cases send.
	Seed uint64
	// Messages caps the messages of a case that sends a thousand. 0: no cap.
	Messages int
	// Connections caps the connections of a case that makes many. 0: no cap.
	Connections int
	// OriginalGrading grades cases 13.3 to 13.6 as the original suite does: it accepts
	// a server that leaves server_max_window_bits out of its answer, or answers a
	// larger value.
	OriginalGrading bool

	// TLS is for wss; nil for the defaults.
	TLS *tls.Config
	// Origin and Subprotocols, if not empty, go into the opening handshake when servers
	// are tested.
	Origin       string
	Subprotocols []string
	// Host, if not empty, replaces the URL's host in the opening handshake's Host when
	// servers are tested.
	Host string
	// Header are header fields, "Name: value", when servers are tested. They replace
	// the tester's own. The values of credentials and cookies are left out of logs and
	// reports.
	Header []string
	// Greeting is how many messages a server sends first on every connection. They are
	// ignored, and a case begins after them.
	Greeting int

	// Restart restarts a server that has ended, waits until it accepts connections, and
	// says how it ended. Nil: the tester waits for the server to come back.
	Restart func(ctx context.Context) (how string, err error)
	// Gone is called once if the server does not come back.
	Gone func(why string)

	// Excluded reports whether a case must not be run for an agent.
	Excluded func(agent string, c *Case) bool
	// Done is called with every result except those of excluded cases, one at a time.
	Done func(*Result)
}

func (o *Options) scale(d time.Duration) time.Duration {
	if o.TimeScale > 0 {
		return time.Duration(float64(d) * o.TimeScale)
	}
	return d
}

func (o *Options) parallel() int {
	if o.Parallel > 0 {
		return o.Parallel
	}
	return 32
}

func (o *Options) heavyParallel() int { return min(o.parallel(), 2*runtime.GOMAXPROCS(0)) }

// caseTimeout is the time after which a case is ended if nothing else has ended it.
func (o *Options) caseTimeout(c *Case) time.Duration {
	if o.Timeout > 0 {
		return o.scale(o.Timeout)
	}
	d := 30 * time.Second
	if c.Loop != nil {
		d += c.Loop.Timeout
	}
	return o.scale(d)
}

// count is how many messages a loop sends.
func (o *Options) count(l *Loop) int {
	if o.Messages > 0 {
		return min(o.Messages, l.Count)
	}
	return l.Count
}

// random is the source of a case's random choices: the same for the same seed,
// whatever runs beside it.
func (o *Options) random(c *Case) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(c.ID))
	return rand.New(rand.NewPCG(o.Seed, h.Sum64()))
}
