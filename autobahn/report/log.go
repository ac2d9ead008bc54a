package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hawser-ws/hawser/autobahn"
)

// headLines are the lines of a handshake in a wire log; is reports whether the entry is
// one. Unprintable text is not part of a handshake, and stays as it is logged.
func headLines(e autobahn.LogEntry) (lines []string, is bool) {
	if e.Hex != "" || e.Size == 0 || e.Dir == autobahn.Note {
		return nil, false
	}
	quoted, err := strconv.QuotedPrefix(e.Text)
	if err != nil {
		return nil, false
	}
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return nil, false
	}
	text = strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	return strings.Split(strings.ReplaceAll(text, "\r", `\r`)+e.Text[len(quoted):], "\n"), true
}

// line is a wire log's entry as the page shows it.
type line struct {
	At   float64
	Dir  string // an arrow
	Who  string // in words
	Kind string // of a frame: its first word
	Text string
	Head string // a handshake
	Dump string
}

func logLines(r *autobahn.Result) (list []line) {
	if r.Log == nil {
		return nil
	}
	for _, e := range r.Log.Entries {
		l := line{At: e.At, Text: e.Text, Dir: "·"}
		switch e.Dir {
		case autobahn.Sent:
			l.Dir, l.Who = "→", "sent"
		case autobahn.Received:
			l.Dir, l.Who = "←", "received"
		}
		if head, is := headLines(e); is {
			l.Head, l.Text, l.Kind = strings.Join(head, "\n"), "", "handshake"
		} else if kind, rest, found := strings.Cut(e.Text, " fin="); found {
			l.Kind, l.Text = kind, "fin="+rest
		} else if e.Hex != "" {
			l.Kind, l.Dump = "bytes", dump(e.Hex)
		}
		list = append(list, l)
	}
	if r.Passes(true) {
		return shortened(list)
	}
	return list
}

// The log of a case that passed is shown by its beginning and its end.
const (
	passedHead = 16
	passedTail = 8
)

// shortened leaves out the middle of a passed case's log. No reader needs hundreds of lines
// of it, and a page with all of them would be too large for a phone.
func shortened(list []line) []line {
	left := len(list) - passedHead - passedTail
	if left <= 1 {
		return list
	}
	middle := line{At: list[passedHead].At, Dir: "·", Text: fmt.Sprintf("… %d more lines, which the case's JSON file has", left)}
	return slices.Concat(list[:passedHead], []line{middle}, list[len(list)-passedTail:])
}
