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
			p.say(s.text)
			seen["→ "+typeOf(t, s.text)] = true
		case "←":
			if diff := cmp.Diff(s.text, translate(p.hear())); diff != "" {
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
		"→ auth", "→ heartbeat", "→ message", "→ group", "→ join", "→ leave", "→ history", "→ presence", "→ rooms", "→ peers",
		"← auth_ok", "← heartbeat", "← message", "← group", "← ack", "← history", "← presence", "← rooms", "← peers", "← system", "← error",
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

// newTranslator replaces what is random in what the hub says by what stands in
// the document.
func newTranslator(epoch string) func(string) string {
	session := regexp.MustCompile(`"s_[a-z2-7]{16}"`)
	n := 0
	return func(m string) string {
		m = strings.ReplaceAll(m, epoch, "k7d2m5q9w3xta")
		return session.ReplaceAllStringFunc(m, func(string) string {
			n++
			return fmt.Sprintf(`"s_%d"`, n)
		})
	}
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
