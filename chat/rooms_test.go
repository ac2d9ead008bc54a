package chat

import (
	"fmt"
	"slices"
	"testing"
)

// However many rooms nobody has used, one request looks at a bounded number of them, and
// going on from place to place finds each that matches once.
func TestManyUnusedRooms(t *testing.T) {
	h := &Hub{}
	const n = 3*maxUnusedScan + 100
	var all []string
	for i := range n {
		name := fmt.Sprintf("room-%05d", i)
		h.unused.add(name)
		all = append(all, name)
	}
	used := []RoomInfo{{Name: "used", Seq: 1, ServerTS: 7}}
	for _, c := range []struct {
		search string
		limit  int
		want   []string
	}{{"", 500, all}, {"2499", 10, []string{"room-02499", "room-12499"}}, {"99", 1, nil}, {"nowhere", 10, nil}, {"ROOM-", 499, all}} {
		if c.search == "99" {
			for _, name := range all {
				if MatchesSearch(name, "99") {
					c.want = append(c.want, name)
				}
			}
		}
		var got []string
		rooms := slices.Clone(used[:min(1, c.limit)])
		after, pages := "", 0
		for {
			begin := len(rooms)
			more, next := h.appendUnused(rooms, after, c.search, c.limit)
			if len(more) > c.limit {
				t.Fatalf("%q: %d rooms on a page of %d", c.search, len(more), c.limit)
			}
			for _, r := range more[begin:] {
				got = append(got, r.Name)
			}
			if next == (RoomPlace{}) {
				break
			}
			if pages++; pages > n {
				t.Fatalf("%q: it has no end", c.search)
			}
			rooms, after = nil, next.Name
			if next.ServerTS != 0 { // the page was full before
				after = ""
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %d rooms, want %d", c.search, len(got), len(c.want))
		}
		if c.search == "nowhere" && pages != n/maxUnusedScan {
			t.Errorf("%d pages without a room", pages+1)
		}
	}
}
