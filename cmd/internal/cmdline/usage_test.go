package cmdline

import (
	"errors"
	"flag"
	"slices"
	"testing"
)

func flags() (f *flag.FlagSet, n *int) {
	f = flag.NewFlagSet("prog", flag.ContinueOnError)
	return f, f.Int("conns", 100, "number of `connections` that are open at the same time, each on a socket of its own")
}

func TestParse(t *testing.T) {
	f, n := flags()
	rest, err := Parse(f, []string{"a", "--conns", "3", "b"})
	if err != nil || *n != 3 || !slices.Equal(rest, []string{"a", "b"}) {
		t.Errorf("%d, %q, %v", *n, rest, err)
	}
	f, n = flags()
	rest, err = Parse(f, []string{"a", "--conns", "3", "--", "--conns", "4", "--", "b"})
	if err != nil || *n != 3 || !slices.Equal(rest, []string{"a", "--conns", "4", "--", "b"}) {
		t.Errorf("after --: %d, %q, %v", *n, rest, err)
	}
	for _, args := range [][]string{{"--colour"}, {"--conns", "many"}, {"a", "--conns"}} {
		f, _ := flags()
		if _, err := Parse(f, args); !errors.As(err, new(*Error)) {
			t.Errorf("%q: %v", args, err)
		}
	}
	f, _ = flags()
	if _, err := Parse(f, []string{"a", "--help"}); !errors.Is(err, flag.ErrHelp) || !errors.As(err, new(*Help)) || errors.As(err, new(*Error)) {
		t.Errorf("help: %v", err)
	}
	f, _ = flags()
	if err := ParseFlags(f, []string{"--conns", "3", "a"}); !errors.As(err, new(*Error)) || err.Error() != `unexpected argument "a"` {
		t.Errorf("an argument: %v", err)
	}
}

func TestFlags(t *testing.T) {
	f, _ := flags()
	f.Bool("quiet", false, "say nothing")
	f.String("a-flag-with-a-long-name", "", "`text`")
	const want = `  --a-flag-with-a-long-name TEXT
                        text
  --conns CONNECTIONS   number of connections that are open at the same time,
                        each on a socket of its own (default 100)
  --quiet               say nothing
`
	if got := Flags(f); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
