package handover

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		ours, theirs []Format
		want         Versions
		refused      string
	}{
		{[]Format{{"a", 1, 1}}, []Format{{"a", 1, 1}}, Versions{"a": 1}, ""},
		{[]Format{{"a", 1, 2}}, []Format{{"a", 2, 3}}, Versions{"a": 2}, ""}, // to a newer binary
		{[]Format{{"a", 2, 3}}, []Format{{"a", 1, 2}}, Versions{"a": 2}, ""}, // and back
		{[]Format{{"a", 1, 5}}, []Format{{"a", 2, 4}}, Versions{"a": 4}, ""},
		{[]Format{{"a", 1, 2}, {"b", 7, 8}}, []Format{{"b", 8, 9}, {"a", 1, 1}}, Versions{"a": 1, "b": 8}, ""},
		{nil, nil, Versions{}, ""},
		{[]Format{{"a", 3, 4}}, []Format{{"a", 1, 2}}, nil, `versions 1 to 2 of the format "a" are offered, and 3 to 4 are known`},
		{[]Format{{"a", 1, 2}}, []Format{{"a", 3, 4}}, nil, `versions 3 to 4 of the format "a" are offered, and 1 to 2 are known`},
		{[]Format{{"a", 1, 1}}, nil, nil, `the format "a" is missing`},
		{nil, []Format{{"a", 1, 1}}, nil, `the format "a" is not known`},
	} {
		got, err := choose(tt.ours, tt.theirs)
		if !maps.Equal(got, tt.want) || (err != nil) != (tt.refused != "") || err != nil && err.Error() != tt.refused {
			t.Errorf("%v, offered %v: %v, %v", tt.ours, tt.theirs, got, err)
		}
	}
}

func TestFormatsOnTheWire(t *testing.T) {
	formats := []Format{{"a", 1, 2}, {"", 1, 1}, {strings.Repeat("x", maxName), 1, maxVersion}}
	b := appendFormats(nil, formats)
	got, err := readFormats(b)
	if err != nil || !slices.Equal(got, formats) {
		t.Errorf("read %v, %v", got, err)
	}
	for n := range b {
		if _, err := readFormats(b[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are read", n, len(b))
		}
	}
	v := Versions{"a": 2, "b": 300}
	formats = []Format{{"b", 300, 300}, {"a", 1, 3}}
	b = appendVersions(nil, formats, v)
	if got, err := readVersions(b, formats); err != nil || !maps.Equal(got, v) {
		t.Errorf("read %v, %v", got, err)
	}
	for _, other := range [][]Format{{{"b", 301, 400}, {"a", 1, 3}}, {{"b", 300, 300}, {"a", 1, 1}}, formats[:1], append(formats, Format{"c", 1, 1})} {
		if v, err := readVersions(b, other); err == nil {
			t.Errorf("%v is taken for a choice among %v", v, other)
		}
	}
}
