package config

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/listen"
)

const (
	kiB = 1 << 10
	miB = 1 << 20
	giB = 1 << 30
)

// kind says how the values of a setting are written, and which are allowed.
type kind[T any] struct {
	want   string
	arg    string
	parse  func(text string) (T, error) // of a flag or a variable
	decode func(v any) (T, error)       // of a value that the TOML package made
	format func(v T) string             // as TOML

	// Of values that may contain secrets; otherwise nil.
	show   func(text string) string // what errors show
	public func(v T) error          // says why a value must not be in an argument or the file
}

// errRefused means only that a value is not allowed.
var errRefused = errors.New("not allowed")

// refusal returns the error for a value that was refused with err.
func refusal(value, want string, err error) error {
	if err == errRefused {
		return fmt.Errorf("%s is not allowed, want %s", value, want)
	}
	return fmt.Errorf("%s is not allowed: %w; want %s", value, err, want)
}

// textKind is a kind that a file holds as a string.
func textKind[T any](want, arg string, parse func(string) (T, error), text func(T) string) kind[T] {
	return kind[T]{
		want:  want,
		arg:   arg,
		parse: parse,
		decode: func(v any) (T, error) {
			s, ok := v.(string)
			if !ok {
				var zero T
				return zero, errRefused
			}
			return parse(strings.TrimSpace(s))
		},
		format: func(v T) string { return quote(text(v)) },
	}
}

func same(s string) string { return s }

func address() kind[string] {
	return textKind("an address "+listen.Forms, "ADDR", func(s string) (string, error) { return s, listen.Check(s) }, same)
}

// optionalAddress may be empty.
func optionalAddress() kind[string] {
	return textKind("an address "+listen.Forms+", or nothing", "ADDR", func(s string) (string, error) {
		if s == "" {
			return s, nil
		}
		return s, listen.Check(s)
	}, same)
}

// mode is a file's, in octal as people write it.
func mode() kind[fs.FileMode] {
	return textKind("a mode from 0600 to 0777, in octal", "MODE", func(s string) (fs.FileMode, error) {
		m, err := strconv.ParseUint(s, 8, 32)
		if err != nil || m < 0o600 || m > 0o777 {
			return 0, errRefused
		}
		return fs.FileMode(m), nil
	}, func(m fs.FileMode) string { return fmt.Sprintf("%#o", m) })
}

func file() kind[string] {
	return textKind("the path of a file", "FILE", func(s string) (string, error) {
		if strings.ContainsRune(s, 0) {
			return "", errRefused
		}
		return s, nil
	}, same)
}

func path() kind[string] {
	return textKind("the path of a folder", "DIR", func(s string) (string, error) {
		if s == "" || strings.ContainsRune(s, 0) {
			return "", errRefused
		}
		return s, nil
	}, same)
}

var urlPathForm = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)

// urlPath is a path of a URL that needs no escapes and cannot be cleaned.
func urlPath() kind[string] {
	return textKind("a path such as /chat, of letters, digits and . _ ~ - without a slash at its end, or nothing", "PATH", func(s string) (string, error) {
		if !urlPathForm.MatchString(s) {
			return "", errRefused
		}
		return s, nil
	}, same)
}

func choice[T comparable](want string, values map[string]T) kind[T] {
	return textKind(want, "NAME", func(s string) (T, error) {
		v, ok := values[strings.ToLower(s)]
		if !ok {
			return v, errRefused
		}
		return v, nil
	}, func(v T) string {
		for s, w := range values {
			if w == v {
				return s
			}
		}
		panic("config: internal error: a choice's default is not among its values")
	})
}

func duration(low, high time.Duration) kind[time.Duration] {
	want := fmt.Sprintf("a duration such as 30s, from %s to %s", shortDuration(low), shortDuration(high))
	return textKind(want, "DURATION", func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil || d < low || d > high {
			return 0, errRefused
		}
		return d, nil
	}, shortDuration)
}

// seconds is a duration that has no fraction of a second.
func seconds(low, high time.Duration) kind[time.Duration] {
	fine := duration(low, high)
	return textKind(fine.want+", in whole seconds", fine.arg, func(s string) (time.Duration, error) {
		d, err := fine.parse(s)
		if err == nil && d%time.Second != 0 {
			err = errRefused
		}
		return d, err
	}, shortDuration)
}

// shortDuration is d.String without the zero minutes and seconds of "1h0m0s".
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-len("0s")]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-len("0m")]
	}
	return s
}

// boolean accepts the words that people and other programs use for true and false. In a file,
// it is true or false, or such a word in quotes.
func boolean() kind[bool] {
	parse := func(s string) (bool, error) {
		switch strings.ToLower(s) {
		case "true", "t", "yes", "y", "on", "1":
			return true, nil
		case "false", "f", "no", "n", "off", "0":
			return false, nil
		}
		return false, errRefused
	}
	return kind[bool]{
		want:  "true or false",
		parse: parse,
		decode: func(v any) (bool, error) {
			switch v := v.(type) {
			case bool:
				return v, nil
			case string:
				return parse(strings.TrimSpace(v))
			}
			return false, errRefused
		},
		format: strconv.FormatBool,
	}
}

func integer(low, high int) kind[int] {
	check := func(n int64) (int, error) {
		if n < int64(low) || n > int64(high) {
			return 0, errRefused
		}
		return int(n), nil
	}
	return kind[int]{
		want: fmt.Sprintf("a whole number from %d to %d", low, high),
		arg:  "N",
		parse: func(s string) (int, error) {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return 0, errRefused
			}
			return check(n)
		},
		decode: func(v any) (int, error) {
			n, ok := v.(int64)
			if !ok {
				return 0, errRefused
			}
			return check(n)
		},
		format: strconv.Itoa,
	}
}

// size is a number of bytes: a string with a unit, or a bare number.
func size(low, high int) kind[int] {
	bytes := integer(low, high)
	parse := func(s string) (int, error) {
		unit := 1
		for _, u := range []struct {
			name  string
			bytes int
		}{{"KiB", kiB}, {"MiB", miB}, {"GiB", giB}, {"B", 1}} {
			if digits, ok := strings.CutSuffix(s, u.name); ok {
				s, unit = strings.TrimSuffix(digits, " "), u.bytes
				break
			}
		}
		n, err := strconv.Atoi(s)
		if err != nil || n > math.MaxInt/unit || n*unit < low || n*unit > high {
			return 0, errRefused
		}
		return n * unit, nil
	}
	return kind[int]{
		want:  fmt.Sprintf("a size such as 64KiB, from %s to %s", formatSize(low), formatSize(high)),
		arg:   "SIZE",
		parse: parse,
		decode: func(v any) (int, error) {
			if s, ok := v.(string); ok {
				return parse(strings.TrimSpace(s))
			}
			return bytes.decode(v)
		},
		format: func(n int) string { return quote(formatSize(n)) },
	}
}

func formatSize(n int) string {
	switch {
	case n != 0 && n%giB == 0:
		return strconv.Itoa(n/giB) + "GiB"
	case n != 0 && n%miB == 0:
		return strconv.Itoa(n/miB) + "MiB"
	case n != 0 && n%kiB == 0:
		return strconv.Itoa(n/kiB) + "KiB"
	}
	return strconv.Itoa(n) + "B"
}

// quote writes s as errors show it, and as TOML as long as s is printable.
func quote(s string) string { return strconv.Quote(s) }

// describe names a value of a TOML document in an error.
func describe(v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return fmt.Sprint(v)
}
