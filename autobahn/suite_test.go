package autobahn

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The original's cases, in its order: groups, and how many each has.
var originalGroups = []struct {
	prefix string
	n      int
}{
	{"1.1", 8}, {"1.2", 8}, {"2", 11}, {"3", 7}, {"4.1", 5}, {"4.2", 5}, {"5", 20},
	{"6.1", 3}, {"6.2", 4}, {"6.3", 2}, {"6.4", 4}, {"6.5", 5}, {"6.6", 11}, {"6.7", 4}, {"6.8", 2}, {"6.9", 4}, {"6.10", 3},
	{"6.11", 5}, {"6.12", 8}, {"6.13", 5}, {"6.14", 10}, {"6.15", 1}, {"6.16", 3}, {"6.17", 5}, {"6.18", 5}, {"6.19", 5},
	{"6.20", 7}, {"6.21", 8}, {"6.22", 34}, {"6.23", 7},
	{"7.1", 6}, {"7.3", 6}, {"7.5", 1}, {"7.7", 13}, {"7.9", 9}, {"7.13", 2},
	{"9.1", 6}, {"9.2", 6}, {"9.3", 9}, {"9.4", 9}, {"9.5", 6}, {"9.6", 6}, {"9.7", 6}, {"9.8", 6}, {"10.1", 1},
	{"12.1", 18}, {"12.2", 18}, {"12.3", 18}, {"12.4", 18}, {"12.5", 18},
	{"13.1", 18}, {"13.2", 18}, {"13.3", 18}, {"13.4", 18}, {"13.5", 18}, {"13.6", 18}, {"13.7", 18},
}

func TestIDs(t *testing.T) {
	var want []string
	for _, g := range originalGroups {
		for i := 1; i <= g.n; i++ {
			want = append(want, fmt.Sprintf("%s.%d", g.prefix, i))
		}
	}
	if len(want) != 517 {
		t.Fatalf("the list has %d ids, want 517", len(want))
	}
	cases, err := Cases(Suite)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var got []string
	own := 0
	for _, c := range cases {
		if seen[c.ID] {
			t.Errorf("the id %s is there twice", c.ID)
		}
		seen[c.ID] = true
		if c.Own() {
			own++
		} else {
			got = append(got, c.ID)
		}
		if c.Title == "" || c.Expectation == "" || c.Rule == nil || !strings.HasPrefix(c.Rule.Ref, "RFC ") || c.Rule.Text == "" {
			t.Errorf("%s has no title, expectation or rule", c.ID)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the original's ids are not all there, or not in order")
	}
	if own < 150 {
		t.Errorf("%d cases of our own, want at least 150", own)
	}
	if !slices.IsSortedFunc(got, func(a, b string) int {
		if Less(a, b) {
			return -1
		}
		return 1
	}) {
		t.Error("Less does not order ids as the cases are")
	}
}

func TestSelect(t *testing.T) {
	cases, _ := Cases(Suite)
	for _, c := range []struct {
		patterns, except string
		role             Role
		n                int
	}{
		{"", "own", Server, 517}, {"original", "", Client, 517}, {"1.*", "", Server, 16}, {"1", "", Server, 16}, {"6.2", "", Server, 4},
		{"6.2.1", "", Server, 1}, {"*.1.1", "", Server, 8}, {"7.*", "7.7.*", Server, 24}, {"1.*,2.*", "1.2", Both, 19}, {"H1", "", Client, 0},
	} {
		var patterns, except []string
		if c.patterns != "" {
			patterns = strings.Split(c.patterns, ",")
		}
		if c.except != "" {
			except = strings.Split(c.except, ",")
		}
		list, err := Select(cases, c.role, patterns, except)
		if err != nil || len(list) != c.n {
			t.Errorf("Select(%q, except %q) finds %d cases, %v; want %d", c.patterns, c.except, len(list), err, c.n)
		}
	}
	if _, err := Select(cases, Server, []string{"7.99"}, nil); err == nil || !strings.Contains(err.Error(), "7.99") {
		t.Errorf("a pattern without a case: %v, want an error that names it", err)
	}
	if _, err := Cases(Suite + 1); err == nil {
		t.Error("a suite version that there is not is taken")
	}
}

func TestExplainEveryCase(t *testing.T) {
	cases, _ := Cases(Suite)
	for _, c := range cases {
		var b strings.Builder
		Explain(&b, c, &Options{Seed: 1})
		if !strings.Contains(b.String(), c.Rule.Ref) {
			t.Errorf("the explanation of %s does not say %s", c.ID, c.Rule.Ref)
		}
	}
}

func TestRandomCasesFollowTheSeed(t *testing.T) {
	cases, _ := Cases(Suite)
	c := Find(cases, "R1.1")
	explain := func(seed uint64) string {
		var b strings.Builder
		Explain(&b, c, &Options{Seed: seed})
		return b.String()
	}
	first, again := explain(5), explain(5)
	if first != again {
		t.Error("the same seed makes different cases")
	}
	if first == explain(6) {
		t.Error("different seeds make the same case")
	}
}

func TestConforms(t *testing.T) {
	for _, c := range []struct {
		answer Params
		offers []Params
		ok     bool
	}{
		{Params{}, []Params{{}}, true},
		{Params{}, []Params{{ServerBits: 9}}, false},
		{Params{ServerBits: 10}, []Params{{ServerBits: 9}}, false},
		{Params{ServerBits: 8}, []Params{{ServerBits: 9}}, true},
		{Params{ServerBits: 9}, []Params{{}}, true},
		{Params{}, []Params{{ServerBits: 9}, {}}, true},
		{Params{}, []Params{{ServerNoTakeover: true}}, false},
		{Params{ServerNoTakeover: true}, []Params{{}}, true},
		{Params{ClientBits: 9}, []Params{{}}, false},
		{Params{ClientBits: 9}, []Params{{ClientBits: anyBits}}, true},
		{Params{ClientBits: 12}, []Params{{ClientBits: 10}}, false},
		{Params{ClientNoTakeover: true}, []Params{{}}, true},
	} {
		if got := conforms(c.answer, c.offers); (got == "") != c.ok {
			t.Errorf("conforms(%v, %v) = %q", c.answer, c.offers, got)
		}
	}
}
