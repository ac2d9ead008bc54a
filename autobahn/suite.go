package autobahn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Cases are all cases of a suite version, the original's first and in its order.
func Cases(version int) ([]*Case, error) {
	if version < 1 || version > Suite {
		return nil, fmt.Errorf("there is no suite version %d; there are 1 to %d", version, Suite)
	}
	return slices.DeleteFunc(slices.Clone(allCases()), func(c *Case) bool { return c.Suite > version }), nil
}

var allCases = sync.OnceValue(func() []*Case {
	var list []*Case
	for _, cases := range [][]*Case{
		framing(), pings(), reservedBits(), opcodes(), fragmentation(), utf8Cases(), closeCases(), speed(), {autoFragmented()}, compression(),
	} {
		list = append(list, cases...)
	}
	list = append(list, ownCases()...)
	for _, c := range list {
		if c.Testee == 0 {
			c.Testee = Both
		}
		if c.Suite == 0 {
			c.Suite = 1
		}
	}
	return list
})

// own reports whether the case is one of ours: its id begins with a letter, which
// none of the original's does.
func (c *Case) own() bool { return c.ID[0] >= 'A' }

// Own reports whether the case is not in the original suite.
func (c *Case) Own() bool { return c.own() }

// Find is the case with an id, or nil.
func Find(cases []*Case, id string) *Case {
	for _, c := range cases {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// Match reports whether an id matches a pattern, in which * stands for any
// characters. "6.2" also matches the cases below it; "original" and "own" are the
// cases that the original suite has, and those that it does not.
func Match(pattern, id string) bool {
	switch pattern {
	case "original":
		return id[0] < 'A'
	case "own":
		return id[0] >= 'A'
	}
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return id == pattern || strings.HasPrefix(id, pattern+".")
	}
	if !strings.HasPrefix(id, parts[0]) {
		return false
	}
	id = id[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		_, rest, found := strings.Cut(id, p)
		if !found {
			return false
		}
		id = rest
	}
	return strings.HasSuffix(id, parts[len(parts)-1])
}

// matches reports whether a pattern means the case: Match, or "deflate" for all that
// negotiate permessage-deflate, or "http2" for all that are played over HTTP/2. Cases over
// HTTP/2 match only patterns of their own: an id, or the beginning of one.
func (c *Case) matches(pattern string) bool {
	if c.HTTP2 != nil {
		return pattern == "http2" || strings.HasPrefix(pattern, c.ID[:1]) && Match(pattern, c.ID)
	}
	return Match(pattern, c.ID) || pattern == "deflate" && c.Deflate != nil
}

// Select is the cases for a role that match one of the patterns and none of the
// others; without patterns, all but those over HTTP/2. A pattern that matches no case at
// all is an error.
func Select(cases []*Case, testee Role, patterns, except []string) ([]*Case, error) {
	for _, p := range slices.Concat(patterns, except) {
		if !slices.ContainsFunc(cases, func(c *Case) bool { return c.matches(p) }) {
			return nil, fmt.Errorf("no case matches %q", p)
		}
	}
	matches := func(list []string, c *Case) bool { return slices.ContainsFunc(list, c.matches) }
	var list []*Case
	for _, c := range cases {
		if c.Testee&testee != 0 && (len(patterns) == 0 && c.HTTP2 == nil || matches(patterns, c)) && !matches(except, c) {
			list = append(list, c)
		}
	}
	return list, nil
}

// Less orders ids like the cases: by their numbers, the original's first.
func Less(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := 0; i < len(x) && i < len(y); i++ {
		m, errM := strconv.Atoi(x[i])
		n, errN := strconv.Atoi(y[i])
		switch {
		case x[i] == y[i]:
			continue
		case errM == nil && errN == nil:
			return m < n
		case (errM == nil) != (errN == nil):
			return errM == nil
		}
		return x[i] < y[i]
	}
	return len(x) < len(y)
}
