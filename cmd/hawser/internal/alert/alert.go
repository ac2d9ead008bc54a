// Package alert tells operators what needs their attention: by a line in the log, a count for a
// metric, and a webhook.
//
// An alert never delays the code that raises it. Alerts of one kind and subject are sent once a
// minute, and those of one kind thirty times a minute, whatever an attacker does. The number that
// was left out is reported at the end of that minute. The end of a condition, and its return, are
// always reported.
package alert

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// Kind is a kind of alert. Its text is stable: it is a label of the metric, and "kind" in the log
// and in the webhook.
type Kind string

const (
	Ban    Kind = "ban"    // a user or network was banned automatically
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
	Subject  string // a user, a network, or a setting
	Text     string // a sentence for people
	Resolved bool   // the condition of an earlier alert is over
	Fields   []slog.Attr
}

const (
	// quiet is how long after an alert others of its kind and subject are left out.
	quiet = time.Minute

	// maxTold is the maximum number of alerts of a kind within quiet.
	maxTold = 30

	// manyTold is how many subjects are remembered before those whose quiet is over are
	// forgotten.
	manyTold = 256
)

// Alerts logs, counts and sends alerts.
type Alerts struct {
	log   *slog.Logger
	clock chat.Clock
	hook  *Webhook // nil: there is none

	mu sync.Mutex
	// Guarded by mu.
	kinds  map[Kind]*kindState
	told   map[subject]told
	stop   func() bool // prevents the next summary; nil: none is due
	closed bool
}

type subject struct {
	kind    Kind
	subject string
}

// told is the last report about a subject.
type told struct {
	at       time.Duration
	resolved bool
}

// kindState is the state of the alerts of a kind.
type kindState struct {
	count uint64 // all

	since   time.Duration // when the minute that told counts in began
	told    int
	leftOut int    // since the last summary
	subject string // of those that were left out; "" if they have several
}

// New returns Alerts that go to log and, unless it is nil, to hook. A nil clock is the system's.
func New(log *slog.Logger, clock chat.Clock, hook *Webhook) *Alerts {
	if clock == nil {
		clock = chat.SystemClock()
	}
	return &Alerts{log: log, clock: clock, hook: hook, kinds: make(map[Kind]*kindState), told: make(map[subject]told)}
}

// Raise reports an alert. It does not block.
func (a *Alerts) Raise(one Alert) {
	if a.due(&one) {
		a.tell(&one, 0)
	}
}

// tell sends an alert, or how many were left out.
func (a *Alerts) tell(one *Alert, leftOut int) {
	attrs := append([]slog.Attr{slog.String("kind", string(one.Kind)), slog.String("subject", one.Subject), slog.Bool("resolved", one.Resolved)}, one.Fields...)
	if leftOut > 0 {
		attrs = append(attrs, slog.Int("left_out", leftOut))
	}
	level := slog.LevelWarn
	if one.Resolved {
		level = slog.LevelInfo
	}
	a.log.LogAttrs(context.Background(), level, "alert: "+one.Text, attrs...)
	if a.hook != nil {
		a.hook.send(one, a.clock.Now(), leftOut)
	}
}

// due counts an alert, and reports whether it must be sent now.
func (a *Alerts) due(one *Alert) bool {
	now := a.clock.Monotonic()
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.kinds[one.Kind]
	if k == nil {
		k = &kindState{since: now}
		a.kinds[one.Kind] = k
	}
	k.count++
	if now-k.since >= quiet {
		k.since, k.told = now, 0
	}
	key := subject{one.Kind, one.Subject}
	last, known := a.told[key]
	changes := one.Resolved
	if known {
		changes = one.Resolved != last.resolved
	}
	if !changes && (known && now-last.at < quiet || k.told >= maxTold) {
		a.leaveOut(k, one)
		return false
	}
	k.told++
	if !known && len(a.told) >= manyTold {
		maps.DeleteFunc(a.told, func(_ subject, t told) bool { return now-t.at >= quiet })
	}
	a.told[key] = told{now, one.Resolved}
	return true
}

// leaveOut counts an alert for the next summary. Called with mu held.
func (a *Alerts) leaveOut(k *kindState, one *Alert) {
	if k.leftOut == 0 {
		k.subject = one.Subject
	} else if k.subject != one.Subject {
		k.subject = ""
	}
	k.leftOut++
	if a.stop == nil && !a.closed {
		a.stop = a.clock.AfterFunc(quiet, a.summarize)
	}
}

// summarize reports how many alerts were left out.
func (a *Alerts) summarize() {
	var all []Alert
	var leftOut []int
	a.mu.Lock()
	a.stop = nil
	for _, kind := range Kinds {
		if k := a.kinds[kind]; k != nil && k.leftOut > 0 {
			text := fmt.Sprintf("%d more alerts of this kind were left out", k.leftOut)
			all, leftOut = append(all, Alert{Kind: kind, Subject: k.subject, Text: text}), append(leftOut, k.leftOut)
			k.leftOut = 0
		}
	}
	a.mu.Unlock()
	for i := range all {
		a.tell(&all[i], leftOut[i])
	}
}

// Count returns how many alerts of a kind there were, those that were left out included.
func (a *Alerts) Count(k Kind) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if state := a.kinds[k]; state != nil {
		return state.count
	}
	return 0
}

// Webhook returns how many alerts the webhook has accepted, how many it has not accepted after
// all tries, and how many were not sent because too many were waiting.
func (a *Alerts) Webhook() (sent, failed, dropped uint64) {
	if a.hook == nil {
		return 0, 0, 0
	}
	return a.hook.Sent(), a.hook.Failed(), a.hook.Dropped()
}

// Close reports how many alerts were left out, and ends the webhook, for which it waits briefly.
func (a *Alerts) Close() {
	a.mu.Lock()
	a.closed = true
	if a.stop != nil {
		a.stop()
	}
	a.mu.Unlock()
	a.summarize()
	if a.hook != nil {
		a.hook.close()
	}
}
