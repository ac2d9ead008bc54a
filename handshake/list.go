package handshake

import (
	"fmt"
	"strings"
)

// RFC 7230 §3.2.6 and §7, as far as the handshake's headers need them:
//
//	token  = 1*tchar
//	tchar  = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "."
//	       / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
//	OWS    = *( SP / HTAB )
//	1#elem = *( "," OWS ) elem *( OWS "," [ OWS elem ] )
//
// A header on several lines is one list, so the lines are parsed one after the other.
// No element spans two lines.

// isTchar reports whether c is allowed in a token.
func isTchar(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// isAlphanumeric reports whether c is an ASCII letter or digit.
func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isToken reports whether s is one token.
func isToken(s string) bool {
	for i := range len(s) {
		if !isTchar(s[i]) {
			return false
		}
	}
	return s != ""
}

// lower returns the ASCII lower case of c.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// equalFold compares strings, ignoring ASCII case. strings.EqualFold would also accept
// the Kelvin sign for a k, as in "websoc\u212Aet".
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// hasElement reports whether the comma-separated lists in lines contain want, ignoring
// ASCII case. Other elements are not checked: they are protocols and connection options
// that do not concern us.
func hasElement(lines []string, want string) bool {
	for _, line := range lines {
		for elem := range strings.SplitSeq(line, ",") {
			if equalFold(strings.Trim(elem, " \t"), want) {
				return true
			}
		}
	}
	return false
}

// isOnly reports whether the comma-separated lists in lines contain want, once or more,
// and nothing else, ignoring ASCII case.
func isOnly(lines []string, want string) bool {
	some := false
	for _, line := range lines {
		for elem := range strings.SplitSeq(line, ",") {
			elem = strings.Trim(elem, " \t")
			if elem != "" && !equalFold(elem, want) {
				return false
			}
			some = some || elem != ""
		}
	}
	return some
}

// cursor parses a header line from left to right, without backtracking.
type cursor struct {
	line string
	pos  int
}

// done skips white space and reports whether the line ends there.
func (c *cursor) done() bool {
	for c.pos < len(c.line) && (c.line[c.pos] == ' ' || c.line[c.pos] == '\t') {
		c.pos++
	}
	return c.pos == len(c.line)
}

// accept skips white space, and the byte b if it comes next.
func (c *cursor) accept(b byte) bool {
	if c.done() || c.line[c.pos] != b {
		return false
	}
	c.pos++
	return true
}

// token skips white space and reads a token.
func (c *cursor) token() (string, error) {
	c.done()
	start := c.pos
	for c.pos < len(c.line) && isTchar(c.line[c.pos]) {
		c.pos++
	}
	if c.pos == start {
		return "", c.errorf("want a token")
	}
	return c.line[start:c.pos], nil
}

// endElement ends a list's element: a comma or the end of the line must follow.
func (c *cursor) endElement() error {
	if c.done() || c.accept(',') {
		return nil
	}
	return c.errorf("want a comma")
}

// errorf returns an error that says what is expected at the cursor.
func (c *cursor) errorf(what string) error {
	return fmt.Errorf("%s at byte %d of %s", what, c.pos, quote(c.line))
}
