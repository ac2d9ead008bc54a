package autobahn

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// Direction says which side sent the bytes of a LogEntry.
type Direction string

// Sent is by the tester, Received is from the testee; a Note belongs to neither.
const (
	Sent     Direction = ">"
	Received Direction = "<"
	Note     Direction = "-"
)

// LogEntry is one line of a WireLog.
type LogEntry struct {
	At   float64   `json:"ms"` // milliseconds since the case began
	Dir  Direction `json:"dir"`
	Text string    `json:"text"`
	Hex  string    `json:"hex,omitempty"` // the first bytes
	Size int       `json:"size,omitempty"`
}

// WireLog is everything that went over a connection, abridged.
type WireLog struct {
	Entries []LogEntry
	start   time.Time
	mu      sync.Mutex // what goes over HTTP/2 is logged by goroutines of its own
}

const (
	logBytes   = 96  // of one write or read
	logEntries = 400 // in one log
)

func newWireLog(start time.Time) *WireLog { return &WireLog{start: start} }

// Len is how many entries there are.
func (l *WireLog) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.Entries)
}

func (l *WireLog) add(e LogEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.Entries) == logEntries:
		e = LogEntry{Dir: Note, Text: "the log ends here"}
		fallthrough
	case len(l.Entries) < logEntries:
		e.At = float64(time.Since(l.start).Microseconds()) / 1000
		l.Entries = append(l.Entries, e)
	}
}

func (l *WireLog) note(format string, args ...any) {
	l.add(LogEntry{Dir: Note, Text: fmt.Sprintf(format, args...)})
}

// octets logs the bytes of one write or read.
func (l *WireLog) octets(d Direction, p []byte) {
	shown := p[:min(len(p), logBytes)]
	l.add(LogEntry{Dir: d, Text: fmt.Sprintf("%d bytes", len(p)), Hex: hex.EncodeToString(shown), Size: len(p)})
}

func (l *WireLog) head(d Direction, p []byte) {
	l.add(LogEntry{Dir: d, Text: printable(p, 4096), Size: len(p)})
}

// frame logs a frame that is about to be sent.
func (l *WireLog) frame(d Direction, f *wire.Frame) {
	l.add(LogEntry{Dir: d, Text: describe(f)})
}

// received logs a frame that arrived.
func (l *WireLog) received(h wire.Header, p []byte) {
	mask := ""
	if h.Masked {
		mask = fmt.Sprintf(" masked %x", h.Key)
	}
	l.add(LogEntry{Dir: Received, Text: fmt.Sprintf("%s fin=%d rsv=%03b length=%d%s %s",
		opcodeName(h.Opcode), bit(h.Fin), h.RSV, h.Length, mask, printable(p, 64))})
}

// describe is a frame in words.
func describe(f *wire.Frame) string {
	var b strings.Builder
	if f.Claims {
		fmt.Fprintf(&b, "%s fin=%d rsv=%03b length=%d (there are %d)", opcodeName(f.Opcode), bit(f.Fin), f.RSV, f.Claim, len(f.Payload))
	} else {
		fmt.Fprintf(&b, "%s fin=%d rsv=%03b length=%d", opcodeName(f.Opcode), bit(f.Fin), f.RSV, len(f.Payload))
	}
	switch f.Form {
	case wire.Length16:
		b.WriteString(" in 16 bits")
	case wire.Length64:
		b.WriteString(" in 64 bits")
	}
	switch f.Masking {
	case wire.Never:
		b.WriteString(" not masked")
	case wire.Always:
		b.WriteString(" masked")
	}
	if len(f.Payload) > 0 {
		b.WriteString(" " + printable(f.Payload, 64))
	}
	return b.String()
}

func opcodeName(op byte) string {
	switch op {
	case wire.Continuation:
		return "continuation"
	case wire.Text:
		return "text"
	case wire.Binary:
		return "binary"
	case wire.Close:
		return "close"
	case wire.Ping:
		return "ping"
	case wire.Pong:
		return "pong"
	}
	return fmt.Sprintf("opcode-%d", op)
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// printable quotes p if it is printable text, and otherwise writes hex.
func printable(p []byte, limit int) string {
	if len(p) == 0 {
		return ""
	}
	shown, more := p, ""
	if len(p) > limit {
		shown, more = p[:limit], "…"
		for len(shown) > 0 && !utf8.RuneStart(p[len(shown)]) {
			shown = shown[:len(shown)-1]
		}
	}
	if utf8.Valid(shown) && !bytes.ContainsFunc(shown, func(r rune) bool {
		return !unicode.IsPrint(r) && r != '\n' && r != '\r' && r != '\t'
	}) {
		return strconv.Quote(string(shown)) + more
	}
	return "0x" + hex.EncodeToString(p[:min(len(p), limit)]) + more
}

// oneLine is a name that the testee chose, made safe for a table: without line
// breaks or column separators.
func oneLine(name string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return r // bytes that are not UTF-8 have become U+FFFD
	}, name))
}
