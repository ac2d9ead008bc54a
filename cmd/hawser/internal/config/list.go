package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
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

// networks are those that proxies are trusted in, without Unix sockets.
func networks() kind[[]string] {
	return list("addresses and networks such as 10.0.0.0/8", "ADDR,…", proxy.CheckNetwork)
}

// identities is a table in a file, and a comma-separated list of NAME=USER elsewhere.
func identities() kind[identity.Map] {
	checked := func(m identity.Map) (identity.Map, error) {
		return m, joinRefusals(slices.Sorted(maps.Keys(m)), func(name string) error {
			if err := identity.CheckName(name); err != nil {
				return err
			}
			if !chat.ValidUserID(m[name]) {
				return fmt.Errorf("stands for %s, which is not a user id", quote(m[name]))
			}
			return nil
		})
	}
	return kind[identity.Map]{
		want: `a table of names and user ids, such as "uri:spiffe://example/ada" = "u_ada"; outside of a file NAME=USER,…`,
		arg:  "NAME=USER,…",
		parse: func(s string) (identity.Map, error) {
			var m identity.Map
			for _, e := range splitList(s) {
				i := strings.LastIndexByte(e, '=') // a URI may hold one, a user id does not
				if i < 0 {
					return nil, fmt.Errorf("%s has no =", quote(e))
				}
				if _, twice := m[e[:i]]; twice {
					return nil, fmt.Errorf("%s occurs twice", quote(e[:i]))
				}
				if m == nil {
					m = identity.Map{}
				}
				m[e[:i]] = e[i+1:]
			}
			return checked(m)
		},
		decode: func(v any) (identity.Map, error) {
			table, ok := v.(map[string]any)
			if !ok {
				return nil, errors.New("it is not a table")
			}
			var m identity.Map
			for name, v := range table {
				user, ok := v.(string)
				if !ok {
					return nil, fmt.Errorf("%s in it is not a string", describe(v))
				}
				if m == nil {
					m = identity.Map{}
				}
				m[name] = user
			}
			return checked(m)
		},
		format: func(m identity.Map) string {
			pairs := []string{}
			for _, name := range slices.Sorted(maps.Keys(m)) {
				pairs = append(pairs, quote(name)+" = "+quote(m[name]))
			}
			return "{" + strings.Join(pairs, ", ") + "}"
		},
	}
}
