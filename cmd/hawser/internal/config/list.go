package config

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/identity"
	"github.com/hawser-ws/hawser/cmd/internal/proxy"
)

// list is a list in a file, and comma-separated elsewhere. check says what is wrong
// with an entry.
func list(want, arg string, check func(string) error) kind[[]string] {
	checked := func(entries []string) ([]string, error) {
		return entries, joinRefusals(entries, check)
	}
	return kind[[]string]{
		want:  want,
		arg:   arg,
		parse: func(s string) ([]string, error) { return checked(splitList(s)) },
		decode: func(v any) ([]string, error) {
			list, ok := v.([]any)
			if !ok {
				return nil, errors.New("it is not a list")
			}
			var entries []string
			for _, e := range list {
				s, ok := e.(string)
				if !ok {
					return nil, fmt.Errorf("%s in it is not a string", describe(e))
				}
				entries = append(entries, s)
			}
			return checked(entries)
		},
		format: func(entries []string) string {
			quoted := make([]string, len(entries))
			for i, e := range entries {
				quoted[i] = quote(e)
			}
			return "[" + strings.Join(quoted, ", ") + "]"
		},
	}
}

// splitList cuts a comma-separated list; there is nothing in an empty one.
func splitList(s string) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	entries := strings.Split(s, ",")
	for i := range entries {
		entries[i] = strings.TrimSpace(entries[i])
	}
	return entries
}

// joinRefusals names every entry that check finds something wrong with.
func joinRefusals(entries []string, check func(string) error) error {
	var wrong []string
	for _, e := range entries {
		if err := check(e); err != nil {
			wrong = append(wrong, quote(e)+" "+err.Error())
		}
	}
	if wrong == nil {
		return nil
	}
	return errors.New(strings.Join(wrong, ", "))
}

func trusted() kind[[]string] {
	return list("addresses and networks such as 10.0.0.0/8, or unix for clients of a Unix socket", "ADDR,…", proxy.CheckTrusted)
}

// networks are the networks of trusted proxies, without Unix sockets.
func networks() kind[[]string] {
	return list("addresses and networks such as 10.0.0.0/8", "ADDR,…", proxy.CheckNetwork)
}

// identities is a table in a file, and a comma-separated list of NAME=USER elsewhere.
func identities() kind[identity.Map] {
	return table(`a table of names and user ids, such as "uri:spiffe://example/ada" = "u_ada"; outside of a file NAME=USER,…`, "NAME=USER,…",
		func(m identity.Map) error {
			return joinRefusals(slices.Sorted(maps.Keys(m)), func(name string) error {
				if err := identity.CheckName(name); err != nil {
					return err
				}
				if !chat.ValidUserID(m[name]) {
					return fmt.Errorf("stands for %s, which is not a user id", quote(m[name]))
				}
				return nil
			})
		},
		func(s string) (string, error) { return s, nil },
		func(v any) (string, error) {
			if s, ok := v.(string); ok {
				return s, nil
			}
			return "", fmt.Errorf("%s in it is not a string", describe(v))
		}, quote)
}

const maxFactor = 1_000_000

var roleName = regexp.MustCompile(fmt.Sprintf(`^[A-Za-z0-9_.-]{1,%d}$`, chat.MaxRole))

// roles is a table of factors in a file, and a comma-separated list of ROLE=FACTOR elsewhere.
func roles() kind[map[string]float64] {
	return table(`a table of roles and factors from 0 to 1000000, such as bot = 10; outside of a file ROLE=FACTOR,…`, "ROLE=FACTOR,…",
		func(m map[string]float64) error {
			return joinRefusals(slices.Sorted(maps.Keys(m)), func(role string) error {
				switch f := m[role]; {
				case !roleName.MatchString(role):
					return fmt.Errorf("is not the name of a role, of at most %d of A-Z a-z 0-9 . _ -", chat.MaxRole)
				case !(f >= 0 && f <= maxFactor):
					return fmt.Errorf("has the factor %v", f)
				}
				return nil
			})
		},
		func(s string) (float64, error) {
			f, err := strconv.ParseFloat(s, 64)
			if err != nil {
				return 0, fmt.Errorf("%s is not a number", quote(s))
			}
			return f, nil
		},
		func(v any) (float64, error) {
			switch v := v.(type) {
			case int64:
				return float64(v), nil
			case float64:
				return v, nil
			}
			return 0, fmt.Errorf("%s in it is not a number", describe(v))
		}, func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) })
}

// table is a table in a file, and a comma-separated list of KEY=VALUE elsewhere.
func table[M ~map[string]V, V any](want, arg string, check func(M) error, parse func(string) (V, error), decode func(any) (V, error), format func(V) string) kind[M] {
	return kind[M]{
		want: want,
		arg:  arg,
		parse: func(s string) (M, error) {
			var m M
			for _, e := range splitList(s) {
				i := strings.LastIndexByte(e, '=') // a key may hold one: a URI does
				if i < 0 {
					return nil, fmt.Errorf("%s has no =", quote(e))
				}
				if _, twice := m[e[:i]]; twice {
					return nil, fmt.Errorf("%s occurs twice", quote(e[:i]))
				}
				v, err := parse(e[i+1:])
				if err != nil {
					return nil, err
				}
				if m == nil {
					m = M{}
				}
				m[e[:i]] = v
			}
			return m, check(m)
		},
		decode: func(v any) (M, error) {
			table, ok := v.(map[string]any)
			if !ok {
				return nil, errors.New("it is not a table")
			}
			var m M
			for name, v := range table {
				value, err := decode(v)
				if err != nil {
					return nil, err
				}
				if m == nil {
					m = M{}
				}
				m[name] = value
			}
			return m, check(m)
		},
		format: func(m M) string {
			pairs := []string{}
			for _, name := range slices.Sorted(maps.Keys(m)) {
				pairs = append(pairs, quote(name)+" = "+format(m[name]))
			}
			return "{" + strings.Join(pairs, ", ") + "}"
		},
	}
}
