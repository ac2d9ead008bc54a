package autobahn

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// Common says in one line what many failures have in common but no single one shows:
// handshakes that were refused because there were too many, or messages that the server
// sends by itself. "" means nothing.
func Common(results []*Result) string {
	full, last := 0, ""
	for _, r := range results {
		start, _, _ := strings.Cut(r.Response, "\r\n")
		if _, status, _ := strings.Cut(start, " "); !r.Passes(false) && (strings.HasPrefix(status, "429") || strings.HasPrefix(status, "503")) {
			full, last = full+1, status
		}
	}
	if full > 0 {
		return fmt.Sprintf("%d of %d handshakes were answered with %s: the server takes no more connections, or none so fast; --parallel makes fewer at once", full, len(results), clipped([]byte(last)))
	}
	if what, n := unasked(results); n > 0 {
		return fmt.Sprintf("in %d cases the server sent %s without being asked, which the cases take for a wrong echo", n, what)
	}
	return ""
}

// A message counts as sent by the server itself if it came in at least this many cases,
// of this many groups, none of which had sent it.
const (
	unaskedCases  = 3
	unaskedGroups = 2
	unaskedBytes  = 256
)

// unasked is the message that most failed cases received and had not sent.
func unasked(results []*Result) (what string, n int) {
	type count struct {
		cases  int
		groups []string
	}
	counts := map[string]*count{}
	for _, r := range results {
		if r.Passes(false) || r.Case.Loop != nil || r.Case.make != nil {
			continue
		}
		seen := map[string]bool{}
		for _, e := range r.Received {
			if e.Kind != MessageEvent || len(e.Payload) == 0 || len(e.Payload) > unaskedBytes || r.Case.sends(e.Payload) {
				continue
			}
			key := kind(e.Binary) + " " + clipped(e.Payload)
			if seen[key] {
				continue
			}
			seen[key] = true
			if counts[key] == nil {
				counts[key] = &count{}
			}
			c := counts[key]
			c.cases++
			if group, _, _ := strings.Cut(r.Case.ID, "."); !slices.Contains(c.groups, group) {
				c.groups = append(c.groups, group)
			}
		}
	}
	for key, c := range counts {
		if c.cases >= unaskedCases && len(c.groups) >= unaskedGroups && (c.cases > n || c.cases == n && key < what) {
			what, n = key, c.cases
		}
	}
	return what, n
}

// sends reports whether p is made of what the case sends: it is a part of that, or
// contains a part of it, in upper or lower case.
func (c *Case) sends(p []byte) bool {
	const few = 3 // bytes that may be anywhere by chance
	p = bytes.ToLower(p)
	var all []byte
	var frames []*wire.Frame
	for _, step := range c.Script {
		frames = append(frames, step.frames...)
	}
	if c.Opening != nil {
		frames = append(frames, c.Opening.Glue...)
	}
	for _, f := range frames {
		part := bytes.ToLower(f.Payload)
		if len(part) > few && bytes.Contains(p, part) {
			return true
		}
		all = append(all, part...)
	}
	return bytes.Contains(all, p)
}
