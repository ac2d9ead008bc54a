package config

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/hawser-ws/hawser/cmd/internal/spelling"
)

// loadFile sets in c what the file holds.
func loadFile(c *Config, name string, readFile func(string) ([]byte, error)) []error {
	data, err := readFile(name)
	if err != nil {
		return []error{fmt.Errorf("configuration file: %w", err)}
	}
	// Editors on Windows begin files with a byte-order mark, which TOML 1.0 does not allow.
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return []error{fmt.Errorf("%s: it is written in UTF-16; save it as UTF-8", name)}
	}
	var document map[string]any
	if err := toml.Unmarshal(data, &document); err != nil {
		var d *toml.DecodeError
		if errors.As(err, &d) {
			row, column := d.Position()
			return []error{fmt.Errorf("%s:%d:%d: %w", name, row, column, err)}
		}
		return []error{fmt.Errorf("%s: %w", name, err)}
	}
	values := map[string]any{}
	flatten(values, "", document)
	lines := keyLines(data)
	keys := slices.SortedFunc(maps.Keys(values), func(a, b string) int {
		return lines[a] - lines[b]
	})
	var errs []error
	for _, key := range keys {
		if err := setFromFile(c, key, values[key]); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %s: %w", name, lines[key], key, err))
		}
	}
	return errs
}

func setFromFile(c *Config, key string, v any) error {
	if s, ok := find(fullKey, key); ok {
		return s.decode(c, v)
	}
	if key == fileFlag {
		return errors.New("a file cannot name another one; use the flag --config or the variable " + fileVariable)
	}
	if isTable(key) {
		if _, ok := v.(map[string]any); ok {
			return nil // a table without keys
		}
		return fmt.Errorf("%s is not allowed, want a table [%s]", describe(v), key)
	}
	return errors.New("there is no such setting" + spelling.DidYouMean(key, append(keys(), tables()...)))
}

// keys are the full keys of all settings.
func keys() (keys []string) {
	for _, s := range settings {
		keys = append(keys, s.key)
	}
	return keys
}

// tables are the tables that settings are in.
func tables() (tables []string) {
	for _, s := range settings {
		if table, _, ok := strings.Cut(s.key, "."); ok && !slices.Contains(tables, table) {
			tables = append(tables, table)
		}
	}
	return tables
}

func fullKey(s setting) string { return s.key }

func isSetting(key string) bool {
	_, ok := find(fullKey, key)
	return ok
}

// isTable reports whether key is the table that some setting is in.
func isTable(key string) bool { return slices.Contains(tables(), key) }

// flatten puts the leaves of a table, and the tables without any, into values
// under their full keys. A setting's value is a leaf, even if it is a table.
func flatten(values map[string]any, prefix string, table map[string]any) {
	for part, v := range table {
		key := join(prefix, part)
		if sub, ok := v.(map[string]any); ok && len(sub) > 0 && !isSetting(key) {
			flatten(values, key, sub)
			continue
		}
		values[key] = v
	}
}

// join appends a part to a dotted key. A part that is not a bare key is quoted, so that
// "limits.burst" in quotes is not taken for the setting.
func join(prefix, part string) string {
	bare := part != "" && strings.IndexFunc(part, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
	}) < 0
	if !bare {
		part = quote(part)
	}
	if prefix == "" {
		return part
	}
	return prefix + "." + part
}

// keyLines returns the line on which each key of a valid document, and each table on the way
// to it, first occurs.
func keyLines(data []byte) map[string]int {
	w := lineWalk{lines: map[string]int{}}
	w.parser.Reset(data)
	table := ""
	for w.parser.NextExpression() {
		switch e := w.parser.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = w.note("", e.Key())
		case unstable.KeyValue:
			w.keyValue(table, e)
		}
	}
	return w.lines
}

type lineWalk struct {
	parser unstable.Parser
	lines  map[string]int
}

// note records every step of a dotted key under prefix and returns the full key.
func (w *lineWalk) note(prefix string, parts unstable.Iterator) string {
	key := prefix
	for parts.Next() {
		n := parts.Node()
		key = join(key, string(n.Data))
		if _, ok := w.lines[key]; !ok {
			w.lines[key] = w.parser.Shape(n.Raw).Start.Line
		}
	}
	return key
}

func (w *lineWalk) keyValue(prefix string, kv *unstable.Node) {
	key := w.note(prefix, kv.Key())
	if v := kv.Value(); v.Kind == unstable.InlineTable {
		for entries := v.Children(); entries.Next(); {
			w.keyValue(key, entries.Node())
		}
	}
}
