package browser

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"sync"
)

// maxLog bounds how much of a browser's latest output is kept.
const maxLog = 16 << 10

// log collects what a browser's processes write.
type log struct {
	mu      sync.Mutex
	text    []byte        // Guarded by mu.
	written chan struct{} // Guarded by mu. Closed by the next write.
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if extra := len(l.text) - maxLog; extra > 0 {
		l.text = bytes.Clone(l.text[extra:])
	}
	if l.written != nil {
		close(l.written)
		l.written = nil
	}
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// find waits for a line, and returns the part of it that is in parentheses.
func (l *log) find(ctx context.Context, p *process, line *regexp.Regexp) (string, error) {
	for {
		l.mu.Lock()
		text := string(l.text)
		if l.written == nil {
			l.written = make(chan struct{})
		}
		written := l.written
		l.mu.Unlock()
		if found := line.FindStringSubmatch(text); found != nil {
			return found[1], nil
		}
		select {
		case <-written:
		case <-p.dead:
			return "", errors.New("it has ended before it was ready")
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}
