package snapshot

import (
	"slices"
	"testing"
)

// Fields come in order, with their values; those without a value are left out.
func TestFields(t *testing.T) {
	b := AppendStringField(nil, 1, "one")
	b = AppendUintField(b, 2, 300)
	b = AppendUintField(b, 3, 0)
	b = AppendStringField(b, 4, "")
	b = AppendField(b, 5, nil)
	b = AppendStringField(b, 1, "again")
	var numbers []uint64
	var texts []string
	r := NewReader(b)
	for number, v := range r.Fields() {
		numbers = append(numbers, number)
		switch number {
		case 1:
			texts = append(texts, string(v.b))
		case 2:
			if n := v.Uint(1000); n != 300 || v.End() != nil {
				t.Errorf("field 2 is %d, %v", n, v.Err())
			}
		case 5:
			if v.Len() != 0 {
				t.Errorf("field 5 has %d bytes", v.Len())
			}
		}
	}
	if r.End() != nil || !slices.Equal(numbers, []uint64{1, 2, 5, 1}) || !slices.Equal(texts, []string{"one", "again"}) {
		t.Errorf("%v %q, %v", numbers, texts, r.Err())
	}
}

// Input that ends within a field is malformed, wherever it ends.
func TestFieldsCut(t *testing.T) {
	b := AppendStringField(AppendUintField(nil, 200, 1<<40), 7, "text")
	whole := map[int]bool{0: true, len(AppendUintField(nil, 200, 1<<40)): true, len(b): true}
	for n := range len(b) + 1 {
		r := NewReader(b[:n])
		for range r.Fields() {
		}
		if err := r.End(); (err == nil) != whole[n] {
			t.Errorf("%d of %d bytes: %v", n, len(b), err)
		}
	}
}
