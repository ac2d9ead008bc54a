package chat_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/hawser-ws/hawser/chat"
)

// linesOf counts the lines of a log by their text.
type linesOf struct {
	mu    sync.Mutex
	lines map[string]int // Guarded by mu.
}

func (l *linesOf) Enabled(context.Context, slog.Level) bool { return true }
func (l *linesOf) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *linesOf) WithGroup(string) slog.Handler            { return l }

func (l *linesOf) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[r.Message]++
	return nil
}

// However many log-ins are refused, the log says so a few times only.
func TestRefusedLoginsLeaveFewLines(t *testing.T) {
	log := &linesOf{lines: make(map[string]int)}
	h := newHouse(t, func(c *chat.Config) { c.Log = slog.New(log) })
	for range 200 {
		p := h.connect()
		p.say(`{"type":"auth","token":"forged"}`)
		if m := p.hear(); typeOf(t, m) != "error" {
			t.Fatalf("auth was answered by %s", m)
		}
	}
	h.settle()
	log.mu.Lock()
	defer log.mu.Unlock()
	for _, text := range []string{"chat: auth refused", "chat: closing a connection"} {
		if n := log.lines[text]; n == 0 || n > 60 {
			t.Errorf("%q is logged %d times", text, n)
		}
	}
}
