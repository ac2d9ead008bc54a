package server

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// LogRate is the number of records of one kind that LimitLog passes per second.
const LogRate = 10

// LimitLog returns a handler for records that strangers can cause, such as failed
// handshakes, so that they cannot fill the log. A kind is a level and a message.
// LimitLog passes LogRate records of each kind per second. At the end of a second in
// which there were more, it adds one record of that kind with the number of the others
// as attribute "suppressed".
//
// Messages should therefore be constant, and what varies should be in attributes.
// Beyond 1,000 kinds, all further messages of a level are one kind.
//
// If h came from LimitLog, it is returned as it is. A Server applies LimitLog to its
// Config.Logger itself.
func LimitLog(h slog.Handler) slog.Handler {
	if limited, ok := h.(*limitedLog); ok {
		return limited
	}
	return &limitedLog{next: h, kinds: &logKinds{}}
}

type limitedLog struct {
	next  slog.Handler
	kinds *logKinds // shared by what WithAttrs and WithGroup derive
}

const maxLogKinds = 1000

type logKinds struct {
	mu     sync.Mutex
	counts map[logKind]*logCount // Guarded by mu.
}

type logKind struct {
	level   slog.Level
	message string
}

// logCount counts one kind in one second.
type logCount struct {
	began      time.Time
	passed     int
	suppressed int
}

func (l *limitedLog) Enabled(ctx context.Context, level slog.Level) bool {
	return l.next.Enabled(ctx, level)
}

func (l *limitedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &limitedLog{l.next.WithAttrs(attrs), l.kinds}
}

func (l *limitedLog) WithGroup(name string) slog.Handler {
	return &limitedLog{l.next.WithGroup(name), l.kinds}
}

func (l *limitedLog) Handle(ctx context.Context, r slog.Record) error {
	if !l.pass(logKind{r.Level, r.Message}) {
		return nil
	}
	return l.next.Handle(ctx, r)
}

// pass counts a record of a kind and reports whether it may be logged. The first one
// that may not schedules the report at the end of the second.
func (l *limitedLog) pass(kind logKind) bool {
	k := l.kinds
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.counts[kind]
	if c == nil {
		if k.counts == nil {
			k.counts = map[logKind]*logCount{}
		}
		if len(k.counts) >= maxLogKinds {
			kind.message = "other messages"
		}
		if c = k.counts[kind]; c == nil {
			c = &logCount{}
			k.counts[kind] = c
		}
	}
	now := time.Now()
	if c.suppressed == 0 && now.Sub(c.began) >= time.Second {
		*c = logCount{began: now}
	}
	if c.passed < LogRate {
		c.passed++
		return true
	}
	if c.suppressed++; c.suppressed == 1 {
		time.AfterFunc(c.began.Add(time.Second).Sub(now), func() { l.report(kind, c) })
	}
	return false
}

// report ends a second in which records were suppressed, and logs their number.
func (l *limitedLog) report(kind logKind, c *logCount) {
	l.kinds.mu.Lock()
	n := c.suppressed
	*c = logCount{}
	l.kinds.mu.Unlock()
	r := slog.NewRecord(time.Now(), kind.level, kind.message, 0)
	r.AddAttrs(slog.Int("suppressed", n))
	l.next.Handle(context.Background(), r)
}
