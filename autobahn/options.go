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
	// Agent names the testee in reports. "": what a server says in its Server
	// header, what a client says in the agent parameter.
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
	// OriginalGrading grades cases 13.3 to 13.6 as the original suite does: it
	// does not mind a server that leaves server_max_window_bits out of its answer,
	// or answers a larger one.
	OriginalGrading bool

	// TLS is for wss; nil for the defaults.
	TLS *tls.Config
	// Origin and Subprotocols go into the opening handshake where they are not
	// empty, when servers are tested.
	Origin       string
	Subprotocols []string
	// Host, where it is not empty, is what the opening handshake has for Host in
	// place of the URL's, when servers are tested.
	Host string
	// Header are header fields, "Name: value", when servers are tested. They replace
	// the tester's own. The values of those that authenticate, and of cookies, are
	// left out of logs and reports.
	Header []string
	// Greeting is how many messages a server sends first on every connection. They are
	// ignored, and a case begins after them.
	Greeting int

	// Restart starts a server again that has ended, and waits until it can be connected
	// to; it says how the server ended. Nil: it is waited for.
	Restart func(ctx context.Context) (how string, err error)
	// Gone is called once where the server does not come back.
	Gone func(why string)

	// Excluded reports whether a case is not to be run for an agent.
	Excluded func(agent string, c *Case) bool
	// Done is called with every result but those of excluded cases, one at a time.
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

// caseTimeout is after how long a case is ended that nothing else has ended.
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
