// Package guard bans clients that behave as no honest client does: a Guard counts offences
// (chat.Warden), and bans a user or a network for some time after too many of them. The next ban is
// twice as long.
//
// After log-in the user is banned. An address is banned only for what happens before log-in, and
// not while well-behaved users share it: then there is only an alert.
//
// A well-behaved user (vouch.go) has not offended lately. A registered user vouches for an address
// for as long as they are connected from it. A guest proves little, because anybody can be one, and
// be idle in advance. So a guest vouches only when the account is as old as the first ban is long,
// and then only once in the time of the longest ban, for one address. An office of fifty guests is
// spared fifty bans, an attacker who keeps one guest at each address is spared one.
package guard

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// Config configures a Guard. Bans is required.
type Config struct {
	Bans  chat.Bans
	Clock chat.Clock   // default: chat.SystemClock()
	Log   *slog.Logger // default: slog.Default()

	Offences int           // how many in Window lead to a ban; default 5
	Window   time.Duration // default 60 s
	Duration time.Duration // of the first ban; default 10 min
	Longest  time.Duration // the maximum length of a ban; default 24 h

	// Allowed reports whether a network must not be banned. Default: every network may be.
	Allowed func(netip.Prefix) bool

	// UsersAt returns at most limit users who are connected from a network now. Default: there
	// are none.
	UsersAt func(network netip.Prefix, limit int) []string

	// User reads a user. A guest can come back as another one, so in the end the address is blamed,
	// and guests vouch less for an address than registered users. Default: all are registered
	// users.
	User func(ctx context.Context, userID string) (chat.User, error)

	// Now is the service's time, in ms since 1970. Default: that of Clock.
	Now func() int64

	// Report is called for each ban, each network that was spared, and each attack. It must not
	// block. Default: no reports.
	Report func(Report)
}

// Report says what a Guard has done or noticed.
type Report struct {
	Kind    ReportKind
	Ban     chat.Ban         // of Banned; for the other kinds, the ban that was not imposed
	Offence chat.OffenceKind // the last one
	Count   int              // of Attack: how many were banned
	Err     error            // of Failed
}

// ReportKind is a kind of Report.
type ReportKind uint8

const (
	Banned ReportKind = iota // a user or network was banned
	Spared                   // a network was not banned, because well-behaved users share it
	Failed                   // a user or network should have been banned, but the engine has failed
	Attack                   // many were banned within a minute
)

func (k ReportKind) String() string { return [...]string{"banned", "spared", "failed", "attack"}[k] }

const (
	// maxCounted is the maximum number of users, and of networks, that are counted at a time.
	maxCounted = 1 << 16

	// maxSentences is the maximum number of bans that wait to be stored.
	maxSentences = 1024

	// attackBans is how many bans within a minute count as an attack. It is reported once in
	// attackEvery.
	attackBans  = 10
	attackEvery = 5 * time.Minute

	// maxAsked is how many of a network's users are examined to find a well-behaved one.
	maxAsked = 64

	// sparedEvery is the minimum time between reports that a network was spared.
	sparedEvery = time.Minute

	// banTime is how long the engine may take to store a ban.
	banTime = 5 * time.Second
)

// By is the author of a Guard's bans (chat.Ban.By).
const By = "guard"

// points are the weights of offences, in twentieths. A browser that asks for a missing page is not
// a scan, one that connects in advance is not a storm, and clients that share an address with many
// others are refused for that now and then.
var points = [chat.NumOffenceKinds]int{
	chat.TooFast: 20, chat.OverQuota: 20, chat.BadToken: 20, chat.RefusedLogin: 4, chat.NoAuth: 10, chat.TooManyErrors: 40, chat.BrokeProtocol: 40,
	chat.BadRequest: 5, chat.TooManyConnections: 2, chat.Unused: 4, chat.BannedGuest: 50,
}

// Guard is a chat.Warden that bans.
type Guard struct {
	cfg Config

	began     time.Duration
	sentences chan sentence
	ctx       context.Context
	cancel    context.CancelFunc
	over      sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	users    map[string]*conduct
	networks map[netip.Prefix]*conduct
	offences [chat.NumOffenceKinds]uint64
	bans     []time.Duration // when the last attackBans were
	attack   time.Duration   // when an attack was last reported; 0: never
	vouchers vouchers
}

// conduct is what a user or a network has done lately.
type conduct struct {
	acts    []act // within the window
	last    [chat.NumOffenceKinds]time.Duration
	spared  time.Duration // when its sparing was last reported; 0: never
	pending bool          // it is being banned
}

type act struct {
	at     time.Duration
	points int
}

// sentence is a ban that is waiting to be imposed.
type sentence struct {
	ban     chat.Ban
	offence chat.OffenceKind
	address netip.Addr
	slight  bool // everything that was done is also done by monitors and scanners of the own network
}

// New returns a Guard that works until Close.
func New(cfg Config) *Guard {
	if cfg.Bans == nil {
		panic("guard: Config needs Bans")
	}
	if cfg.Clock == nil {
		cfg.Clock = chat.SystemClock()
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Offences <= 0 {
		cfg.Offences = 5
	}
	for _, d := range []struct {
		to  *time.Duration
		def time.Duration
	}{{&cfg.Window, time.Minute}, {&cfg.Duration, 10 * time.Minute}, {&cfg.Longest, 24 * time.Hour}} {
		if *d.to <= 0 {
			*d.to = d.def
		}
	}
	if cfg.Allowed == nil {
		cfg.Allowed = func(netip.Prefix) bool { return false }
	}
	if cfg.UsersAt == nil {
		cfg.UsersAt = func(netip.Prefix, int) []string { return nil }
	}
	if cfg.User == nil {
		cfg.User = func(context.Context, string) (chat.User, error) { return chat.User{}, nil }
	}
	if cfg.Now == nil {
		cfg.Now = func() int64 { return cfg.Clock.Now().UnixMilli() }
	}
	if cfg.Report == nil {
		cfg.Report = func(Report) {}
	}
	g := &Guard{
		cfg: cfg, began: cfg.Clock.Monotonic(), sentences: make(chan sentence, maxSentences),
		users: make(map[string]*conduct), networks: make(map[netip.Prefix]*conduct),
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.over.Go(g.execute)
	return g
}

// Close ends the guard. Bans that wait to be stored are dropped.
func (g *Guard) Close() {
	g.cancel()
	g.over.Wait()
}

// Offences returns how many offences of a kind there were.
func (g *Guard) Offences(k chat.OffenceKind) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.offences[k]
}

// Offended implements chat.Warden.
func (g *Guard) Offended(o chat.Offence) {
	now := g.cfg.Clock.Monotonic()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.offences[o.Kind]++
	network := chat.AddressSubject(o.Address)
	if network.IsValid() && g.cfg.Allowed(network) {
		return
	}
	ban := chat.Ban{UserID: o.UserID}
	var c *conduct
	switch {
	case o.UserID != "":
		c = of(g.users, o.UserID, now-g.cfg.Window)
	case !network.IsValid() || g.excused(o.Kind, now):
		return
	default:
		if _, banned := g.cfg.Bans.OfAddress(o.Address); banned {
			return // this is how it runs into the ban
		}
		ban.Network = network
		c = of(g.networks, network, now-g.cfg.Window)
	}
	if !c.add(o.Kind, now, g.cfg.Window) || c.pending || c.points() < 20*g.cfg.Offences {
		return
	}
	ban.Reason, ban.By = c.reason(now, g.cfg.Window), By
	select {
	case g.sentences <- sentence{ban, o.Kind, o.Address, c.slight(now, g.cfg.Window)}:
		c.pending = true
	default: // so many bans are waiting that this one can wait for its next offence
	}
}

// excused reports whether the server may be the reason for an offence. When it has just started,
// all clients come at once, and some do not get their turn in time.
func (g *Guard) excused(k chat.OffenceKind, now time.Duration) bool {
	return (k == chat.Unused || k == chat.NoAuth) && now-g.began < g.cfg.Window
}

// of returns the conduct of a subject, and makes room for a new one.
func of[S comparable](all map[S]*conduct, s S, since time.Duration) *conduct {
	if c := all[s]; c != nil {
		return c
	}
	if len(all) >= maxCounted {
		for other, c := range all {
			if n := len(c.acts); n == 0 || c.acts[n-1].at < since {
				delete(all, other)
			}
		}
		for other := range all { // any one: an attacker cannot choose which
			if len(all) < maxCounted*3/4 {
				break
			}
			delete(all, other)
		}
	}
	c := &conduct{}
	all[s] = c
	return c
}

// add counts an offence, unless it belongs to the last one of its kind: offences within a second
// count as one.
func (c *conduct) add(k chat.OffenceKind, now, window time.Duration) bool {
	if c.last[k] != 0 && now-c.last[k] < time.Second && points[k] >= 20 && k != chat.BannedGuest {
		return false
	}
	c.last[k] = now
	c.acts = slices.DeleteFunc(c.acts, func(a act) bool { return now-a.at > window })
	if n := len(c.acts); n > 0 && now-c.acts[n-1].at < time.Second {
		c.acts[n-1].points += points[k]
	} else {
		c.acts = append(c.acts, act{now, points[k]})
	}
	return true
}

func (c *conduct) points() (sum int) {
	for _, a := range c.acts {
		sum += a.points
	}
	return sum
}

// slight reports whether all offences within the window were needless connections.
func (c *conduct) slight(now, window time.Duration) bool {
	for k, at := range c.last {
		if at != 0 && now-at <= window && chat.OffenceKind(k) != chat.Unused {
			return false
		}
	}
	return true
}

// reason names the offences within the window.
func (c *conduct) reason(now, window time.Duration) string {
	var kinds []string
	for k, at := range c.last {
		if at != 0 && now-at <= window {
			kinds = append(kinds, chat.OffenceKind(k).String())
		}
	}
	return strings.Join(kinds, ", ")
}

// execute imposes the bans.
func (g *Guard) execute() {
	for {
		select {
		case <-g.ctx.Done():
			return
		case s := <-g.sentences:
			if g.ctx.Err() == nil {
				g.impose(s)
			}
		}
	}
}

func (g *Guard) impose(s sentence) {
	ctx, cancel := context.WithTimeout(g.ctx, banTime)
	defer cancel()
	defer g.settle(&s.ban)
	if s.ban.UserID == "" && g.shared(ctx, s.ban.Network) {
		g.spare(s)
		return
	}
	now := g.cfg.Now()
	s.ban.Since, s.ban.Strike = now, 1
	if last, known := g.cfg.Bans.Last(s.ban.Subject()); known {
		if last.InForce(now) && (last.Until == 0 || last.By != By) {
			return // it is banned already, perhaps for other reasons
		}
		if last.By == By && !s.slight {
			s.ban.Strike = last.Strike + 1
		}
	}
	s.ban.Until = now + g.length(s.ban.Strike).Milliseconds()
	guest := false
	if s.ban.UserID != "" {
		u, err := g.cfg.User(ctx, s.ban.UserID)
		guest = err == nil && u.Guest
	}
	if err := g.cfg.Bans.Ban(ctx, s.ban); err != nil {
		g.cfg.Report(Report{Kind: Failed, Ban: s.ban, Offence: s.offence, Err: fmt.Errorf("banning %s: %w", s.ban.Subject(), err)})
		return
	}
	g.cfg.Report(Report{Kind: Banned, Ban: s.ban, Offence: s.offence})
	g.noteBan()
	if guest {
		g.Offended(chat.Offence{Kind: chat.BannedGuest, Address: s.address})
	}
}

// length is how long a ban lasts.
func (g *Guard) length(strike int) time.Duration {
	d := g.cfg.Duration
	for range strike - 1 {
		if d >= g.cfg.Longest {
			break
		}
		d *= 2
	}
	return min(d, g.cfg.Longest)
}

// Spares implements chat.Warden.
func (g *Guard) Spares(b *chat.Ban) bool {
	if b.By != By {
		return false
	}
	ctx, cancel := context.WithTimeout(g.ctx, banTime)
	defer cancel()
	return g.shared(ctx, b.Network)
}

// spare reports that a network is not banned.
func (g *Guard) spare(s sentence) {
	now := g.cfg.Clock.Monotonic()
	g.mu.Lock()
	c := of(g.networks, s.ban.Network, now-g.cfg.Window)
	due := c.spared == 0 || now-c.spared >= sparedEvery
	if due {
		c.spared = now
	}
	g.mu.Unlock()
	if due {
		g.cfg.Report(Report{Kind: Spared, Ban: s.ban, Offence: s.offence})
	}
}

// settle starts counting a subject from zero.
func (g *Guard) settle(b *chat.Ban) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if b.UserID != "" {
		delete(g.users, b.UserID)
	} else if c := g.networks[b.Network]; c != nil {
		*c = conduct{spared: c.spared}
	}
}

// noteBan reports an attack if there were many bans lately.
func (g *Guard) noteBan() {
	now := g.cfg.Clock.Monotonic()
	g.mu.Lock()
	g.bans = append(g.bans, now)
	if len(g.bans) > attackBans {
		g.bans = g.bans[1:]
	}
	attack := len(g.bans) == attackBans && now-g.bans[0] <= time.Minute && (g.attack == 0 || now-g.attack >= attackEvery)
	if attack {
		g.attack = now
	}
	g.mu.Unlock()
	if attack {
		g.cfg.Report(Report{Kind: Attack, Count: attackBans})
	}
}
