package chat_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// step is one line of a conversation in PROTOCOL.md.
type step struct {
	line int
	who  string
	mark string // → ← ✕
	text string
}

// readSteps takes the conversation out of the document: the lines of the blocks
// marked chat, where an indented line continues the one above.
func readSteps(t *testing.T, document string) (steps []step) {
	t.Helper()
	inside := false
	for i, line := range strings.Split(document, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```chat"
		case !inside || line == "":
		case line[0] == ' ':
			steps[len(steps)-1].text += strings.TrimSpace(line)
		default:
			part := strings.SplitN(line, " ", 3)
			if len(part) != 3 || !strings.Contains("→←✕", part[1]) {
				t.Fatalf("line %d is no step: %s", i+1, line)
			}
			steps = append(steps, step{i + 1, part[0], part[1], part[2]})
		}
	}
	return steps
}

// TestProtocolExamples holds the conversation of PROTOCOL.md and compares every
// byte of every answer. Each participant must hear what the document says, in that
// order, and nothing else.
func TestProtocolExamples(t *testing.T) {
	document, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := readSteps(t, string(document))
	h := newHouse(t, nil)
	translate := newTranslator(h.tail("r:lobby").Epoch)
	peers := make(map[string]*peer)
	seen := make(map[string]bool)
	for _, s := range steps {
		p := peers[s.who]
		if p == nil {
			certified := ""
			if s.who == "cert" {
				certified = "u_ada"
			}
			p = h.connectAs(certified)
			peers[s.who] = p
		}
		switch s.mark {
		case "→":
			h.quiet(t, peers, s.line)
			p.say(translate.said(s.text))
			seen["→ "+typeOf(t, s.text)] = true
		case "←":
			if diff := cmp.Diff(s.text, translate.written(p.hear())); diff != "" {
				t.Fatalf("PROTOCOL.md:%d: %s does not hear what is written (-written +heard):\n%s", s.line, s.who, diff)
			}
			seen["← "+typeOf(t, s.text)] = true
		case "✕":
			code, reason := p.hearClose()
			if diff := cmp.Diff(s.text, fmt.Sprintf("%d %s", code, reason)); diff != "" {
				t.Fatalf("PROTOCOL.md:%d: closed otherwise (-written +heard):\n%s", s.line, diff)
			}
		}
	}
	h.quiet(t, peers, len(document))
	for _, want := range []string{
		"→ auth", "→ heartbeat", "→ message", "→ group", "→ join", "→ leave", "→ history", "→ presence", "→ rooms", "→ peers", "→ sessions", "→ logout",
		"← auth_ok", "← heartbeat", "← message", "← group", "← ack", "← history", "← presence", "← rooms", "← peers", "← system", "← error", "← sessions", "← resume",
	} {
		if !seen[want] {
			t.Errorf("the document has no example of %s", want)
		}
	}
}

// quiet checks that nobody has heard anything that was not expected.
func (h *house) quiet(t *testing.T, peers map[string]*peer, line int) {
	t.Helper()
	h.settle()
	for who, p := range peers {
		if more := p.leftover(); more != nil {
			t.Fatalf("PROTOCOL.md:%d: by now %s has also heard %q", line, who, more)
		}
	}
}

// translator replaces what is random in what the hub says by what stands in the document,
// and the other way round.
type translator struct {
	epoch string
	names map[string]string // what is random, by what stands in the document
	known map[string]string // the reverse
}

func newTranslator(epoch string) *translator {
	return &translator{epoch: epoch, names: make(map[string]string), known: make(map[string]string)}
}

var random = []struct {
	prefix string
	re     *regexp.Regexp
}{
	{"s_", regexp.MustCompile(`s_[a-z2-7]{16}`)},
	{"KEY-", regexp.MustCompile(`[A-Z2-7]{26}`)},
	{"k7d2m5q9w3xta.", regexp.MustCompile(`k7d2m5q9w3xta\.[1-9][0-9]*\.[0-9a-z]+`)}, // a position, but for 0
}

// written is what the document has in place of what the hub says.
func (tr *translator) written(m string) string {
	m = strings.ReplaceAll(m, tr.epoch, "k7d2m5q9w3xta")
	for _, r := range random {
		m = r.re.ReplaceAllStringFunc(m, func(s string) string {
			name, ok := tr.known[s]
			if !ok {
				n := 1
				for other := range tr.names {
					if strings.HasPrefix(other, r.prefix) {
						n++
					}
				}
				name = fmt.Sprint(r.prefix, n)
				if r.prefix == "k7d2m5q9w3xta." {
					name = s[:strings.LastIndexByte(s, '.')] + fmt.Sprint(".T", n)
				}
				tr.known[s], tr.names[name] = name, s
			}
			return name
		})
	}
	return m
}

// said is what the hub has said for what the document has in its place.
func (tr *translator) said(m string) string {
	for name, s := range tr.names {
		m = strings.ReplaceAll(m, `"`+name+`"`, `"`+s+`"`)
	}
	return strings.ReplaceAll(m, "k7d2m5q9w3xta", tr.epoch)
}

// typeOf is the type of a message; "" for what is not JSON.
func typeOf(t testing.TB, message string) string {
	t.Helper()
	var m struct {
		Type string `json:"type"`
	}
	json.Unmarshal([]byte(message), &m)
	return m.Type
}
