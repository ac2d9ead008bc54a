package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hawser-ws/hawser/chat"
)

// answer is a history answer, with the seqs of its messages.
type answer struct {
	Seqs []uint64
	More bool
}

func readAnswer(t *testing.T, m string) (a answer) {
	t.Helper()
	var h struct {
		Type     string
		Messages []struct{ Seq uint64 }
		More     bool `json:"has_more"`
	}
	if err := json.Unmarshal([]byte(m), &h); err != nil || h.Type != "history" {
		t.Fatalf("not a history: %.200s", m)
	}
	for _, m := range h.Messages {
		a.Seqs = append(a.Seqs, m.Seq)
	}
	a.More = h.More
	return a
}

// newArchive is a house whose lobby holds n messages, ten ms apart, the first at 1 s.
func newArchive(t *testing.T, n int, metadata string) *house {
	c := newClock()
	c.wall = time.UnixMilli(1000)
	parts := openStore(t, t.TempDir(), c).Parts()
	for i := range n {
		entry := chat.Entry{Conversation: "r:lobby", Message: &chat.Message{
			Sender: "u_ada", SenderName: "Ada", Timestamp: "1", Content: fmt.Sprint(i + 1), Metadata: []byte(metadata)}}
		parts.Log.Append(ctx, []chat.Entry{entry}, func(_ int, r chat.Result) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		})
		c.advance(10 * time.Millisecond)
	}
	return newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine, cfg.Limits = parts, chat.Limits{} })
}

func span(first, last uint64) (seqs []uint64) {
	for ; first <= last; first++ {
		seqs = append(seqs, first)
	}
	return seqs
}

func TestHistoryRequests(t *testing.T) {
	h := newArchive(t, 120, "{}")
	p := h.enter("ada", "")
	p.say(`{"type":"history","receiver_id":"lobby","limit":1,"after_seq":59}`)
	var m struct{ Messages []struct{ ID string } }
	if err := json.Unmarshal([]byte(p.hear()), &m); err != nil {
		t.Fatal(err)
	}
	id60 := `"id":"` + m.Messages[0].ID + `"`
	id120 := `"id":"` + strings.TrimSuffix(m.Messages[0].ID, "1o") + `3c"`
	id1 := `"id":"` + strings.TrimSuffix(m.Messages[0].ID, "1o") + `1"`
	for _, c := range []struct {
		fields string
		want   answer
	}{
		{``, answer{span(71, 120), true}},
		{`"limit":1`, answer{span(120, 120), true}},
		{`"limit":100`, answer{span(21, 120), true}},
		{`"limit":1000`, answer{span(21, 120), true}},
		{`"before_seq":11`, answer{span(1, 10), false}},
		{`"before_seq":12,"limit":10`, answer{span(2, 11), true}},
		{`"before_seq":1`, answer{nil, false}},
		{`"before_seq":0`, answer{nil, false}},
		{`"after_seq":0,"limit":3`, answer{span(1, 3), true}},
		{`"after_seq":118`, answer{span(119, 120), false}},
		{`"after_seq":120`, answer{nil, false}},
		{`"after_seq":9007199254740992`, answer{nil, false}},
		{`"after_seq":10,"before_seq":14`, answer{span(11, 13), false}},
		{`"after_seq":10,"before_seq":14,"limit":2`, answer{span(11, 12), true}},
		{`"since":1000,"limit":2`, answer{span(1, 2), true}},
		{`"since":2181`, answer{span(120, 120), false}},
		{`"since":0,"limit":2`, answer{span(1, 2), true}},
		{`"until":1020`, answer{span(1, 2), false}},
		{`"until":0`, answer{nil, false}},
		{`"since":1010,"until":1030`, answer{span(2, 3), false}},
		{id60 + `,"limit":1`, answer{span(60, 60), true}},
		{id60 + `,"limit":4`, answer{span(58, 61), true}},
		{id60 + `,"limit":5`, answer{span(58, 62), true}},
		{id1 + `,"limit":10`, answer{span(1, 10), true}},
		{id120 + `,"limit":1`, answer{span(120, 120), true}},
		{id120 + `,"limit":4`, answer{span(118, 120), true}},
		{id1 + `,"limit":1`, answer{span(1, 1), true}},
	} {
		if c.fields != "" {
			c.fields = "," + c.fields
		}
		p.say(`{"type":"history","receiver_id":"lobby"` + c.fields + `}`)
		if diff := cmp.Diff(c.want, readAnswer(t, p.hear()), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.fields, diff)
		}
	}
	for fields, want := range map[string]string{
		`"receiver_id":"nowhere"`:            "unknown_room",
		`"receiver_id":"u_nobody"`:           "unknown_user",
		`"receiver_id":"u_\r\n"`:             "unknown_user",
		`"receiver_id":"lobby","id":"x-1-1"`: "unknown_id",
		`"receiver_id":"u_bob",` + id60:      "unknown_id",
	} {
		p.say(`{"type":"history",` + fields + `}`)
		if reason := reasonOf(p.hear()); reason != want {
			t.Errorf("%s: %q, want %q", fields, reason, want)
		}
	}
	p.say(`{"type":"history","receiver_id":"u_bob"}`)
	if diff := cmp.Diff(answer{}, readAnswer(t, p.hear())); diff != "" {
		t.Errorf("a conversation without messages (-want +got):\n%s", diff)
	}
}

// An answer ends at 256 KiB, on the side away from where one began to read, and
// reading on from there brings everything, once.
func TestHistoryBytes(t *testing.T) {
	h := newArchive(t, 150, `{"m":"`+strings.Repeat("m", 4000)+`"}`)
	p := h.enter("ada", "")
	var forward []uint64
	for after, more := uint64(0), true; more; {
		p.say(fmt.Sprintf(`{"type":"history","receiver_id":"lobby","after_seq":%d,"limit":100}`, after))
		m := p.hear()
		if len(m) > 260<<10 {
			t.Fatalf("an answer has %d bytes", len(m))
		}
		a := readAnswer(t, m)
		forward = append(forward, a.Seqs...)
		after, more = a.Seqs[len(a.Seqs)-1], a.More
	}
	if diff := cmp.Diff(span(1, 150), forward); diff != "" {
		t.Errorf("forward (-want +got):\n%s", diff)
	}
	var backward []uint64
	for before, more := uint64(1000), true; more; {
		p.say(fmt.Sprintf(`{"type":"history","receiver_id":"lobby","before_seq":%d,"limit":100}`, before))
		a := readAnswer(t, p.hear())
		backward = append(append([]uint64(nil), a.Seqs...), backward...)
		before, more = a.Seqs[0], a.More
	}
	if diff := cmp.Diff(span(1, 150), backward); diff != "" {
		t.Errorf("backward (-want +got):\n%s", diff)
	}
}

func TestLists(t *testing.T) {
	h := newHouse(t, func(cfg *chat.Config) { cfg.Limits = chat.Limits{} })
	p := h.enter("ada", "")
	for i := range 5 {
		p.say(fmt.Sprintf(`{"type":"group","receiver_id":"room%d","content":"x"}`, i))
		p.hear()
	}
	h.enter("bob", "").say(`{"type":"join","receiver_id":"room3"}`)
	h.settle()
	p.say(`{"type":"rooms","after":"room1","limit":2,"ref":"r"}`)
	want := `{"type":"rooms","rooms":[{"receiver_id":"room2","seq":1,"server_ts":1754474400000,"online":1},` +
		`{"receiver_id":"room3","seq":1,"server_ts":1754474400000,"online":2}],"has_more":true,"next":"1754474400000:room3","ref":"r"}`
	if diff := cmp.Diff(want, p.hear()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.say(`{"type":"rooms","after":"1754474400000:room3"}`)
	want = `{"type":"rooms","rooms":[{"receiver_id":"room4","seq":1,"server_ts":1754474400000,"online":1}],"has_more":false}`
	if diff := cmp.Diff(want, p.hear()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, to := range []string{"u_bob", "u_ada", "u_eve"} {
		p.say(`{"type":"message","receiver_id":"` + to + `","content":"x"}`)
		p.hear()
	}
	h.settle()
	p.say(`{"type":"peers","after":"u_ada","limit":1}`)
	want = `{"type":"peers","peers":[{"user_id":"u_bob","name":"Bob","seq":1,"server_ts":1754474400000,"online":true}],"has_more":true}`
	if diff := cmp.Diff(want, p.hear()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A wrong clock leaves no wrong dates: of one that is ahead for a moment nothing is seen,
// and one that has been ahead for longer, even when the server was stopped, does not hold
// the time up. (servertime_test.go has every case.)
func TestWrongClock(t *testing.T) {
	const year = 365 * 24 * time.Hour
	dir := t.TempDir()
	said := func(p *peer) int64 {
		t.Helper()
		p.say(`{"type":"group","receiver_id":"lobby","content":"x"}`)
		var m struct {
			ServerTS int64 `json:"server_ts"`
		}
		if err := json.Unmarshal([]byte(p.hear()), &m); err != nil {
			t.Fatal(err)
		}
		return m.ServerTS
	}
	c := newClock()
	store := openStore(t, dir, c)
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = store.Parts() })
	p := h.enter("ada", "")
	start := h.clock.Now().UnixMilli()
	h.clock.step(10 * year)
	if ts := said(p); ts != start {
		t.Errorf("read wrongly once: %d, want %d", ts, start)
	}
	h.clock.advance(5 * time.Second)
	if ts, want := said(p), start+10*year.Milliseconds()+5000; ts != want {
		t.Errorf("set forward: %d, want %d", ts, want)
	}
	h.stop()
	store.Close(ctx)

	c = newClock()
	store = openStore(t, dir, c)
	h = newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = store.Parts() })
	p = h.enter("ada", "")
	if ts := said(p); ts != start {
		t.Errorf("after a restart with the right clock: %d, want %d", ts, start)
	}
	p.say(`{"type":"history","receiver_id":"lobby","until":` + fmt.Sprint(start+1) + `}`)
	if m := p.hear(); !strings.Contains(m, `"seq":1,`) || strings.Contains(m, `"seq":2,`) || !strings.Contains(m, `"seq":3,`) {
		t.Errorf("history until now: %s", m)
	}
}

// damagedLog has lost some messages.
type damagedLog struct {
	chat.Log
	lost map[uint64]bool
}

func (l damagedLog) History(ctx context.Context, q chat.HistoryQuery) (chat.Page, error) {
	page, err := l.Log.History(ctx, q)
	whole := page.Messages[:0]
	for _, m := range page.Messages {
		if l.lost[m.Seq] {
			page.Damaged = append(page.Damaged, m.Seq)
		} else {
			whole = append(whole, m)
		}
	}
	page.Messages = whole
	return page, err
}

// What the disk has lost is named, where the messages around it are shown.
func TestHistoryDamaged(t *testing.T) {
	house := newArchive(t, 200, fmt.Sprintf(`{"x":"%s"}`, strings.Repeat("x", 4000)))
	lost := map[uint64]bool{1: true, 55: true, 190: true, 195: true}
	parts := house.engine
	parts.Log = damagedLog{parts.Log, lost}
	page, err := parts.Log.History(ctx, chat.HistoryQuery{Conversation: "r:lobby", AfterSeq: 53, BeforeSeq: 56, Limit: 5})
	if err != nil || len(page.Messages) != 1 {
		t.Fatal(page, err)
	}
	id := page.Messages[0].ID
	house = newHouseAt(t, house.clock, func(cfg *chat.Config) { cfg.Engine, cfg.Limits = parts, chat.Limits{} })
	ada := house.enter("ada", "")
	for _, c := range []struct{ bounds, want string }{
		{`"before_seq":60,"limit":10`, `"damaged":[55],`},
		{`"before_seq":50,"limit":10`, ""},
		{`"limit":10`, `"damaged":[195],`},
		{`"limit":100`, `"damaged":[190,195],`}, // ends at 256 KiB, before 55
		{`"after_seq":0,"limit":100`, `"damaged":[1,55],`},
		{`"id":"` + id + `","limit":4`, `"damaged":[55],`},
	} {
		ada.say(`{"type":"history","receiver_id":"lobby",` + c.bounds + `}`)
		m := ada.hear()
		if !json.Valid([]byte(m)) {
			t.Fatalf("%s: not JSON: %.300s", c.bounds, m)
		}
		_, rest, _ := strings.Cut(m, `}],`)
		got, _, _ := strings.Cut(rest, `"has_more"`)
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.bounds, got, c.want)
		}
	}
}

// droppedLog has dropped the messages before a certain one.
type droppedLog struct {
	chat.Log
	first uint64
}

func (l droppedLog) History(ctx context.Context, q chat.HistoryQuery) (chat.Page, error) {
	q.AfterSeq = max(q.AfterSeq, l.first-1)
	page, err := l.Log.History(ctx, q)
	page.First = l.first
	return page, err
}

// A history that does not go back to the first message says where it ends, whatever part is read.
func TestHistoryDropped(t *testing.T) {
	house := newArchive(t, 20, "{}")
	parts := house.engine
	page, err := parts.Log.History(ctx, chat.HistoryQuery{Conversation: "r:lobby", AfterSeq: 9, Limit: 1})
	if err != nil || len(page.Messages) != 1 {
		t.Fatal(page, err)
	}
	id := page.Messages[0].ID
	for _, c := range []struct {
		first        uint64
		bounds, want string
	}{
		{1, `"limit":10`, `"has_more":true}`},
		{1, `"before_seq":3`, `"has_more":false}`},
		{10, `"limit":10`, `"first_seq":10,"has_more":true}`},
		{10, `"before_seq":12`, `"first_seq":10,"has_more":false}`},
		{10, `"before_seq":5`, `"first_seq":10,"has_more":false}`},
		{10, `"after_seq":15`, `"first_seq":10,"has_more":false}`},
		{10, `"id":"` + id + `","limit":1`, `"first_seq":10,"has_more":true}`},
		{10, `"id":"` + id + `","limit":100`, `"first_seq":10,"has_more":false}`},
		{21, `"limit":10`, `"first_seq":21,"has_more":false}`},
	} {
		some := parts
		some.Log = droppedLog{parts.Log, c.first}
		ada := newHouseAt(t, house.clock, func(cfg *chat.Config) { cfg.Engine, cfg.Limits = some, chat.Limits{} }).enter("ada", "")
		ada.say(`{"type":"history","receiver_id":"lobby",` + c.bounds + `}`)
		m := ada.hear()
		if _, got, _ := strings.Cut(m, `],`); !json.Valid([]byte(m)) || !strings.HasSuffix(m, "],"+c.want) {
			t.Errorf("from %d, %s: %q, want %q", c.first, c.bounds, got[max(0, len(got)-60):], c.want)
		}
	}
}
