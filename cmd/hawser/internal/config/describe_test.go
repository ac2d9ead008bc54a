package config

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The example says what the defaults are: without its comment signs it is a file
// that changes nothing.
func TestExample(t *testing.T) {
	example := Example()
	if c, err := load(example, nil); err != nil || !cmp.Equal(c, Default()) {
		t.Errorf("the example does not load as the defaults: %v\n%s", err, cmp.Diff(Default(), c))
	}
	assignment := regexp.MustCompile(`(?m)^# ([a-z_]+ = .*)$`)
	bare := assignment.ReplaceAllString(example, "$1")
	if n := len(assignment.FindAllString(example, -1)); n != len(settings) {
		t.Errorf("%d assignments in the example, want %d:\n%s", n, len(settings), example)
	}
	c, err := load(bare, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, bare)
	}
	if d := cmp.Diff(Default(), c); d != "" {
		t.Error(d)
	}
}

func TestUsage(t *testing.T) {
	usage := Usage()
	for _, want := range []string{
		"\n  --config FILE\n",
		"\n  --ping-misses N\n      Pings in a row that may go unanswered before a connection is closed. Takes\n      a whole number from 1 to 100; default 2.\n",
		"\n  --guests[=true|false]\n",
		"\n  --limits.messages-per-second N\n",
	} {
		if !strings.Contains(usage, want) {
			t.Errorf("no %q in the usage:\n%s", want, usage)
		}
	}
	for line := range strings.Lines(usage) {
		if n := len(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d bytes in %q", n, line)
		}
	}
}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{fileVariable: true, fileFlag: true}
	for _, s := range settings {
		for _, name := range []string{s.flagName(), s.variable()} {
			if seen[name] {
				t.Errorf("%s stands for two settings", name)
			}
			seen[name] = true
		}
	}
}
