package handshake

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var compareExtensions = cmp.AllowUnexported(extension{}, extensionParam{})

func TestParseExtensions(t *testing.T) {
	one := func(name string, params ...extensionParam) []extension {
		return []extension{{name: name, params: params}}
	}
	for _, c := range []struct {
		lines []string
		want  []extension
	}{
		{[]string{"foo"}, one("foo")},
		{[]string{"foo; a"}, one("foo", extensionParam{"a", ""})},
		{[]string{"foo;a=1;b"}, one("foo", extensionParam{"a", "1"}, extensionParam{"b", ""})},
		{[]string{"foo;a;a=2"}, one("foo", extensionParam{"a", ""}, extensionParam{"a", "2"})},
		{[]string{" foo\t;\ta = 1 ; b "}, one("foo", extensionParam{"a", "1"}, extensionParam{"b", ""})},
		{[]string{`foo; a="10"`}, one("foo", extensionParam{"a", "10"})},
		{[]string{`foo; a= "10" , `}, one("foo", extensionParam{"a", "10"})},
		{[]string{`foo; a="\1\0"`}, one("foo", extensionParam{"a", "10"})},
		{[]string{"foo, bar; baz=2"}, []extension{{name: "foo"}, {name: "bar", params: []extensionParam{{"baz", "2"}}}}},
		{[]string{"foo", "bar; baz=2"}, []extension{{name: "foo"}, {name: "bar", params: []extensionParam{{"baz", "2"}}}}},
		{[]string{", ,foo,,", "", ","}, one("foo")},
		{nil, nil},
		{[]string{""}, nil},
		{[]string{" , ,", ""}, nil},
	} {
		got, err := parseExtensions(c.lines)
		if err != nil {
			t.Errorf("%q: %v", c.lines, err)
		}
		if d := cmp.Diff(c.want, got, compareExtensions); d != "" {
			t.Errorf("%q (-want +got):\n%s", c.lines, d)
		}
	}
}

func TestParseExtensionsRefuses(t *testing.T) {
	for line, want := range map[string]string{
		";":               "want a token at byte 0",
		"foo;":            "want a token at byte 4",
		"foo; ;a":         "want a token at byte 5",
		"foo; =1":         "want a token at byte 5",
		"foo; a=":         "want a token at byte 7",
		"foo; a=,":        "want a token at byte 7",
		"foo bar":         "want a comma at byte 4",
		"foo=1":           "want a comma at byte 3",
		"foo; a=1 2":      "want a comma at byte 9",
		`foo; a="1"2`:     "want a comma at byte 10",
		`"foo"`:           "want a token at byte 0",
		`foo; "a"=1`:      "want a token at byte 5",
		`foo; a=""`:       "want a token in quotes at byte 8",
		`foo; a="1 2"`:    "want a token in quotes at byte 9",
		`foo; a="1\ 2"`:   "want a token in quotes at byte 10",
		`foo; a="\""`:     "want a token in quotes at byte 9",
		`foo; a="1,b"`:    "want a token in quotes at byte 9",
		`foo; a="1`:       "want a closing quote at byte 9",
		`foo; a="`:        "want a closing quote at byte 8",
		`foo; a="1\`:      "want a token in quotes at byte 9",
		"foo\u00e9":       "want a comma at byte 3",
		"foo; a=\x7f":     "want a token at byte 7",
		"foo, bar;baz=2;": "want a token at byte 15",
	} {
		got, err := parseExtensions([]string{line})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %s", line, got, err, want)
		}
	}
	// Parameters are counted over all elements, and lines.
	full := make([]string, maxExtensions)
	for i := range full {
		full[i] = "foo" + strings.Repeat(";a", maxExtensionParams/maxExtensions)
	}
	if got, err := parseExtensions(full); err != nil || len(got) != maxExtensions {
		t.Errorf("as many as may be: %d, %v", len(got), err)
	}
	for want, lines := range map[string][]string{
		"more than 16 extensions":           append(full, "foo"),
		"more than 64 extension parameters": append(full[:maxExtensions-1:maxExtensions-1], full[0]+";a"),
	} {
		if got, err := parseExtensions(lines); err == nil || err.Error() != want {
			t.Errorf("%d, %v; want %s", len(got), err, want)
		}
	}
	// A quoted string ends with its line.
	if got, err := parseExtensions([]string{`foo; a="1`, `2"`}); err == nil {
		t.Errorf("across lines: %v", got)
	}
}

// However a list is spaced, quoted and split into lines, it reads the same, and
// no line of it that is cut short reads as more than it is.
func TestParseExtensionsSpelling(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		want, lines := spellExtensions(rnd)
		got, err := parseExtensions(lines)
		if err != nil {
			t.Fatalf("%q: %v", lines, err)
		}
		if d := cmp.Diff(want, got, compareExtensions); d != "" {
			t.Fatalf("%q (-want +got):\n%s", lines, d)
		}
		last := len(lines) - 1
		for whole := lines[last]; lines[last] != ""; {
			lines[last] = lines[last][:len(lines[last])-1]
			if got, err := parseExtensions(lines); err == nil && len(got) > len(want) {
				t.Fatalf("%q cut to %q: %v", whole, lines[last], got)
			}
		}
	}
}

// spellExtensions draws a list and one of its spellings.
func spellExtensions(rnd *rand.Rand) (list []extension, lines []string) {
	space := func() string { return []string{"", "", " ", "\t ", "  "}[rnd.IntN(5)] }
	word := func() string {
		b := make([]byte, 1+rnd.IntN(4))
		for i := range b {
			b[i] = "ab-_.*019|~"[rnd.IntN(11)]
		}
		return string(b)
	}
	var line strings.Builder
	for n := 1 + rnd.IntN(4); len(list) < n; {
		ext := extension{name: word()}
		fmt.Fprint(&line, space(), ext.name, space())
		for range rnd.IntN(3) {
			p := extensionParam{name: word()}
			fmt.Fprint(&line, ";", space(), p.name, space())
			if rnd.IntN(2) == 0 {
				p.value = word()
				fmt.Fprint(&line, "=", space(), spellValue(rnd, p.value), space())
			}
			ext.params = append(ext.params, p)
		}
		list = append(list, ext)
		switch rnd.IntN(3) {
		case 0:
			lines = append(lines, line.String())
			line.Reset()
		case 1:
			line.WriteString("," + space() + ",")
		default:
			line.WriteString(",")
		}
	}
	return list, append(lines, line.String())
}

// spellValue writes a token bare, or quoted with some of it escaped.
func spellValue(rnd *rand.Rand, value string) string {
	if rnd.IntN(2) == 0 {
		return value
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(value) {
		if rnd.IntN(3) == 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(value[i])
	}
	return b.String() + `"`
}
