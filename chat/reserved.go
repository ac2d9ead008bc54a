package chat

import (
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// isReserved reports whether a name can be read as reserved words and companions, with at
// least one reserved word, whatever is between their letters. An article may come first.
func isReserved(name string) bool {
	return readsReserved(name) || readsReserved(withoutArticle(name))
}

func withoutArticle(name string) string {
	first, rest, more := strings.Cut(name, " ")
	if more && slices.ContainsFunc(articles, func(a string) bool { return strings.EqualFold(a, first) }) {
		return rest
	}
	return name
}

// readsReserved reads a name in all ways at once. The state of each way is a node, which is how
// much of a word has been read, and whether there was a reserved word before it.
func readsReserved(name string) bool {
	var at [2]nodeSet // by whether a reserved word came before
	at[0].add(0)
	for _, r := range norm.NFKD.String(name) {
		if isIgnorable(r) {
			continue
		}
		var next [2]nodeSet
		for _, letters := range readings(r) {
			for found := range at {
				for node := range at[found].all {
					wordTree.advance(&next, node, found, letters)
				}
			}
		}
		at = next
	}
	for found := range at {
		for node := range at[found].all {
			if kind := wordTree[node].kind; kind == reservedWord || found == 1 && (node == 0 || kind == companionWord) {
				return true
			}
		}
	}
	return false
}

// readings is fold, with a table for common characters.
func readings(r rune) []string {
	if r < utf8.RuneSelf {
		return foldedASCII[r]
	}
	return fold(r)
}

var foldedASCII = func() (table [utf8.RuneSelf][]string) {
	for r := range table {
		table[r] = fold(rune(r))
	}
	return table
}()

// tree holds the first readings of the reserved words and companions, with one letter per
// step. Node 0 is the beginning of a word.
type tree []treeNode

type treeNode struct {
	kind wordKind
	next []treeEdge
}

type treeEdge struct {
	letter rune
	to     int
}

type wordKind uint8

const (
	noWord wordKind = iota
	companionWord
	reservedWord
)

var wordTree = func() tree {
	t := tree{{}}
	for kind, list := range map[wordKind][]string{reservedWord: reserved, companionWord: companions} {
		for _, w := range list {
			node := 0
			for _, r := range norm.NFKD.String(w) {
				node = t.grow(node, fold(r)[0])
			}
			t[node].kind = max(t[node].kind, kind)
		}
	}
	if len(t) > maxNodes {
		panic("chat: internal error: there are more reserved words than a nodeSet has bits for")
	}
	return t
}()

// grow returns the node that letters lead to, and adds it if it does not exist.
func (t *tree) grow(node int, letters string) int {
	for _, r := range letters {
		to := (*t).step(node, r)
		if to < 0 {
			to = len(*t)
			*t = append(*t, treeNode{})
			(*t)[node].next = append((*t)[node].next, treeEdge{r, to})
		}
		node = to
	}
	return node
}

func (t tree) step(node int, letter rune) int {
	for _, e := range t[node].next {
		if e.letter == letter {
			return e.to
		}
	}
	return -1
}

// walk returns the node that letters lead to, or -1.
func (t tree) walk(node int, letters string) int {
	for _, r := range letters {
		if node = t.step(node, r); node < 0 {
			return node
		}
	}
	return node
}

// advance reads letters after a node, and adds the possible results to next: further in the
// same word or, where a word ends, in the next word.
func (t tree) advance(next *[2]nodeSet, node, found int, letters string) {
	if to := t.walk(node, letters); to >= 0 {
		next[found].add(to)
	}
	if letters == "" || t[node].kind == noWord {
		return
	}
	if to := t.walk(0, letters); to >= 0 {
		if t[node].kind == reservedWord {
			found = 1
		}
		next[found].add(to)
	}
}

const maxNodes = 1024

// nodeSet is a set of nodes.
type nodeSet [maxNodes / 64]uint64

func (s *nodeSet) add(node int) { s[node/64] |= 1 << (node % 64) }

// all ranges over the nodes.
func (s *nodeSet) all(yield func(int) bool) {
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			if !yield(i*64 + bits.TrailingZeros64(word)) {
				return
			}
		}
	}
}
