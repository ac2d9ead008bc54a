package chat

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// everyField is a connection in which nothing has the value zero.
func everyField() *frozenConnection {
	behind := func(receiver string) *frozenBehind {
		return &frozenBehind{
			receiver: receiver, held: position{"e", 7, 1 << 31}, valid: true, epoch: "f", at: 1<<64 - 1,
			last: Tail{1, 2, 3, 4, "l"}, until: Tail{5, 6, 7, 8, "u"}, begun: true, stale: true, missed: 9, ahead: true, cut: true, lost: true,
		}
	}
	return &frozenConnection{
		state: connectionClosing, certified: "u_ada", remote: "\x7f\x00\x00\x01\x50\x00", timer: time.Second,
		user: "u_ada", session: "s_1", role: "bot", features: featureAck | featureSystem, expires: 1754474400000, warned: true,
		rooms: []string{"lobby", "two"}, muted: []string{"three"},
		pace: time.Minute, fast: time.Hour, errors: []time.Duration{3, 2, 1},
		paused: true, admitted: true, throttled: true,
		refusal: &Failure{Code: 429, Reason: "r", Message: "m", Field: "f", RetryAfter: time.Second, Limit: UserRateLimit},
		queue:   []string{`{"type":"heartbeat"}`, "", `{}`},
		closing: &frozenClosing{wsproto.CloseTryAgainLater, "why", time.Second},
		ahead:   []*frozenBehind{behind("u_bob"), behind("lobby")},
		catchUp: &frozenCatchUp{ref: "ref", missed: 3, behind: []*frozenBehind{behind("two")},
			talks: &frozenTalks{since: -5, after: "u_a", told: 2, listed: true, known: []string{"x", "y"}, missed: []string{"z"}}},
	}
}

// What is written is what is read, with each field.
func TestFrozenConnection(t *testing.T) {
	f := everyField()
	for v, i := reflect.ValueOf(*f), 0; i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the test does not set %s", v.Type().Field(i).Name)
		}
	}
	b := encode(nil, f.fields)
	got := new(frozenConnection)
	if err := decode(snapshot.NewReader(b), got.fields); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, f) {
		t.Errorf("got %+v, want %+v", got, f)
	}
	if again := encode(nil, got.fields); !bytes.Equal(again, b) {
		t.Error("written again, it is something else")
	}
	empty := new(frozenConnection)
	if b := encode(nil, empty.fields); len(b) != 0 {
		t.Errorf("nothing is written as %q", b)
	}
}

// A reader of the version before skips fields that it does not know, at each level, and one of the version after
// does without those that were not written.
func TestFrozenNeighbours(t *testing.T) {
	f := everyField()
	b := snapshot.AppendStringField(encode(nil, f.fields), 99, "of a newer version")
	b = append(snapshot.AppendUintField(nil, 98, 7), b...)
	got := new(frozenConnection)
	if err := decode(snapshot.NewReader(b), got.fields); err != nil || !reflect.DeepEqual(got, f) {
		t.Errorf("with unknown fields: %v", err)
	}

	inner := snapshot.AppendStringField(encode(nil, f.closing.fields), 50, "newer")
	var c frozenClosing
	if err := decode(snapshot.NewReader(inner), c.fields); err != nil || c != *f.closing {
		t.Errorf("with an unknown field inside: %+v, %v", c, err)
	}

	// Each field in turn is missing.
	r := snapshot.NewReader(encode(nil, f.fields))
	numbers := make(map[uint64]bool)
	for number := range r.Fields() {
		numbers[number] = true
	}
	if len(numbers) != reflect.TypeFor[frozenConnection]().NumField() {
		t.Errorf("%d kinds of fields are written", len(numbers))
	}
	for without := range numbers {
		var b []byte
		for number, v := range snapshot.NewReader(encode(nil, f.fields)).Fields() {
			if number != without {
				b = snapshot.AppendField(b, number, v.Rest())
			}
		}
		got := new(frozenConnection)
		if err := decode(snapshot.NewReader(b), got.fields); err != nil {
			t.Errorf("without field %d: %v", without, err)
		}
		zero := 0
		for v, i := reflect.ValueOf(*got), 0; i < v.NumField(); i++ {
			if v.Field(i).IsZero() {
				zero++
			}
		}
		if zero != 1 {
			t.Errorf("without field %d, %d have no value", without, zero)
		}
	}
}

// Whatever the other process writes, the reader does not panic, and what it reads is written the same way again.
func FuzzFrozenConnection(f *testing.F) {
	f.Add(encode(nil, everyField().fields))
	f.Add([]byte{})
	f.Add([]byte{1, 1, 200})
	f.Fuzz(func(t *testing.T, b []byte) {
		got := new(frozenConnection)
		if decode(snapshot.NewReader(b), got.fields) != nil {
			return
		}
		again := encode(nil, got.fields)
		same := new(frozenConnection)
		if err := decode(snapshot.NewReader(again), same.fields); err != nil {
			t.Fatal(err)
		}
		if third := encode(nil, same.fields); !bytes.Equal(third, again) {
			t.Errorf("%q is written as %q", again, third)
		}
	})
}
