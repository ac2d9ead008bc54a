// Package recording reads recorded WebSocket traffic: what clients sent and received, and
// when.
package recording

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"
	"unicode/utf8"
)

// Recording is the traffic of one or more connections.
type Recording struct {
	Name     string    `json:"name"`
	Length   int64     `json:"length_ns"` // to the last message
	Conns    int       `json:"conns"`
	Messages int       `json:"messages"` // all of them
	Sessions []Session `json:"sessions,omitempty"`
}

// Summary is the recording without its messages.
func (r *Recording) Summary() *Recording {
	return &Recording{Name: r.Name, Length: r.Length, Conns: r.Conns, Messages: r.Messages}
}

// String says what it is.
func (r *Recording) String() string {
	return fmt.Sprintf("%s (%d messages on %d connections in %v)", r.Name, r.Messages, r.Conns, time.Duration(r.Length).Round(time.Millisecond))
}

// Largest is the size of the largest message, in bytes.
func (r *Recording) Largest() (n int) {
	for _, s := range r.Sessions {
		for _, m := range s {
			n = max(n, len(m.Data))
		}
	}
	return n
}

// Session is what passed over one connection, in order.
type Session []Message

// Message is one message of a session.
type Message struct {
	At     int64  `json:"at"`               // nanoseconds since the recording's beginning
	Sent   bool   `json:"sent,omitempty"`   // by the client
	Binary bool   `json:"binary,omitempty"` // otherwise it is text
	Data   []byte `json:"data,omitempty"`
}

// maxFile bounds a file, in bytes: its messages are held in memory by each worker.
const maxFile = 256 << 20

// maxLength bounds how long a recording lasts.
const maxLength = 30 * 24 * time.Hour

// Open reads a file: an HTTP archive, as browsers' developer tools export it, or lines of
// JSON.
func Open(name string) (*Recording, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("it is larger than %d MiB", maxFile>>20)
	}
	var r *Recording
	if err == nil {
		r, err = Parse(b)
	}
	if err != nil {
		return nil, fmt.Errorf("recording %s: %w", name, err)
	}
	r.Name = name
	return r, nil
}

// Parse reads a recording as it is written in a file.
func Parse(b []byte) (*Recording, error) {
	parse := parseLines
	if json.Valid(b) && isArchive(b) {
		parse = parseArchive
	} else if !json.Valid(firstLine(b)) {
		return nil, errors.New("it is neither an HTTP archive nor lines of JSON")
	}
	sessions, err := parse(b)
	if err != nil {
		return nil, err
	}
	r := &Recording{Sessions: sessions}
	return r, r.complete()
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(bytes.TrimSpace(b), []byte{'\n'})
	return line
}

// isArchive reports whether a file is an HTTP archive, even if a wrong one.
func isArchive(b []byte) bool {
	var a struct {
		Log json.RawMessage `json:"log"`
	}
	return json.Unmarshal(b, &a) == nil && a.Log != nil
}

// complete sorts the messages, counts time from the first, and adds up.
func (r *Recording) complete() error {
	r.Conns = len(r.Sessions)
	first, sent := int64(math.MaxInt64), false
	for _, s := range r.Sessions {
		slices.SortStableFunc(s, func(a, b Message) int { return cmp.Compare(a.At, b.At) })
		r.Messages += len(s)
		for _, m := range s {
			first, sent = min(first, m.At), sent || m.Sent
			if !m.Binary && !utf8.Valid(m.Data) {
				return errors.New("a text message is not valid UTF-8")
			}
		}
	}
	if !sent {
		return errors.New("it has no message that a client sent")
	}
	for _, s := range r.Sessions {
		for i := range s {
			s[i].At -= first
			r.Length = max(r.Length, s[i].At)
		}
	}
	if r.Length > int64(maxLength) {
		return fmt.Errorf("it lasts %v; at most %v can be replayed", time.Duration(r.Length), maxLength)
	}
	return nil
}

// line is one message in a file of lines.
type line struct {
	At      *float64 `json:"at"`   // seconds
	Conn    string   `json:"conn"` // any name; the connections of equal names are one
	Sent    *string  `json:"sent"`
	Receive *string  `json:"received"`
	Binary  bool     `json:"binary"` // then the message is in base64
}

// parseLines reads lines of JSON.
func parseLines(b []byte) (sessions []Session, err error) {
	index := map[string]int{}
	scan := bufio.NewScanner(bytes.NewReader(b))
	scan.Buffer(nil, maxFile)
	for n := 1; scan.Scan(); n++ {
		text := bytes.TrimSpace(scan.Bytes())
		if len(text) == 0 {
			continue
		}
		var l line
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&l); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		m, err := l.message()
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		at, known := index[l.Conn]
		if !known {
			at = len(sessions)
			index[l.Conn] = at
			sessions = append(sessions, nil)
		}
		sessions[at] = append(sessions[at], m)
	}
	return sessions, scan.Err()
}

func (l *line) message() (m Message, err error) {
	if l.At == nil {
		return m, errors.New("at is missing: when the message passed, in seconds")
	}
	if (l.Sent == nil) == (l.Receive == nil) {
		return m, errors.New("there must be either sent or received")
	}
	text := cmp.Or(l.Sent, l.Receive)
	if m.At, err = nanoseconds(*l.At); err != nil {
		return m, err
	}
	m.Sent, m.Binary = l.Sent != nil, l.Binary
	m.Data, err = payload(*text, l.Binary)
	return m, err
}

// nanoseconds converts seconds, as counted from any moment.
func nanoseconds(seconds float64) (int64, error) {
	if !(seconds >= 0 && seconds < 9e9) {
		return 0, fmt.Errorf("%v is no time in seconds", seconds)
	}
	whole, part := math.Modf(seconds)
	return int64(whole)*int64(time.Second) + int64(math.Round(part*1e9)), nil
}
