// Package alert tells operators what needs their attention: by a line in the log, a count for a
// metric, and a webhook.
//
// An alert never delays what raises it. Alerts of one kind and subject are told at most once in a
// minute; the next one says how many were left out.
package alert

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// Kind is a kind of alert. Its text is stable: it is a label of the metric, and "kind" in the log
// and in the webhook.
type Kind string

const (
	Ban    Kind = "ban"    // somebody was banned automatically
	Spared Kind = "spared" // a network should have been banned, but well-behaved users share it
	Attack Kind = "attack" // many were banned within a minute
	Limit  Kind = "limit"  // a limit of the whole server refuses people who have done nothing
	Engine Kind = "engine" // the engine cannot be used, or can be used again
)

// Kinds are all kinds.
var Kinds = []Kind{Ban, Spared, Attack, Limit, Engine}

// Alert is something that needs attention.
type Alert struct {
	Kind     Kind
	Subject  string // who or what it is about: a user, a network, a setting
	Text     string // a sentence for people
	Resolved bool   // what an earlier alert has told of is over
	Fields   []slog.Attr
}

const (
	// quiet is how long after an alert others of its kind and subject are not told.
	quiet = time.Minute

	// maxQuiet bounds the subjects that are remembered for that.
	maxQuiet = 4096
)

// Alerts tells of alerts.
type Alerts struct {
	log   *slog.Logger
	clock chat.Clock
	hook  *Webhook // nil: there is none

	mu sync.Mutex
	// Guarded by mu.
	counts map[Kind]uint64
	told   map[subject]*repetition
}

type subject struct {
	kind     Kind
	subject  string
	resolved bool
}

// repetition is when something was told last, and how often it was not since then.
type repetition struct {
	at   time.Duration
	more int
}

// New returns Alerts that go to log and, unless it is nil, to hook. A nil clock is the system's.
func New(log *slog.Logger, clock chat.Clock, hook *Webhook) *Alerts {
	if clock == nil {
		clock = chat.SystemClock()
	}
	return &Alerts{log: log, clock: clock, hook: hook, counts: make(map[Kind]uint64), told: make(map[subject]*repetition)}
}

// Raise tells of an alert. It does not block.
func (a *Alerts) Raise(one Alert) {
	more, due := a.due(&one)
	if !due {
		return
	}
	at := a.clock.Now()
	attrs := append([]slog.Attr{slog.String("kind", string(one.Kind)), slog.String("subject", one.Subject), slog.Bool("resolved", one.Resolved)}, one.Fields...)
	if more > 0 {
		attrs = append(attrs, slog.Int("left_out", more))
	}
	level := slog.LevelWarn
	if one.Resolved {
		level = slog.LevelInfo
	}
	a.log.LogAttrs(context.Background(), level, "alert: "+one.Text, attrs...)
	if a.hook != nil {
		a.hook.send(&one, at, more)
	}
}

// due counts an alert, and reports whether it is to be told now, and how many were left out
// before it.
func (a *Alerts) due(one *Alert) (more int, due bool) {
	now := a.clock.Monotonic()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counts[one.Kind]++
	key := subject{one.Kind, one.Subject, one.Resolved}
	last := a.told[key]
	if last != nil && now-last.at < quiet {
		last.more++
		return 0, false
	}
	if last != nil {
		more = last.more
	} else if len(a.told) >= maxQuiet {
		for k, r := range a.told {
			if now-r.at >= quiet {
				delete(a.told, k)
			}
		}
		if len(a.told) >= maxQuiet {
			clear(a.told)
		}
	}
	a.told[key] = &repetition{at: now}
	return more, true
}

// Count returns how many alerts of a kind there were, those that were left out included.
func (a *Alerts) Count(k Kind) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counts[k]
}

// Webhook returns how many alerts the webhook has taken, has not taken after all tries, and how
// many it was not sent as too many waited.
func (a *Alerts) Webhook() (sent, failed, dropped uint64) {
	if a.hook == nil {
		return 0, 0, 0
	}
	return a.hook.Sent(), a.hook.Failed(), a.hook.Dropped()
}

// Close ends the webhook, for which it waits a little.
func (a *Alerts) Close() {
	if a.hook != nil {
		a.hook.close()
	}
}
