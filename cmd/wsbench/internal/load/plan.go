package load

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/dialect"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/recording"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/stamp"
)

// Scenario is what the connections do.
type Scenario string

const (
	Echo    Scenario = "echo"    // each message comes back to its sender
	Fanout  Scenario = "fanout"  // publishers' messages go to everybody
	Slow    Scenario = "slow"    // fan-out with a share of receivers that barely read
	Chat    Scenario = "chat"    // rooms in which everybody talks
	Idle    Scenario = "idle"    // connections are held, and nothing is said
	Connect Scenario = "connect" // opening handshakes, one after the other
	Churn   Scenario = "churn"   // connections come, exchange a few messages, and go
	Storm   Scenario = "storm"   // all connections break at once, and all come back
	Login   Scenario = "login"   // people log in, each on a connection that stays
	Replay  Scenario = "replay"  // what was recorded is sent again
)

// Scenarios lists them all.
var Scenarios = []Scenario{Echo, Fanout, Slow, Chat, Idle, Connect, Churn, Storm, Login, Replay}

// Plan is a run: the task of all workers together.
type Plan struct {
	Scenario Scenario `json:"scenario"`
	URL      string   `json:"url"`
	Conns    int      `json:"conns"`

	// Publishers are further connections that publish, in Fanout and Slow.
	Publishers int `json:"publishers,omitempty"`
	// Self says that a publisher is sent its own messages, too.
	Self bool `json:"self"`
	// RoomSize is the number of connections in a room, and Rooms the number of rooms
	// that a connection is in (0: one), in Chat, Idle and Login.
	RoomSize int `json:"room_size,omitempty"`
	// RoomName is the prefix of the rooms' names.
	RoomName string `json:"room_name,omitempty"`
	Rooms    int    `json:"rooms,omitempty"`
	// AtOnce is how many log in at a time, in Login, or join their rooms, in Idle; 0: as
	// many as there are.
	AtOnce int `json:"at_once,omitempty"`
	// Returning says that those who log in have an account already.
	Returning bool `json:"returning,omitempty"`
	// SlowShare is the share of receivers that barely read, in Slow: 0 to 1.
	SlowShare float64 `json:"slow_share,omitempty"`
	// Messages is how many a connection exchanges before it goes, in Churn.
	Messages int `json:"messages,omitempty"`
	// StormEvery is the time from one storm to the next.
	StormEvery time.Duration `json:"storm_every_ns,omitempty"`

	Size   int          `json:"size"` // bytes of a payload
	Binary bool         `json:"binary,omitempty"`
	Filler stamp.Filler `json:"filler"`
	Seed   uint64       `json:"seed"`
	// Deflate says that permessage-deflate is offered, with context takeover.
	Deflate bool `json:"deflate,omitempty"`
	// HTTP2 says that the WebSockets are streams of HTTP/2 connections.
	HTTP2 bool `json:"http2,omitempty"`

	// Inflight is how many messages a sender keeps in flight: closed loop. Rate is
	// how many messages, in Connect and Churn how many connections, all senders
	// together begin in a second: open loop. One of the two is zero.
	Inflight int     `json:"inflight,omitempty"`
	Rate     float64 `json:"rate,omitempty"`
	Poisson  bool    `json:"poisson,omitempty"` // irregular, as from many independent users
	// Stages change the rate, which is Rate during the warm-up and at their beginning.
	// Together they are as long as Duration.
	Stages []RateStage `json:"stages,omitempty"`
	// Think is how long a sender waits after an answer before its next message, in closed
	// loop; with Poisson, on average.
	Think time.Duration `json:"think_ns,omitempty"`

	// Recording is what is sent in Replay, and when: the k'th connection does what the k'th
	// one recorded did, and after the last the first again. It is done Speed times as
	// fast, and the connections begin evenly within Spread.
	Recording *recording.Recording `json:"recording,omitempty"`
	Speed     float64              `json:"speed,omitempty"`
	Spread    time.Duration        `json:"spread_ns,omitempty"`

	Warmup   time.Duration `json:"warmup_ns"`
	Duration time.Duration `json:"duration_ns"`
	// Timeout is how long an answer is waited for: in closed loop before the next
	// message is sent without it, and at the end of the run since the last one.
	Timeout time.Duration `json:"timeout_ns"`

	Dialect *dialect.Dialect `json:"dialect,omitempty"`
}

// Open reports whether the plan is open loop.
func (p *Plan) Open() bool { return p.Rate > 0 || len(p.Stages) > 0 || p.Scenario == Replay }

// MaxRate is the highest rate that the plan comes to.
func (p *Plan) MaxRate() float64 {
	rate := p.Rate
	for _, s := range p.Stages {
		rate = max(rate, s.Rate)
	}
	return rate
}

// Cycles reports whether it is connections, not messages, that the plan is about.
func (p *Plan) Cycles() bool {
	return p.Scenario == Connect || p.Scenario == Churn || p.Scenario == Storm || p.Scenario == Login
}

// Grouped reports whether one message has many receivers.
func (p *Plan) Grouped() bool {
	return p.Scenario == Fanout || p.Scenario == Slow || p.Scenario == Chat
}

// HasRooms reports whether connections are divided among rooms.
func (p *Plan) HasRooms() bool {
	return p.Scenario == Chat || p.Dialect != nil && (p.Scenario == Idle || p.Scenario == Login || p.Scenario == Storm)
}

// Values that no machine could handle and that would overflow.
const (
	maxConns    = 1 << 24
	maxSize     = 1 << 30 // bytes
	maxInflight = 1 << 20
	maxRate     = 100_000_000 // in a second
	maxRooms    = 1 << 16
	minSpeed    = 0.001
)

// Sends reports whether the plan's connections have payloads of ours to say.
func (p *Plan) Sends() bool {
	switch p.Scenario {
	case Idle, Login, Connect, Replay:
		return false
	case Churn:
		return p.Messages > 0
	case Storm:
		return p.Dialect == nil // otherwise to log in is an answer already
	}
	return true
}

// Check finds what does not go together.
func (p *Plan) Check() error {
	least := stamp.TextSize
	if p.Binary {
		least = stamp.BinarySize
	}
	switch {
	case !known(p.Scenario):
		return fmt.Errorf("scenario %q is none of %v", p.Scenario, Scenarios)
	case p.Conns < 1 || p.Conns > maxConns:
		return fmt.Errorf("--conns is %d; it must be from 1 to %d", p.Conns, maxConns)
	case p.Size < least:
		return fmt.Errorf("--size is %d; the sequence number and its check take %d bytes", p.Size, least)
	case p.Size > maxSize:
		return fmt.Errorf("--size is %d; it may be at most %d", p.Size, maxSize)
	case p.Inflight > maxInflight:
		return fmt.Errorf("--inflight is %d; it may be at most %d", p.Inflight, maxInflight)
	case math.IsNaN(p.Rate) || p.MaxRate() > maxRate:
		return fmt.Errorf("--rate is %v; it may be at most %.0f", p.MaxRate(), float64(maxRate))
	case len(p.Stages) > 0 && p.MaxRate() == 0:
		return errors.New("--stages have no rate above 0")
	case p.Think < 0 || p.Think > 0 && (p.Inflight == 0 || p.Cycles()):
		return errors.New("--think is for echo, fanout, slow and chat with --inflight (closed loop), and must not be negative")
	case p.Publishers > maxConns || p.RoomSize > maxConns || p.Rooms > maxRooms:
		return fmt.Errorf("--publishers and --room-size may be at most %d, --rooms %d", maxConns, maxRooms)
	case p.Scenario == Replay && (p.Rate > 0 || len(p.Stages) > 0 || p.Inflight > 0 || p.Poisson):
		return errors.New("replay has no rate, and nothing in flight: messages are due as they were recorded (--speed, --spread)")
	case p.Scenario == Replay && p.Dialect != nil:
		return errors.New("replay has no --scenario: it says what was recorded")
	case p.Scenario == Replay && (p.Recording == nil || len(p.Recording.Sessions) == 0):
		return errors.New("replay needs a --recording")
	case p.Scenario == Replay && !(p.Speed >= minSpeed && p.Speed <= 1/minSpeed):
		return fmt.Errorf("--speed is %v; it must be from %v to %v", p.Speed, minSpeed, 1/minSpeed)
	case p.Spread < 0:
		return fmt.Errorf("--spread is %v; it must not be negative", p.Spread)
	case p.Inflight > 0 && p.Open():
		return errors.New("--inflight (closed loop) and --rate or --stages (open loop) contradict each other")
	case p.Inflight < 0 || p.Rate < 0:
		return errors.New("--inflight and --rate must not be negative")
	case p.Scenario != Idle && p.Scenario != Storm && p.Scenario != Login && p.Inflight == 0 && !p.Open():
		return errors.New("either --inflight N (closed loop) or --rate N or --stages (open loop) is needed")
	case p.Scenario == Storm && p.Open():
		return errors.New("a storm has no rate: everybody comes at once")
	case p.Scenario == Idle && (p.Open() || p.Inflight > 0):
		return errors.New("idle has no rate, and nothing in flight: nothing is sent")
	case p.Scenario == Login && (p.Open() || p.Inflight > 0):
		return errors.New("login has no rate, and nothing in flight: --at-once says how many log in at a time")
	case p.Scenario == Login && p.Dialect == nil:
		return errors.New("login needs a protocol to log in with (--scenario)")
	case p.Returning && (p.Scenario != Login || p.Dialect.Token == nil):
		return errors.New("--returning is for login, in a protocol that has accounts ([token])")
	case p.AtOnce < 0 || p.AtOnce > 0 && p.Scenario != Login && p.Scenario != Idle:
		return errors.New("--at-once is for login and idle, and must not be negative")
	case p.Poisson && !p.Open() && p.Think == 0:
		return errors.New("--poisson needs a --rate, --stages or --think")
	case p.Grouped() && p.Scenario != Chat && p.Publishers < 1:
		return fmt.Errorf("--publishers is %d; somebody must publish", p.Publishers)
	case p.HasRooms() && p.RoomSize < 1:
		return fmt.Errorf("--room-size is %d; it must be at least 1", p.RoomSize)
	case p.Rooms < 0:
		return fmt.Errorf("--rooms is %d; it must not be negative", p.Rooms)
	case p.Scenario == Slow && (!(p.SlowShare > 0 && p.SlowShare < 1)):
		return fmt.Errorf("--slow-share is %v; it must be between 0 and 1", p.SlowShare)
	case p.Scenario == Churn && p.Messages < 0:
		return fmt.Errorf("--messages is %d; it must not be negative", p.Messages)
	case p.Scenario == Storm && p.StormEvery < 100*time.Millisecond:
		return fmt.Errorf("--storm-every is %v; it must be at least 100ms", p.StormEvery)
	case p.Duration <= 0:
		return fmt.Errorf("--duration is %v; it must be positive", p.Duration)
	case p.Warmup < 0:
		return fmt.Errorf("--warmup is %v; it must not be negative", p.Warmup)
	case p.Timeout <= 0:
		return fmt.Errorf("--timeout is %v; it must be positive", p.Timeout)
	case p.Dialect != nil && p.Binary:
		return errors.New("--binary and a protocol of text contradict each other")
	}
	return nil
}

func known(s Scenario) bool {
	for _, k := range Scenarios {
		if s == k {
			return true
		}
	}
	return false
}

// Share is the part of the members that one worker has: those from From on,
// before To, of the numbers 0 to Members()-1.
type Share struct{ From, To int }

// Members is how many connections the plan has, publishers included. In Fanout
// and Slow the publishers are the first ones.
func (p *Plan) Members() int {
	if p.Scenario == Fanout || p.Scenario == Slow {
		return p.Conns + p.Publishers
	}
	return p.Conns
}

// Shares divides the members among n workers, evenly with two exceptions: a chat room stays
// whole, and the publishers of a fan-out are the first worker's.
func (p *Plan) Shares(n int) (shares []Share) {
	unit := 1
	if p.HasRooms() {
		unit = p.RoomSize
	}
	units := (p.Members() + unit - 1) / unit
	from := 0
	for i := range n {
		to := min((units*(i+1)/n)*unit, p.Members())
		if i == 0 && (p.Scenario == Fanout || p.Scenario == Slow) {
			to = max(to, p.Publishers)
		}
		to = max(to, from)
		shares = append(shares, Share{from, to})
		from = to
	}
	return shares
}
